import { AppError } from '#libs/platform/domain';
import { sameDigests } from '../digests.js';
import { requirePlan } from '../plan.js';
import { type CeremonyRole, plannedSteps, scriptDigests } from '../script.js';
import type { CeremonyState } from '../state.js';
import { checkInSubject } from '../subjects.js';
import { added, alreadyDone, type Changes, put, requireRole, requireSigned, type Rule, spoiled } from './case.js';

export const planned: Rule<'planned'> = ({ state, event, link, at, signers, actor }) => {
  const { plan } = event;
  const refuse = (reasonZh: string, reasonEn: string): never => {
    throw new AppError('CEREMONY_PLAN_INVALID', { reasonZh, reasonEn });
  };
  requireRole(actor, 'ceremonyAdministrator');
  const { script } = state;
  if (event.ceremony !== plan.ceremony || event.mode !== plan.mode) refuse('编号或类别不一致', 'number or mode differ');
  if (plan.script.name !== script.name || plan.script.version !== script.version || !sameDigests(plan.script, scriptDigests(script))) refuse('脚本不是计划所列的脚本', 'the script is not the one that the plan names');
  const persons = plan.participants.map(({ id }) => signers.personOf(id, plan.policyVersion) ?? refuse(`${id} 不在签名名单中`, `${id} is not on the signed list`));
  if (new Set(persons).size !== persons.length) refuse('同一人有两个账号', 'one person by two accounts');
  requirePlan(plan, at);
  const steps = plannedSteps(script, plan.quorum.custodians);
  for (const { kind, custodian } of steps) if (kind === 'openBag' && !plan.lastClosings.some((closing) => closing.custodian === custodian)) refuse(`缺少保管人 ${custodian} 的上次封存袋号`, `the last closing of custodian ${custodian} is missing`);
  return { plan, planned: link.digests, steps, phase: 'running', bagsUsed: new Set([...plan.usedBags, ...plan.lastClosings.map(({ bag }) => bag)]) };
};

export const attended: Rule<'attended'> = (given) => {
  const { state, event, plan, at, actor } = given;
  const who = plan.participants.find(({ id }) => id === event.participant);
  if (who === undefined) throw new AppError('CEREMONY_PARTICIPANT_UNKNOWN', { participant: event.participant });
  if (state.present.has(who.id)) throw alreadyDone(who.id);
  if (actor.id === who.id) throw new AppError('CEREMONY_ROLE_WRONG', { participant: actor.id, needed: ['witness'] });
  requireRole(actor, ...(who.role === 'witness' ? (['witness', 'auditor', 'ceremonyAdministrator'] as const) : (['witness'] as const)));
  if (who.formNotAfter !== undefined && at >= new Date(who.formNotAfter)) throw new AppError('CEREMONY_FORM_LAPSED', { participant: who.id, notAfter: who.formNotAfter });
  const nonces = requireSigned(given, who.id, checkInSubject(plan, who.id, state.planned as NonNullable<typeof state.planned>), event.approval);
  return { nonces, present: put(state.present, who.id, who), attended: added(state.attended, who.id), checkers: added(state.checkers, actor.id) };
};

/** Who leaves before signing sends the others back to before sign-off: what they sign then says so. */
export const left: Rule<'left'> = (given) => {
  const { state, event } = given;
  if (!state.present.has(event.participant)) throw new AppError('CEREMONY_NOT_PRESENT', { participant: event.participant });
  const present = new Map([...state.present].filter(([id]) => id !== event.participant));
  const inHand = state.component?.participant === event.participant ? spoiled(given, `${event.participant}: ${event.reason}`) : {};
  const unsigned = state.phase === 'signing' && !state.signatures.has(event.participant) ? signOffAgain(state) : {};
  return { present, ...inHand, ...unsigned };
};

export function signOffAgain({ phase, incident }: CeremonyState): Changes {
  return phase === 'signing' ? { phase: incident === undefined ? 'running' : 'stopped', open: undefined, transcriptHead: undefined, signatures: new Set() } : {};
}

export const recording: Rule<'recording'> = ({ state, event, at, actor }) => {
  requireRole(actor, 'recorder');
  if (state.recordings.some(({ video }) => video === event.video)) throw alreadyDone(event.video);
  const { video, camera, cameraStartedAt, clockOffsetMilliseconds } = event;
  return { recordings: [...state.recordings, { video, camera, cameraStartedAt, clockOffsetMilliseconds, at }] };
};

/** Enough people of every role. Throws CEREMONY_QUORUM_SHORT. After a stop the custodians may be gone. */
export function requirePresence({ script, plan, present, incident, steps }: CeremonyState): void {
  const count = (role: CeremonyRole): number => [...present.values()].filter((each) => each.role === role).length;
  for (const [role, needed] of Object.entries(script.present) as [CeremonyRole, number][]) {
    if (role !== 'custodian' && count(role) < needed) throw new AppError('CEREMONY_QUORUM_SHORT', { role, needed, present: count(role) });
  }
  if (incident !== undefined || plan === undefined) return;
  const needed = steps.some((step) => 'each' in step && step.each === 'custodian') ? plan.quorum.custodians : plan.quorum.needed;
  const custodians = new Set([...present.values()].flatMap(({ custodian }) => custodian ?? [])).size;
  if (custodians < needed) throw new AppError('CEREMONY_QUORUM_SHORT', { role: 'custodian', needed, present: custodians });
}
