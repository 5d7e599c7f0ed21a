import { timingSafeEqual } from 'node:crypto';
import { AppError } from '#libs/platform/domain';
import type { Link } from '../chain.js';
import type { CeremonyEvent, EventType, SignedApproval } from '../event.js';
import type { Participant, Plan } from '../plan.js';
import type { CeremonyRole, PlannedStep } from '../script.js';
import type { Signers } from '../signers.js';
import type { CeremonyState, Incident, IncidentKind } from '../state.js';

/** One event before the state that it meets. */
export interface Case<T extends EventType = EventType> {
  readonly state: CeremonyState;
  readonly event: CeremonyEvent<T>;
  readonly link: Link;
  readonly plan: Plan;
  readonly at: Date;
  readonly signers: Signers;
  /** Who did it: somebody of the plan. */
  readonly actor: Participant;
}

/** What an event changes. */
export type Changes = Partial<CeremonyState>;
export type Rule<T extends EventType> = (given: Case<T>) => Changes;

export const added = <T>(set: ReadonlySet<T>, ...values: readonly T[]): ReadonlySet<T> => new Set([...set, ...values]);
export const put = <K, V>(map: ReadonlyMap<K, V>, key: K, value: V): ReadonlyMap<K, V> => new Map([...map, [key, value]]);

/** Throws CEREMONY_STEP_OUT_OF_ORDER unless this step is the open one and of this kind. */
export function openStep<K extends PlannedStep['kind']>({ state, event }: { readonly state: CeremonyState; readonly event: { readonly step: string } }, ...kinds: readonly K[]): Extract<PlannedStep, { kind: K }> {
  const { open } = state;
  if (open === undefined || open.name !== event.step || !(kinds as readonly string[]).includes(open.kind)) {
    throw new AppError('CEREMONY_STEP_OUT_OF_ORDER', { step: event.step, expected: open?.name ?? state.steps[state.done]?.name ?? '-' });
  }
  return open as Extract<PlannedStep, { kind: K }>;
}

/** Throws CEREMONY_ROLE_WRONG. */
export function requireRole({ id, role }: Participant, ...roles: readonly CeremonyRole[]): void {
  if (!roles.includes(role)) throw new AppError('CEREMONY_ROLE_WRONG', { participant: id, needed: roles });
}

/** The custodian whose number the step has. Throws CEREMONY_ROLE_WRONG. */
export function requireCustodian({ id, custodian }: Participant, step: PlannedStep): void {
  if (custodian === undefined || custodian !== step.custodian) throw new AppError('CEREMONY_ROLE_WRONG', { participant: id, needed: [`custodian ${step.custodian ?? ''}`] });
}

/** An own signature over exactly this, with a nonce that was not seen before. Gives the nonces as they are then. */
export function requireSigned({ state, plan, at, signers }: Case, account: string, subject: object, approval: SignedApproval): ReadonlySet<string> {
  if (approval.approver !== account) throw new AppError('CEREMONY_SIGNER_WRONG', { expected: account, found: approval.approver });
  if (state.nonces.has(approval.nonce)) throw new AppError('APPROVAL_INVALID', { reason: `nonce of ${account} was used twice` });
  signers.requireSigned(subject, approval, { at, policyVersion: plan.policyVersion });
  return added(state.nonces, approval.nonce);
}

export function alreadyDone(what: string): AppError {
  return new AppError('CEREMONY_ALREADY_DONE', { what });
}

/** Both are upper-case hex; the time does not tell where they differ. */
export function sameKcv(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a, 'latin1'), Buffer.from(b, 'latin1')];
  return left.length === right.length && timingSafeEqual(left, right);
}

/** The end of a ceremony: no way on but to sign what happened. */
export function stopped({ event, actor }: Case, kind: IncidentKind, step: string): Changes {
  const incident: Incident = { kind, step, seq: event.seq, by: actor.id };
  return { phase: 'stopped', incident, open: undefined, arming: undefined, intent: undefined, component: undefined };
}

/** The bag of a component that did not come to its end is burnt; what happened stands as a deviation. */
export function spoiled({ state, event }: Case, text: string): Changes {
  return { component: undefined, deviations: [...state.deviations, { seq: event.seq, by: event.by, text }] };
}
