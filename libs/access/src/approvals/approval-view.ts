import type { Approval, ApprovalSubject, Approver, MissingApprovals, Need } from '#libs/signature';
import type { SubjectKind } from './approval-subject.js';
import type { Outcome, RefusalGiven } from './approvals.repository.js';
import type { WaitingApproval } from './waiting-approvals.js';

/** What waits, as an approver is shown it. Times are ISO 8601. */
export interface PendingApproval {
  /** Digest of the subject. */
  readonly id: string;
  readonly kind: SubjectKind;
  readonly subject: ApprovalSubject;
  readonly rule: string;
  readonly need: Need;
  readonly policyVersion: number;
  readonly requestedBy: string | null;
  readonly since: string;
  readonly notAfter: string;
  readonly approvedBy: readonly string[];
  readonly missing: MissingApprovals;
  /** The operator's own entry in the policy: by which key and in which way it approves. Null over the local socket. */
  readonly approver: Approver | null;
  /** Whether this operator may still approve it, as far as the policy tells; the act is judged again. */
  readonly mayApprove: boolean;
}

/** One that waits or waited, with what became of it. */
export interface ApprovalView {
  readonly id: string;
  readonly kind: SubjectKind;
  readonly subject: ApprovalSubject;
  readonly rule: string;
  readonly requestedBy: string | null;
  readonly since: string;
  readonly notAfter: string;
  readonly outcome: Outcome | 'open';
  readonly refusal: RefusalGiven | null;
  readonly approvals: readonly Approval[];
}

export function pendingView(waiting: WaitingApproval, policyVersion: number, operatorId: string | undefined): PendingApproval {
  const { id, kind, subject, rule, need, requestedBy, recordedAt, notAfter, approvedBy, missing } = waiting;
  return {
    id, kind, subject, rule, need, policyVersion, approvedBy, missing,
    requestedBy: requestedBy ?? null,
    since: recordedAt.toISOString(),
    notAfter: notAfter.toISOString(),
    approver: waiting.policy.approvers.find((each) => each.id === operatorId) ?? null,
    mayApprove: operatorId === undefined || mayApprove(waiting, operatorId),
  };
}

function mayApprove({ policy, approvedBy, requestedBy }: WaitingApproval, operatorId: string): boolean {
  const personOf = (account: string | undefined): string | undefined => policy.approvers.find(({ id }) => id === account)?.person;
  const person = personOf(operatorId);
  return person !== undefined && operatorId !== requestedBy && person !== personOf(requestedBy) && !approvedBy.some((each) => personOf(each) === person);
}
