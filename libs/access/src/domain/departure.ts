import { AppError } from '#libs/platform/domain';
import { assignmentsInForce, covers, rolesOf } from './authority.js';
import type { PersonRecord, Row } from './record.js';
import { roleRule } from './role.js';

/** What the leaver still has to hand over: open assignments of roles that are handed over, without a hand-over that the successor received. */
export interface HandOverState {
  readonly leaver: PersonRecord;
  /** Records of everybody whom the leaver named as successor. */
  readonly successors: readonly PersonRecord[];
}

export function openHandOvers({ leaver, successors }: HandOverState, at: Date): Row<'roleAssignment'>[] {
  const running = rolesOf(leaver).filter((held) => (held.validUntil === null || at < held.validUntil) && roleRule(held.role).handOver);
  return running.filter((held) => !leaver.handOver.some((each) => each.assignmentId === held.assignmentId && taken(each, held, successors, at)));
}

/** Received, and by somebody who holds the same post (the same component) with valid vetting now. */
function taken(handOver: Row<'handOver'>, given: Row<'roleAssignment'>, successors: readonly PersonRecord[], at: Date): boolean {
  const successor = successors.find(({ personId }) => personId === handOver.successorId);
  if (successor === undefined || successor.personId === handOver.personId) return false;
  const received = successor.handOverReceipt.some(({ handOverId }) => handOverId === handOver.handOverId);
  return received && assignmentsInForce(successor, at).some((held) => held.role === given.role && held.componentSet === given.componentSet && held.component === given.component);
}

/** Leaving (离岗) is announced first, and blocked by name until everything is handed over. Throws LEAVE_NOT_ANNOUNCED, HAND_OVER_OPEN. */
export function requireMayLeave(state: HandOverState, at: Date): void {
  const { personId, leave } = state.leaver;
  if (!leave.some((each) => each.kind === 'departure' && covers(each, at))) throw new AppError('LEAVE_NOT_ANNOUNCED', { personId });
  const open = openHandOvers(state, at);
  if (open.length === 0) return;
  const named = (language: 'zh' | 'en') => open.map(({ role, componentSet, component }) => `${roleRule(role).text[language]}${componentSet === null ? '' : ` ${componentSet}/${component}`}`);
  throw new AppError('HAND_OVER_OPEN', { personId, openZh: named('zh').join('、'), openEn: named('en').join(', ') });
}
