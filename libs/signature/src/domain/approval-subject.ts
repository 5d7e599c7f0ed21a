import { z } from 'zod';
import { AppError } from '#libs/platform/domain';
import { HsmRequest, Ticket } from './approval.js';
import { QuorumPolicy } from './quorum-policy.js';

const ApprovalSubject = z.discriminatedUnion('format', [HsmRequest, Ticket, QuorumPolicy]);
export type ApprovalSubject = z.infer<typeof ApprovalSubject>;

/** Whatever a quorum signs, from outside. Nothing else is ever signed as an approval. Throws SUBJECT_MALFORMED. */
export function readApprovalSubject(value: unknown): ApprovalSubject {
  const parsed = ApprovalSubject.safeParse(value);
  if (parsed.success) return parsed.data;
  const reason = parsed.error.issues.slice(0, 3).map(({ path, message }) => `${path.join('.') || '(root)'}: ${message}`).join('; ');
  throw new AppError('SUBJECT_MALFORMED', { reason });
}

/** The policy whose approvers sign it: the one in force; the first policy is signed by its own, each later one by the one before. */
export function signingPolicyVersion(subject: ApprovalSubject): number {
  return subject.format === 'hufu/hsm-policy/1' ? Math.max(1, subject.version - 1) : subject.policyVersion;
}

/** A request or ticket that is over buys nothing. Throws APPROVAL_EXPIRED. */
export function requireSubjectOpen(subject: ApprovalSubject, now: Date): void {
  if ('notAfter' in subject && now >= new Date(subject.notAfter)) throw new AppError('APPROVAL_EXPIRED', { what: 'requestId' in subject ? `request ${subject.requestId}` : `ticket ${subject.ticketId}` });
}
