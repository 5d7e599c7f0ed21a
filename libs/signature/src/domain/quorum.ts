import { verify } from 'node:crypto';
import { AppError, fromHex } from '#libs/platform/domain';
import { type Approval, approvalBytes, approvalChallenge, type ApprovalMethod, type HsmRequest, type Ticket } from './approval.js';
import { readEcdsaSignature } from './ecdsa-signature.js';
import { p256PublicKey } from './public-key.js';
import { verifySm2 } from './sm2.js';
import { type AssertionFault, assertionFault } from './webauthn.js';

const OWNER_ROLE = 'ownerRepresentative';
const PAPER_PERSONS = 2;

export interface Need {
  readonly count: number;
  readonly roles: Readonly<Record<string, number>>;
  readonly ownerDocument?: true | undefined;
}

export interface Approver {
  readonly id: string;
  readonly person: string;
  readonly roles: readonly string[];
  readonly algorithm: 'p256Sha256' | 'sm2Sm3';
  readonly publicKey: string;
  readonly notAfter: string;
  readonly method?: ApprovalMethod | undefined;
  readonly webauthn?: { readonly rpId: string; readonly origins: readonly string[] } | undefined;
}

export interface QuorumRules {
  readonly policy: { readonly version: number; readonly approvers: readonly Approver[] };
  readonly need: Need;
  /** Who asked: the client and, where one did, the operator. They never count, neither as account nor as person. */
  readonly requester: string;
  readonly requestedBy?: string | undefined;
  /** Undefined: expiries are not judged (a policy, which outlives the approvals that made it). */
  readonly now: Date | undefined;
  /** The approvals were seen within their time before (a ticket in use): only approvers are judged by `now`. */
  readonly seenInTime?: boolean;
}

/** What a quorum still lacks: how many persons, and of which roles; nothing = { count: 0, roles: {} }. */
export interface MissingApprovals {
  readonly count: number;
  readonly roles: Readonly<Record<string, number>>;
}

/**
 * Enough different persons of the needed roles have signed exactly this subject. One bad signature refuses the whole: somebody
 * tried something. Throws APPROVAL_INVALID, APPROVAL_EXPIRED, QUORUM_NOT_MET.
 */
export function requireQuorum(subject: object, approvals: readonly Approval[], rules: QuorumRules): void {
  const nonces = new Set<string>();
  for (const approval of approvals) {
    if (nonces.has(approval.nonce)) throw invalid(`nonce of ${approval.approver} was used twice`);
    nonces.add(approval.nonce);
    requireApproval(subject, approval, rules);
  }
  const missing = missingApprovals(approvals, rules);
  const [role] = Object.entries(missing.roles);
  if (missing.count === 0 && role === undefined) return;
  const needed = role === undefined ? String(rules.need.count) : `${rules.need.roles[role[0]]} × ${role[0]}`;
  throw new AppError('QUORUM_NOT_MET', { needed, valid: personsOf(approvals, rules).size });
}

/** One approval by itself: by an approver of the policy who did not ask, of this policy, in time, and signed as the policy says. Throws APPROVAL_INVALID, APPROVAL_EXPIRED. */
export function requireApproval(subject: object, approval: Approval, rules: Omit<QuorumRules, 'need'>): Approver {
  const approver = rules.policy.approvers.find(({ id }) => id === approval.approver);
  if (approver === undefined) throw invalid(`${approval.approver} is not on the list of approvers`);
  const asking = askers(rules);
  if (asking.has(approver.id) || asking.has(approver.person)) throw invalid(`${approver.id} is the requester`);
  // The first version of a policy is signed by the approvers that it names itself.
  if (approval.policyVersion !== rules.policy.version) throw invalid(`${approver.id} signed for policy version ${approval.policyVersion}, ${rules.policy.version} is in force`);
  requireSigned(approver, subject, approval);
  if (rules.now !== undefined) {
    if (rules.seenInTime !== true) requireBefore(`approval of ${approver.id}`, approval.notAfter, rules.now);
    requireBefore(`approver ${approver.id}`, approver.notAfter, rules.now);
  }
  return approver;
}

/** Counts approvals that were judged one by one (`requireApproval`). */
export function missingApprovals(approvals: readonly Approval[], rules: Pick<QuorumRules, 'policy' | 'need'>): MissingApprovals {
  const persons = personsOf(approvals, rules);
  const roles = Object.entries(rules.need.roles).flatMap(([role, least]) => {
    const lacking = onPaper(role, approvals, rules) ? 0 : least - [...persons.values()].filter((held) => held.has(role)).length;
    return lacking > 0 ? [[role, lacking] as const] : [];
  });
  return { count: Math.max(0, rules.need.count - persons.size), roles: Object.fromEntries(roles) };
}

