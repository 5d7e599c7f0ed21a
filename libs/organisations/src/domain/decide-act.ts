import { AppError } from '#libs/platform/domain';
import type { OrganisationAct } from './organisation-act.js';
import type { Additions, CodeEvent, OrganisationBook, OrganisationState } from './organisation-book.js';
import { isWithinRegion, kindRule, type OrganisationKind } from './organisation-kind.js';

type ActOf<A extends OrganisationAct['act']> = Extract<OrganisationAct, { act: A }>;
type Decision = Partial<Additions>;
/** `newId`: what a newly registered body is called. */
export interface Circumstances {
  readonly newId: string;
  readonly recordedAt: Date;
}

/**
 * The rows that an act adds to the book; nothing is changed or taken away, and nothing before the act's own time means
 * anything else than it did. Throws ORGANISATION_… by the rule that is broken. The book holds the bodies and codes that the
 * act names, what stands above and under them, and all bodies they went into.
 */
export function decideAct(book: OrganisationBook, act: OrganisationAct, given: Circumstances): Additions {
  const decide = DECISIONS[act.act] as (book: OrganisationBook, act: OrganisationAct, given: Circumstances) => Decision;
  return { organisations: [], states: [], codes: [], ...decide(book, act, given) };
}

const DECISIONS: { readonly [A in OrganisationAct['act']]: (book: OrganisationBook, act: ActOf<A>, given: Circumstances) => Decision } = {
  register: (book, act, { newId, recordedAt }) => {
    const parentId = parentOf(book, act.kind, act.code, act.parent, act.effectiveAt);
    return {
      organisations: [{ organisationId: newId, kind: act.kind }],
      states: [{ organisationId: newId, sequence: 1, name: act.name, parentId, status: 'active', successorId: undefined, effectiveAt: act.effectiveAt, recordedAt }],
      codes: [issued(book, act.kind, act.code, newId, act, recordedAt)],
    };
  },
  rename: (book, act, { recordedAt }) => ({ states: [next(activeBody(book, act), act, recordedAt, { name: act.name })] }),
  move: (book, act, { recordedAt }) => {
    const body = activeBody(book, act);
    const parentId = parentOf(book, act.kind, act.newCode ?? act.code, act.parent, act.effectiveAt);
    const codes = act.newCode === undefined ? [] : changedCode(book, body, { ...act, newCode: act.newCode }, recordedAt);
    return { states: [next(body, act, recordedAt, { parentId })], codes };
  },
  recode: (book, act, { recordedAt }) => {
    const body = activeBody(book, act);
    const parent = body.parentId === undefined ? undefined : book.codeOf(body.parentId, act.effectiveAt);
    if (parent !== undefined) mustLieWithin(act.kind, act.newCode, parent);
    childrenMustLieWithin(book, body, act.newCode, act.effectiveAt);
    return { codes: changedCode(book, body, act, recordedAt) };
  },
  close: (book, act, { recordedAt }) => {
    const body = activeBody(book, act);
    const { length: count } = book.children(body.organisationId);
    if (count > 0) throw new AppError('ORGANISATION_HAS_CHILDREN', { code: act.code, count });
    return { states: [next(body, act, recordedAt, { status: 'closed' })] };
  },
  merge: (book, act, { recordedAt }) => {
    const body = activeBody(book, act);
    const target = book.resolve(kindRule(act.kind).scheme, act.into, act.effectiveAt);
    if (target === undefined) throw new AppError('ORGANISATION_CODE_UNKNOWN', { code: act.into, at: act.effectiveAt.toISOString() });
    if (target.kind !== act.kind) throw new AppError('ORGANISATION_KIND_DIFFERS', { code: act.into, kind: act.kind, actual: target.kind });
    if (target.code !== act.into) throw new AppError('ORGANISATION_ENDED', { code: act.into });
    mustNotLeadTo(book, target.organisationId, body.organisationId, act.code);
    const children = book.children(body.organisationId);
    if (children.length > 0 && book.lastState(target.organisationId)?.status !== 'active') throw new AppError('ORGANISATION_ENDED', { code: act.into });
    childrenMustLieWithin(book, body, act.into, act.effectiveAt);
    return {
      states: [
        next(body, act, recordedAt, { status: 'merged', successorId: target.organisationId }),
        ...children.map((child) => next(child, act, recordedAt, { parentId: target.organisationId })),
      ],
    };
  },
  endCode: (book, act, { recordedAt }) => {
    const { scheme } = kindRule(act.kind);
    const last = book.codes(scheme, act.code).at(-1);
    const standing = book.resolve(scheme, act.code, act.effectiveAt);
    if (last === undefined || standing === undefined) throw new AppError('ORGANISATION_CODE_UNKNOWN', { code: act.code, at: act.effectiveAt.toISOString() });
    if (last.meaning === 'issued' && standing.issuedTo === standing.organisationId) throw new AppError('ORGANISATION_CODE_IN_USE', { code: act.code });
    mustNotPrecede(last, act);
    return { codes: [{ ...last, sequence: last.sequence + 1, meaning: 'ended', effectiveAt: act.effectiveAt, recordedAt }] };
  },
};

