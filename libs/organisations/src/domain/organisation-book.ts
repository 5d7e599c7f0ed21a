import { AppError } from '#libs/platform/domain';
import { type CodeScheme, kindRule, type OrganisationKind } from './organisation-kind.js';

export const ORGANISATION_STATUSES = {
  active: { zh: '在用', en: 'active' },
  closed: { zh: '已撤销', en: 'closed' },
  merged: { zh: '已并入', en: 'merged' },
} as const;
export type OrganisationStatus = keyof typeof ORGANISATION_STATUSES;

/** What a body was from `effectiveAt` on. Rows are only added, in the order of `sequence` and of `effectiveAt`. */
export interface OrganisationState {
  readonly organisationId: string;
  readonly sequence: number;
  readonly name: string;
  readonly parentId: string | undefined;
  readonly status: OrganisationStatus;
  /** The body it went into; only when merged. */
  readonly successorId: string | undefined;
  readonly effectiveAt: Date;
  readonly recordedAt: Date;
}

/**
 * What a code meant from `effectiveAt` on: `issued` to a body as its own, `replaced` by another code of that body (it still
 * stands for it), `ended` (it stands for nothing).
 */
export interface CodeEvent {
  readonly scheme: CodeScheme;
  readonly code: string;
  readonly sequence: number;
  readonly organisationId: string;
  readonly meaning: 'issued' | 'replaced' | 'ended';
  readonly effectiveAt: Date;
  readonly recordedAt: Date;
}

export interface Organisation {
  readonly organisationId: string;
  readonly kind: OrganisationKind;
}

/** Rows that one act adds. */
export interface Additions {
  readonly organisations: readonly Organisation[];
  readonly states: readonly OrganisationState[];
  readonly codes: readonly CodeEvent[];
}

/** Whom a code stood for. */
export interface Standing {
  /** The body, after all mergers up to then. */
  readonly organisationId: string;
  readonly kind: OrganisationKind;
  readonly name: string;
  /** Its own code then; another one than was asked for after a change of code or a merger. */
  readonly code: string | undefined;
  /** The body that the code was issued to. */
  readonly issuedTo: string;
}

/** Bodies and codes with their whole history, or the part of it that an act touches. It only grows. */
export class OrganisationBook {
  private readonly kinds = new Map<string, OrganisationKind>();
  private readonly stateRows = new Map<string, OrganisationState[]>();
  private readonly codeRows = new Map<string, CodeEvent[]>();
  private readonly codesOf = new Map<string, Set<string>>();

  static of(...additions: readonly Additions[]): OrganisationBook {
    const book = new OrganisationBook();
    for (const each of additions) book.add(each);
    return book;
  }

  add({ organisations, states, codes }: Additions): void {
    for (const { organisationId, kind } of organisations) this.kinds.set(organisationId, kind);
    for (const state of states) push(this.stateRows, state.organisationId, state);
    for (const event of codes) {
      const key = `${event.scheme}/${event.code}`;
      push(this.codeRows, key, event);
      this.codesOf.set(event.organisationId, (this.codesOf.get(event.organisationId) ?? new Set()).add(key));
    }
  }

  kind(organisationId: string): OrganisationKind {
    const kind = this.kinds.get(organisationId);
    if (kind === undefined) throw new RangeError(`body ${organisationId} is not in the book`);
    return kind;
  }

  states(organisationId: string): readonly OrganisationState[] {
    return this.stateRows.get(organisationId) ?? [];
  }

  codes(scheme: CodeScheme, code: string): readonly CodeEvent[] {
    return this.codeRows.get(`${scheme}/${code}`) ?? [];
  }

  lastState(organisationId: string): OrganisationState | undefined {
    return this.states(organisationId).at(-1);
  }

  /** Active bodies that stand under this one by their last state. */
  children(organisationId: string): OrganisationState[] {
    return [...this.stateRows.values()].flatMap((states) => {
      const last = states.at(-1);
      return last?.parentId === organisationId && last.status === 'active' ? [last] : [];
    });
  }

  /** A body's own code at a time; undefined when it had none yet or its code was given on after its end. */
  codeOf(organisationId: string, at: Date, knownAt?: Date): string | undefined {
    const { scheme } = kindRule(this.kind(organisationId));
    const own = [...(this.codesOf.get(organisationId) ?? [])].map((key) => key.slice(scheme.length + 1));
    return own.find((code) => {
      const event = inForce(this.codes(scheme, code), at, knownAt);
      return event?.organisationId === organisationId && event.meaning === 'issued';
    });
  }

  /**
   * Whom a code stood for at a time, mergers followed; undefined when it stood for nobody: not issued yet, ended, or its
   * body closed. `knownAt`: only what was recorded by then. Throws ORGANISATION_MERGE_CYCLE on a history that goes in a ring.
   */
  resolve(scheme: CodeScheme, code: string, at: Date, knownAt?: Date): Standing | undefined {
    const event = inForce(this.codes(scheme, code), at, knownAt);
    if (event === undefined || event.meaning === 'ended') return undefined;
    const passed = new Set<string>();
    let organisationId = event.organisationId;
    for (;;) {
      if (passed.has(organisationId)) throw new AppError('ORGANISATION_MERGE_CYCLE', { code });
      passed.add(organisationId);
      const state = inForce(this.states(organisationId), at, knownAt);
      if (state === undefined || state.status === 'closed') return undefined;
      if (state.successorId === undefined) {
        return { organisationId, kind: this.kind(organisationId), name: state.name, code: this.codeOf(organisationId, at, knownAt), issuedTo: event.organisationId };
      }
      organisationId = state.successorId;
    }
  }
}

/** The last row that holds at a time: `effectiveAt` inclusive. */
function inForce<R extends { readonly effectiveAt: Date; readonly recordedAt: Date }>(rows: readonly R[], at: Date, knownAt: Date | undefined): R | undefined {
  return rows.findLast((row) => row.effectiveAt <= at && (knownAt === undefined || row.recordedAt <= knownAt));
}

function push<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
