import { AppError } from '#libs/platform/domain';
import { resultOf } from '../state.js';
import { transcriptSubject } from '../subjects.js';
import { added, alreadyDone, openStep, requireRole, requireSigned, type Rule } from './case.js';

export const signedOff: Rule<'signedOff'> = (given) => {
  const { state, event, plan, actor } = given;
  openStep(given, 'signOff');
  if (state.signatures.has(actor.id)) throw alreadyDone(actor.id);
  const head = state.transcriptHead as NonNullable<typeof state.transcriptHead>;
  const nonces = requireSigned(given, actor.id, transcriptSubject(plan, resultOf(state), plan.script, head.event.seq, head.digests), event.approval);
  return { nonces, signatures: added(state.signatures, actor.id) };
};

export const closed: Rule<'closed'> = ({ state, actor }) => {
  requireRole(actor, 'auditor');
  const next = state.steps[state.done];
  if (next !== undefined || state.open !== undefined) throw new AppError('CEREMONY_STEP_INCOMPLETE', { step: next?.name ?? '-', missing: [next?.name ?? '-'] });
  return { phase: 'closed' };
};
