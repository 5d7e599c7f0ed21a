import { AppError } from '#libs/platform/domain';
import type { Clock } from '#libs/platform';
import type { Approvers } from './approvers.js';
import type { Link } from './domain/chain.js';
import { requireRehearsed } from './domain/rehearsal.js';
import { propose, replay } from './domain/replay.js';
import type { Script } from './domain/script.js';
import { type CeremonyState, emptyState } from './domain/state.js';
import type { TranscriptStore } from './transcript-store.js';

export interface CeremonyParts {
  readonly store: TranscriptStore;
  readonly approvers: Approvers;
  readonly clock: Clock;
}

/** Finished or not begun: nothing of a run that ended is in hand. */
const QUIET: ReadonlySet<CeremonyState['phase']> = new Set(['empty', 'closed']);

/**
 * One ceremony over its store. An event is judged, kept, and only then counts; two that come at once are judged one after the other. What a
 * front shows it reads from `state`.
 */
export class Ceremony {
  private turn: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly parts: CeremonyParts,
    readonly script: Script,
    private current: CeremonyState,
    private readonly kept: Link[],
    private readonly rehearsal: readonly Link[] | undefined,
  ) {}

  /** A new one. A real one needs the transcript of its rehearsal. Throws CEREMONY_ALREADY_DONE where the store holds one. */
  static async begin(parts: CeremonyParts, script: Script, rehearsal?: readonly Link[]): Promise<Ceremony> {
    const stored = await parts.store.load();
    if (stored !== undefined && stored.links.length > 0) throw new AppError('CEREMONY_ALREADY_DONE', { what: stored.links[0]?.event.ceremony ?? '' });
    await parts.store.begin(script, rehearsal);
    return new Ceremony(parts, script, emptyState(script), [], rehearsal);
  }

  /**
   * Goes on where the last whole event left it. That the program began anew is an event itself: an act that was under way stays without an
   * outcome, a component in hand is given up. Throws what `replay` throws, NOT_FOUND for an empty store.
   */
  static async resume(parts: CeremonyParts, { by, station }: { readonly by: string; readonly station: string }): Promise<Ceremony> {
    const stored = await parts.store.load();
    if (stored === undefined) throw new AppError('NOT_FOUND', { what: 'ceremony' });
    const state = replay(stored.script, stored.links, parts.approvers);
    const ceremony = new Ceremony(parts, stored.script, state, [...stored.links], stored.rehearsal);
    if (!QUIET.has(state.phase)) await ceremony.record({ type: 'stationStarted', by, station });
    return ceremony;
  }

  get state(): CeremonyState {
    return this.current;
  }

  get links(): readonly Link[] {
    return this.kept;
  }

  /** Enters an event and gives the state after it. Throws a named error and leaves everything as it was. */
  record(draft: unknown): Promise<CeremonyState> {
    const entered = this.turn.then(() => this.enter(draft));
    this.turn = entered.catch(() => undefined);
    return entered;
  }

  private async enter(draft: unknown): Promise<CeremonyState> {
    const { store, approvers, clock } = this.parts;
    const { link, state } = propose(this.current, draft, clock.now(), approvers);
    if (link.event.type === 'planned') this.requirePlanned(link.event.plan);
    await store.append(link);
    this.kept.push(link);
    this.current = state;
    return state;
  }

  private requirePlanned(plan: NonNullable<CeremonyState['plan']>): void {
    const { approvers } = this.parts;
    if (plan.policyVersion !== approvers.version) throw new AppError('CEREMONY_PLAN_INVALID', { reasonZh: `审批名单现为第 ${approvers.version} 版`, reasonEn: `version ${approvers.version} of the approver list is in force` });
    if (plan.mode === 'real') requireRehearsed(plan, this.script, this.rehearsal ?? [], approvers);
  }
}