/** The last state of the body that holds this code as its own; it is active and of the kind. */
function activeBody(book: OrganisationBook, { kind, code, effectiveAt }: { kind: OrganisationKind; code: string; effectiveAt: Date }): OrganisationState {
  const { scheme } = kindRule(kind);
  const standing = book.resolve(scheme, code, effectiveAt);
  if (standing === undefined) throw new AppError('ORGANISATION_CODE_UNKNOWN', { code, at: effectiveAt.toISOString() });
  if (standing.kind !== kind) throw new AppError('ORGANISATION_KIND_DIFFERS', { code, kind, actual: standing.kind });
  const last = book.lastState(standing.organisationId);
  const own = book.codes(scheme, code).at(-1);
  if (last?.status !== 'active' || standing.code !== code || own?.meaning !== 'issued') throw new AppError('ORGANISATION_ENDED', { code });
  return last;
}

/** The id of the body that one of this kind and code may stand under. */
function parentOf(book: OrganisationBook, kind: OrganisationKind, code: string, parent: string | undefined, at: Date): string | undefined {
  const { parents, parentScheme } = kindRule(kind);
  if (parentScheme === undefined) {
    if (parent !== undefined) throw new AppError('ORGANISATION_PARENT_INVALID', { code, parent, reason: `${kind} stands under nothing` });
    return undefined;
  }
  if (parent === undefined) throw new AppError('ORGANISATION_PARENT_INVALID', { code, parent: '', reason: `${kind} stands under ${parents.join(' / ')}` });
  const standing = book.resolve(parentScheme, parent, at);
  if (standing === undefined) throw new AppError('ORGANISATION_UNKNOWN', { reason: `${parent} (${code})` });
  if (!parents.includes(standing.kind)) throw new AppError('ORGANISATION_PARENT_INVALID', { code, parent, reason: `${kind} stands under ${parents.join(' / ')}` });
  if (standing.code !== parent || book.lastState(standing.organisationId)?.status !== 'active') throw new AppError('ORGANISATION_ENDED', { code: parent });
  mustLieWithin(kind, code, parent);
  return standing.organisationId;
}

/** GB/T 2260: a district's code begins with its city's. */
function mustLieWithin(kind: OrganisationKind, code: string, parent: string): void {
  if (kind === 'district' && !isWithinRegion(code, parent)) throw new AppError('ORGANISATION_PARENT_INVALID', { code, parent, reason: 'GB/T 2260' });
}

function childrenMustLieWithin(book: OrganisationBook, body: OrganisationState, code: string, at: Date): void {
  for (const { organisationId, effectiveAt } of book.children(body.organisationId)) {
    mustLieWithin(book.kind(organisationId), book.codeOf(organisationId, effectiveAt > at ? effectiveAt : at) ?? '', code);
  }
}

/** The event that gives a code to a body; a code that was another's is given on only after its end and on purpose. */
function issued(book: OrganisationBook, kind: OrganisationKind, code: string, organisationId: string, { effectiveAt, reissue }: { effectiveAt: Date; reissue: boolean }, recordedAt: Date): CodeEvent {
  const rule = kindRule(kind);
  if (!rule.code.test(code)) throw new AppError('ORGANISATION_CODE_INVALID', { code, kind });
  const last = book.codes(rule.scheme, code).at(-1);
  if (last !== undefined) {
    if (book.resolve(rule.scheme, code, effectiveAt) !== undefined || effectiveAt < last.effectiveAt) throw new AppError('ORGANISATION_EXISTS', { reason: code });
    if (!reissue) throw new AppError('ORGANISATION_CODE_USED', { code });
  }
  return { scheme: rule.scheme, code, sequence: (last?.sequence ?? 0) + 1, organisationId, meaning: 'issued', effectiveAt, recordedAt };
}

function changedCode(book: OrganisationBook, body: OrganisationState, act: { kind: OrganisationKind; code: string; newCode: string; effectiveAt: Date; reissue: boolean }, recordedAt: Date): CodeEvent[] {
  mustNotPrecede(body, act);
  const old = book.codes(kindRule(act.kind).scheme, act.code).at(-1) as CodeEvent;
  mustNotPrecede(old, act);
  const replaced: CodeEvent = { ...old, sequence: old.sequence + 1, meaning: 'replaced', effectiveAt: act.effectiveAt, recordedAt };
  return [replaced, issued(book, act.kind, act.newCode, body.organisationId, act, recordedAt)];
}

function next(last: OrganisationState, { effectiveAt }: { effectiveAt: Date }, recordedAt: Date, change: Partial<OrganisationState>): OrganisationState {
  mustNotPrecede(last, { effectiveAt });
  return { ...last, ...change, sequence: last.sequence + 1, effectiveAt, recordedAt };
}

function mustNotPrecede(last: { readonly effectiveAt: Date }, { effectiveAt }: { effectiveAt: Date }): void {
  if (!(effectiveAt >= last.effectiveAt)) throw new AppError('ORGANISATION_TIME_INVALID', { last: last.effectiveAt.toISOString() });
}

/** Whatever the times: mergers that lead back would, once all are in force, leave a code that stands for nobody. */
function mustNotLeadTo(book: OrganisationBook, from: string, goal: string, code: string): void {
  for (let id: string | undefined = from; id !== undefined; id = book.lastState(id)?.successorId) {
    if (id === goal) throw new AppError('ORGANISATION_MERGE_CYCLE', { code });
  }
}
