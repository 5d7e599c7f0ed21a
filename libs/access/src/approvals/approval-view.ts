import type { Approval, ApprovalMethod, ApprovalSubject, MissingApprovals, Need, QuorumPolicy } from '#libs/signature';
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
  /** Whether this operator may still approve it, as far as the policy tells; the act is judged again. */
  readonly mayApprove: boolean;
  /** This operator's own entry in the policy: by what key and authenticator it is approved. Null over the local socket. */
  readonly approver: OwnEntry | null;
}

export interface OwnEntry {
  readonly method: ApprovalMethod;
  /** SubjectPublicKeyInfo, DER, upper-case hex. */
  readonly publicKey: string;
  readonly webauthn: { readonly rpId: string; readonly credentialId: string } | null;
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
    mayApprove: operatorId === undefined || mayApprove(waiting, operatorId),
    approver: ownEntry(waiting.policy, operatorId),
  };
}

function ownEntry({ approvers }: QuorumPolicy, operatorId: string | undefined): OwnEntry | null {
  const own = approvers.find(({ id }) => id === operatorId);
  if (own === undefined) return null;
  const { method = 'plain', publicKey, webauthn } = own;
  return { method, publicKey, webauthn: webauthn === undefined ? null : { rpId: webauthn.rpId, credentialId: webauthn.credentialId } };
}

function mayApprove({ policy, approvedBy, requestedBy }: WaitingApproval, operatorId: string): boolean {
  const personOf = (account: string | undefined): string | undefined => policy.approvers.find(({ id }) => id === account)?.person;
  const person = personOf(operatorId);
  return person !== undefined && operatorId !== requestedBy && person !== personOf(requestedBy) && !approvedBy.some((each) => personOf(each) === person);
}
