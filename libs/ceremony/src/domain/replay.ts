import { AppError } from '#libs/platform/domain';
import { linkOf, type Link, requireFollows } from './chain.js';
import { type CeremonyEvent, type EventDraft, type EventType, parseDraft } from './event.js';
import { attended, left, planned, recording } from './rules/attendance.js';
import { armed, armSigned, executionEnded, executionIntended, outcomeDecided } from './rules/acts.js';
import type { Case, Rule } from './rules/case.js';
import { bagOpened, bagSealed, bagSigned, componentOpened, componentReread, componentSpoiled, componentWritten, confirmed, deviceObserved, kcvHeard, scriptConfirmed } from './rules/custody.js';
import { closed, signedOff } from './rules/sign-off.js';
import { deviation, evidenceAdded, paused, printed, resumed, stationStarted, stepCompleted, stepOpened, stepSkipped } from './rules/steps.js';
import type { Script } from './script.js';
import type { Signers } from './signers.js';
import { ALLOWED, type CeremonyState, emptyState, PHASES } from './state.js';

const RULES: { readonly [T in EventType]: Rule<T> } = {
  planned, attended, left, recording, stepOpened, stepCompleted, stepSkipped, stationStarted, scriptConfirmed, deviceObserved, armed, armSigned, executionIntended, executionEnded, outcomeDecided,
  componentOpened, componentWritten, componentReread, componentSpoiled, kcvHeard, bagSealed, bagOpened, bagSigned, confirmed, paused, resumed, deviation, evidenceAdded, printed, signedOff, closed,
};

/** All that may happen while a component is in hand. */
const BESIDE_COMPONENT: ReadonlySet<EventType> = new Set(['componentWritten', 'componentReread', 'componentSpoiled', 'paused', 'left', 'deviation', 'stationStarted']);
/** All that may happen while nobody knows what the device did. */
const BESIDE_INTENT: ReadonlySet<EventType> = new Set(['executionEnded', 'outcomeDecided', 'paused', 'resumed', 'left', 'attended', 'deviation', 'stationStarted']);
/** Entered by people of the plan who need not have checked in themselves. */
const BEFORE_CHECK_IN: ReadonlySet<EventType> = new Set(['planned', 'attended', 'stationStarted']);

/**
 * The one place where a ceremony moves on: the front that enters an event and the stranger who verifies it later call the same function.
 * Throws a named error and leaves the state as it was.
 */
export function apply(state: CeremonyState, link: Link, signers: Signers): CeremonyState {
  const { event } = link;
  requireFollows(state.last, link);
  const at = new Date(event.at);
  if (state.last !== undefined && at < new Date(state.last.event.at)) throw new AppError('CEREMONY_TIME_BACKWARDS', { at: event.at, before: state.last.event.at });
  if (!ALLOWED[event.type].includes(state.phase)) {
    if (state.incident !== undefined && state.phase === 'stopped') throw new AppError('CEREMONY_STOPPED', { step: state.incident.step, event: event.type });
    throw new AppError('CEREMONY_EVENT_ILLEGAL', { event: event.type, phaseZh: PHASES[state.phase].zh, phaseEn: PHASES[state.phase].en });
  }
  const plan = event.type === 'planned' ? event.plan : (state.plan as NonNullable<typeof state.plan>);
  const actor = plan.participants.find(({ id }) => id === event.by);
  if (actor === undefined) throw new AppError('CEREMONY_PARTICIPANT_UNKNOWN', { participant: event.by });
  const opensCheckIn = event.type === 'stepOpened' && state.done === 0;
  if (!BEFORE_CHECK_IN.has(event.type) && !opensCheckIn && !state.present.has(actor.id)) throw new AppError('CEREMONY_NOT_PRESENT', { participant: actor.id });
  if (state.component !== undefined && !BESIDE_COMPONENT.has(event.type)) throw new AppError('CEREMONY_COMPONENT_BUSY', { participant: state.component.participant });
  if (state.intent !== undefined && !BESIDE_INTENT.has(event.type)) throw new AppError('CEREMONY_OUTCOME_OPEN', { step: state.intent.step });
  const given: Case = { state, event, link, plan, at, signers, actor };
  const next = { ...state, ...(RULES[event.type] as Rule<EventType>)(given), last: link };
  return next.phase === 'signing' && state.phase !== 'signing' ? { ...next, transcriptHead: link } : next;
}

/** The event that a front asks for, in its place of the chain, and the state after it. */
export function propose(state: CeremonyState, content: unknown, at: Date, signers: Signers): { readonly link: Link; readonly state: CeremonyState } {
  const draft: EventDraft = parseDraft(content);
  const plan = draft.type === 'planned' ? draft.plan : state.plan;
  if (plan === undefined) throw new AppError('CEREMONY_EVENT_ILLEGAL', { event: draft.type, phaseZh: PHASES[state.phase].zh, phaseEn: PHASES[state.phase].en });
  const link = linkOf({ ...draft, seq: (state.last?.event.seq ?? 0) + 1, at: at.toISOString(), ceremony: plan.ceremony, mode: plan.mode, previous: state.last?.digests ?? null } as CeremonyEvent);
  return { link, state: apply(state, link, signers) };
}

/** From the first event on. Throws what `apply` throws, for the first event that does not fit. */
export function replay(script: Script, links: Iterable<Link>, signers: Signers): CeremonyState {
  let state = emptyState(script);
  for (const link of links) state = apply(state, link, signers);
  return state;
}
