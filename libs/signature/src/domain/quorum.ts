import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { AppError, fromHex } from '#libs/platform/domain';
import { type Approval, approvalBytes, type HsmRequest, type Ticket } from './approval.js';
import { readEcdsaSignature } from './ecdsa-signature.js';
import { verifySm2 } from './sm2.js';

export interface Need {
  readonly count: number;
  readonly roles: Readonly<Record<string, number>>;
}

export interface Approver {
  readonly id: string;
  readonly person: string;
  readonly roles: readonly string[];
  readonly algorithm: 'p256Sha256' | 'sm2Sm3';
  readonly publicKey: string;
  readonly notAfter: string;
}

export interface QuorumRules {
  readonly policy: { readonly version: number; readonly approvers: readonly Approver[] };
  readonly need: Need;
  /** Never counts, neither as account nor as person. */
  readonly requester: string;
  /** Undefined: expiries are not judged (a policy, which outlives the approvals that made it). */
  readonly now: Date | undefined;
  /** The approvals were seen within their time before (a ticket in use): only approvers are judged by `now`. */
  readonly seenInTime?: boolean;
}

/**
 * Enough different persons of the needed roles have signed exactly this subject. One bad signature refuses the whole: somebody
 * tried something. Throws APPROVAL_INVALID, APPROVAL_EXPIRED, QUORUM_NOT_MET.
 */
export function requireQuorum(subject: object, approvals: readonly Approval[], rules: QuorumRules): void {
  const persons = new Map<string, Set<string>>();
  const nonces = new Set<string>();
  for (const approval of approvals) {
    const approver = rules.policy.approvers.find(({ id }) => id === approval.approver);
    if (approver === undefined) throw invalid(`${approval.approver} is not on the list of approvers`);
    if (approver.id === rules.requester || approver.person === rules.requester) throw invalid(`${approver.id} is the requester`);
    if (nonces.has(approval.nonce)) throw invalid(`nonce of ${approver.id} was used twice`);
    nonces.add(approval.nonce);
    // The first version of a policy is signed by the approvers that it names itself.
    if (approval.policyVersion !== rules.policy.version) throw invalid(`${approver.id} signed for policy version ${approval.policyVersion}, ${rules.policy.version} is in force`);
    if (!signed(approver, approvalBytes(subject, approval), fromHex(approval.signature))) throw invalid(`signature of ${approver.id}`);
    if (rules.now !== undefined) {
      if (rules.seenInTime !== true) requireBefore(`approval of ${approver.id}`, approval.notAfter, rules.now);
      requireBefore(`approver ${approver.id}`, approver.notAfter, rules.now);
    }
    persons.set(approver.person, new Set([...(persons.get(approver.person) ?? []), ...approver.roles]));
  }
  const missing = Object.entries(rules.need.roles).find(([role, least]) => [...persons.values()].filter((roles) => roles.has(role)).length < least);
  if (persons.size < rules.need.count || missing !== undefined) {
    throw new AppError('QUORUM_NOT_MET', { needed: missing === undefined ? String(rules.need.count) : `${missing[1]} × ${missing[0]}`, valid: persons.size });
  }
}

/** A request within its time and of the policy in force, approved. */
export function requireApproved(request: HsmRequest, approvals: readonly Approval[], rules: QuorumRules & { readonly now: Date }): void {
  if (request.policyVersion !== rules.policy.version) throw invalid(`the request is for policy version ${request.policyVersion}, ${rules.policy.version} is in force`);
  if (rules.now < new Date(request.createdAt)) throw new AppError('APPROVAL_EXPIRED', { what: `request ${request.requestId} is of the future` });
  requireBefore(`request ${request.requestId}`, request.notAfter, rules.now);
  requireQuorum(request, approvals, rules);
}

/** A ticket of the policy in force, approved. Its time is judged at each use (`requireTicketTime`), its approvals once. */
export function requireTicketApproved(ticket: Ticket, approvals: readonly Approval[], rules: QuorumRules & { readonly now: Date }): void {
  if (ticket.policyVersion !== rules.policy.version) throw new AppError('TICKET_INVALID', { reason: `it is for policy version ${ticket.policyVersion}, ${rules.policy.version} is in force` });
  requireTicketTime(ticket, rules.now);
  requireQuorum(ticket, approvals, rules);
}

/** Throws TICKET_EXPIRED. */
export function requireTicketTime(ticket: Ticket, now: Date): void {
  if (now < new Date(ticket.notBefore) || now >= new Date(ticket.notAfter)) throw new AppError('TICKET_EXPIRED', { ticketId: ticket.ticketId });
}

function requireBefore(what: string, notAfter: string, now: Date): void {
  if (now >= new Date(notAfter)) throw new AppError('APPROVAL_EXPIRED', { what });
}

function signed(approver: Approver, bytes: Uint8Array, signature: Uint8Array): boolean {
  const spki = fromHex(approver.publicKey);
  if (approver.algorithm === 'sm2Sm3') return verifySm2(spki, bytes, signature);
  if (readEcdsaSignature(signature) === undefined) return false;
  const key = publicKeyOf(spki);
  return key?.asymmetricKeyDetails?.namedCurve === 'prime256v1' && verify('sha256', bytes, key, signature);
}

/** "Not a key" is a verdict about the list of approvers, not a failure of this process. */
function publicKeyOf(spki: Uint8Array): KeyObject | undefined {
  try {
    return createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  } catch {
    return undefined;
  }
}

function invalid(reason: string): AppError {
  return new AppError('APPROVAL_INVALID', { reason });
}
