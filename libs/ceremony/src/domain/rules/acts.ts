import { AppError, canonicalJson, equalBytes, type JsonValue } from '#libs/platform/domain';
import { actSubject, decisionSubject } from '../subjects.js';
import type { PlannedStep } from '../script.js';
import type { Arming, CeremonyState } from '../state.js';
import { added, alreadyDone, type Case, type Changes, openStep, put, requireRole, requireSigned, type Rule, sameKcv, stopped } from './case.js';

/** m signatures, all of them not older than this, then one execution. */
export const ARMED_MINUTES = 5;
const ARMED_MILLISECONDS = ARMED_MINUTES * 60_000;

type ActStep = Extract<PlannedStep, { kind: 'act' }>;
type Outcome = Extract<Case<'executionEnded'>['event'], { type: 'executionEnded' }>['outcome'];

/** Arming again drops the signatures that were there. */
export const armed: Rule<'armed'> = (given) => {
  const { state, event, plan, at, actor } = given;
  const step = openStep(given, 'act');
  requireRole(actor, 'ceremonyAdministrator');
  if (state.acted.has(step.name)) throw alreadyDone(step.name);
  requireSubject(step, event.subject, plan, state);
  return { arming: { step: step.name, subject: event.subject, at, signedBy: [] } };
};

/** Either the supervisor's own request for this recipe, or exactly the act of this step at this place of the transcript. */
function requireSubject(step: ActStep, subject: Readonly<Record<string, unknown>>, plan: Case['plan'], { last }: CeremonyState): void {
  const refuse = (): never => {
    throw new AppError('CEREMONY_ACT_WRONG', { step: step.name, recipe: step.recipe });
  };
  if (subject['recipe'] !== step.recipe || last === undefined) return refuse();
  if (subject['format'] === 'hufu/request/1') return;
  const parameters = subject['parameters'];
  if (typeof parameters !== 'object' || parameters === null || Object.values(parameters).some((value) => typeof value !== 'string')) return refuse();
  const expected = actSubject(plan, step.name, step.recipe, last.digests, parameters as Record<string, string>);
  if (!equalBytes(canonicalJson(expected as unknown as JsonValue), canonicalJson(subject as unknown as JsonValue))) refuse();
}

export const armSigned: Rule<'armSigned'> = (given) => {
  const { state, event, plan, actor } = given;
  openStep(given, 'act');
  requireRole(actor, 'custodian');
  const arming = liveArming(given);
  const number = (id: string): number | undefined => plan.participants.find((each) => each.id === id)?.custodian;
  if (arming.signedBy.some((id) => number(id) === actor.custodian)) throw alreadyDone(actor.id);
  const nonces = requireSigned(given, actor.id, arming.subject, event.approval);
  return { nonces, arming: { ...arming, signedBy: [...arming.signedBy, actor.id] } };
};

/** The last line before the device is asked. It uses the arming up. */
export const executionIntended: Rule<'executionIntended'> = (given) => {
  const { state, plan, link, actor } = given;
  const step = openStep(given, 'act');
  requireRole(actor, 'ceremonyAdministrator');
  const { signedBy } = liveArming(given);
  const valid = signedBy.filter((id) => state.present.has(id)).length;
  if (valid < plan.quorum.needed) throw new AppError('CEREMONY_QUORUM_SHORT', { role: 'custodian', needed: plan.quorum.needed, present: valid });
  return { arming: undefined, intent: { step: step.name, digests: link.digests, orphaned: false } };
};

function liveArming({ state, at, event }: Case<'armSigned' | 'executionIntended'>): Arming {
  const { arming } = state;
  if (arming === undefined) throw new AppError('CEREMONY_NOT_ARMED', { step: event.step });
  if (at.getTime() - arming.at.getTime() > ARMED_MILLISECONDS) throw new AppError('CEREMONY_ARM_EXPIRED', { step: event.step, minutes: ARMED_MINUTES });
  return arming;
}

/** By the program that asked, in the same run. One that began anew has not seen the answer: then people decide. */
export const executionEnded: Rule<'executionEnded'> = (given) => {
  const { state, event, actor } = given;
  requireRole(actor, 'ceremonyAdministrator');
  if (state.intent === undefined || state.intent.step !== event.step) throw new AppError('CEREMONY_NOT_ARMED', { step: event.step });
  if (state.intent.orphaned) throw new AppError('CEREMONY_OUTCOME_OPEN', { step: event.step });
  return ended(given, event.step, event.outcome);
};

/** Nobody saw the outcome. Administrator and auditor look at the device and sign what they found. */
export const outcomeDecided: Rule<'outcomeDecided'> = (given) => {
  const { state, event, plan } = given;
  const { intent } = state;
  if (intent === undefined || intent.step !== event.step) throw new AppError('CEREMONY_NOT_ARMED', { step: event.step });
  const subject = decisionSubject(plan, event.step, intent.digests, event.outcome, event.reason);
  const deciders = event.approvals.map((approval) => {
    const who = state.present.get(approval.approver);
    if (who === undefined) throw new AppError('CEREMONY_NOT_PRESENT', { participant: approval.approver });
    return { who, approval };
  });
  for (const role of ['ceremonyAdministrator', 'auditor'] as const) if (!deciders.some(({ who }) => who.role === role)) throw new AppError('CEREMONY_STEP_INCOMPLETE', { step: event.step, missing: [role] });
  let { nonces } = state;
  for (const { who, approval } of deciders) nonces = requireSigned({ ...given, state: { ...state, nonces } }, who.id, subject, approval);
  return { nonces, ...ended(given, event.step, event.outcome) };
};

/** Failed: nothing is tried again by itself, the act is to be armed anew. */
function ended(given: Case, name: string, outcome: Outcome): Changes {
  const { state } = given;
  const step = state.steps.find((each): each is ActStep => each.name === name && each.kind === 'act') as ActStep;
  if (!outcome.ok) return { intent: undefined };
  const { kcv } = outcome;
  if ((step.gives === 'kcv') !== (kcv !== undefined)) throw new AppError('CEREMONY_STEP_INCOMPLETE', { step: name, missing: [step.gives === 'kcv' ? 'kcv' : 'no kcv'] });
  const acted = added(state.acted, name);
  if (kcv === undefined) return { intent: undefined, acted };
  const other = step.sameKcvAs === undefined ? undefined : state.kcvs.get(step.sameKcvAs);
  if (step.sameKcvAs !== undefined && (other === undefined || !sameKcv(other, kcv))) return stopped(given, 'kcvMismatch', name);
  return { intent: undefined, acted, kcvs: put(state.kcvs, name, kcv) };
}