/** Person → roles, over all accounts that have approved. */
function personsOf(approvals: readonly Approval[], { policy }: Pick<QuorumRules, 'policy'>): Map<string, Set<string>> {
  const persons = new Map<string, Set<string>>();
  for (const { approver: id } of approvals) {
    const approver = policy.approvers.find((each) => each.id === id);
    if (approver !== undefined) persons.set(approver.person, new Set([...(persons.get(approver.person) ?? []), ...approver.roles]));
  }
  return persons;
}

/** Accounts and persons of whoever asked. */
function askers({ requester, requestedBy, policy }: Omit<QuorumRules, 'need'>): Set<string> {
  const names = [requester, ...(requestedBy === undefined ? [] : [requestedBy])];
  return new Set([...names, ...policy.approvers.filter(({ id }) => names.includes(id)).map(({ person }) => person)]);
}

/** The owner is not a person on the list but a signed paper: two different persons have entered the same number and seen the same scan. */
function onPaper(role: string, approvals: readonly Approval[], { need, policy }: Pick<QuorumRules, 'policy' | 'need'>): boolean {
  if (role !== OWNER_ROLE || need.ownerDocument !== true) return false;
  const entered = new Map<string, Set<string>>();
  for (const { approver, ownerDocument } of approvals) {
    if (ownerDocument === undefined) continue;
    const name = `${ownerDocument.number} ${ownerDocument.digest}`;
    entered.set(name, (entered.get(name) ?? new Set()).add(policy.approvers.find(({ id }) => id === approver)?.person ?? ''));
  }
  return [...entered.values()].some((persons) => persons.size >= PAPER_PERSONS);
}

/** A request within its time and of the policy in force, approved. */
export function requireApproved(request: HsmRequest, approvals: readonly Approval[], rules: QuorumRules & { readonly now: Date }): void {
  if (request.policyVersion !== rules.policy.version) throw invalid(`the request is for policy version ${request.policyVersion}, ${rules.policy.version} is in force`);
  if (rules.now < new Date(request.createdAt)) throw new AppError('APPROVAL_EXPIRED', { what: `request ${request.requestId} is of the future` });
  requireBefore(`request ${request.requestId}`, request.notAfter, rules.now);
  requireQuorum(request, approvals, { ...rules, requestedBy: request.requestedBy });
}

/** A ticket of the policy in force, approved. Its time is judged at each use (`requireTicketTime`), its approvals once. */
export function requireTicketApproved(ticket: Ticket, approvals: readonly Approval[], rules: QuorumRules & { readonly now: Date }): void {
  if (ticket.policyVersion !== rules.policy.version) throw new AppError('TICKET_INVALID', { reason: `it is for policy version ${ticket.policyVersion}, ${rules.policy.version} is in force` });
  requireTicketTime(ticket, rules.now);
  requireQuorum(ticket, approvals, { ...rules, requestedBy: ticket.requestedBy });
}

/** Throws TICKET_EXPIRED. */
export function requireTicketTime(ticket: Ticket, now: Date): void {
  if (now < new Date(ticket.notBefore) || now >= new Date(ticket.notAfter)) throw new AppError('TICKET_EXPIRED', { ticketId: ticket.ticketId });
}

function requireBefore(what: string, notAfter: string, now: Date): void {
  if (now >= new Date(notAfter)) throw new AppError('APPROVAL_EXPIRED', { what });
}

/** In the way that the policy names for the approver, and no other. */
function requireSigned(approver: Approver, subject: object, approval: Approval): void {
  const method = approver.method ?? 'plain';
  if (approval.method !== method) throw invalid(`${approver.id} approves by ${method}, not by ${approval.method}`);
  const fault = approval.method === 'webauthn' ? webauthnFault(approver, subject, approval) : keyFault(approver, subject, approval);
  if (fault !== undefined) throw invalid(`${fault} of ${approver.id}`);
}

function keyFault({ algorithm, publicKey }: Approver, subject: object, approval: Approval): 'signature' | undefined {
  const [spki, bytes, signature] = [fromHex(publicKey), approvalBytes(subject, approval), fromHex(approval.signature)];
  if (algorithm === 'sm2Sm3') return verifySm2(spki, bytes, signature) ? undefined : 'signature';
  const key = p256PublicKey(spki);
  return key !== undefined && readEcdsaSignature(signature) !== undefined && verify('sha256', bytes, key, signature) ? undefined : 'signature';
}

function webauthnFault({ webauthn, publicKey }: Approver, subject: object, approval: Extract<Approval, { method: 'webauthn' }>): AssertionFault | undefined {
  const assertion = { authenticatorData: fromHex(approval.authenticatorData), clientDataJson: fromHex(approval.clientDataJson), signature: fromHex(approval.signature) };
  const challenge = approvalChallenge(approvalBytes(subject, approval));
  return assertionFault(assertion, { challenge, rpId: webauthn?.rpId ?? '', origins: webauthn?.origins ?? [], publicKey: fromHex(publicKey), mayBeBackedUp: false });
}

function invalid(reason: string): AppError {
  return new AppError('APPROVAL_INVALID', { reason });
}
