import { hash } from 'node:crypto';
import { z } from 'zod';
import { ascii, canonicalJson, concatBytes, type JsonValue } from '#libs/platform/domain';

/*
 * What approvers sign before a privileged recipe runs, and what the supervisor checks again where the key is used. All of it is
 * canonical JSON (RFC 8785): one content, one sequence of bytes. Numbers are small; serials and identifiers are strings.
 */

const identifier = z.string().regex(/^[0-9A-F]{32}$/, '32 upper-case hex characters');
const digest = z.string().regex(/^[0-9A-F]{64}$/, 'SHA-256 as upper-case hex');
const name = z.string().min(1).max(64).regex(/^[\w.@:-]+$/, 'letters, digits and . _ @ : -');
const moment = z.iso.datetime({ precision: 3 });
const hexBytes = (most: number) => z.string().max(2 * most).regex(/^([0-9A-F]{2})+$/, 'upper-case hex');

/** One privileged act, described so that a person can judge it and a machine can compare it with what would be done. */
export const HsmRequest = z.strictObject({
  format: z.literal('hufu/request/1'),
  requestId: identifier,
  /** The client of the supervisor that asks. It never counts as an approver. */
  requester: name,
  /** The operator who asked for it, where one did. Neither this account nor another one of the same person counts as an approver. */
  requestedBy: name.optional(),
  recipe: name,
  /** Where it may run: the device and the serial number of its token. */
  devices: z.array(z.strictObject({ device: name, tokenSerial: z.string().max(32) })).max(64),
  keys: z.array(identifier).max(256),
  /** What exactly: class, algorithm, label; digests of what is to be signed. Flat, so that it can be shown as a list. */
  parameters: z.record(name, z.union([z.string().max(1024), z.array(z.string().max(256)).max(1024)])),
  policyVersion: z.int().min(1),
  createdAt: moment,
  notAfter: moment,
});
export type HsmRequest = z.infer<typeof HsmRequest>;

/** n approvals buy `count` routine operations of one recipe with these keys, for one line, until a moment. */
export const Ticket = z.strictObject({
  format: z.literal('hufu/ticket/1'),
  ticketId: identifier,
  /** The client of the supervisor that may spend it. */
  line: name,
  requestedBy: name.optional(),
  recipe: name,
  keys: z.array(identifier).min(1).max(256),
  count: z.int().min(1).max(1_000_000_000),
  notBefore: moment,
  notAfter: moment,
  policyVersion: z.int().min(1),
});
export type Ticket = z.infer<typeof Ticket>;

/** 批件: the owner's consent on paper. Two persons have each entered its number and looked at the scan with this digest. */
export const OwnerDocument = z.strictObject({ number: z.string().min(1).max(64).regex(/^[\p{L}\p{N}()（）〔〕【】\-/._ ]+$/u, 'letters, digits, brackets, - / . _'), digest });
export type OwnerDocument = z.infer<typeof OwnerDocument>;

/** What every approval says, however it was signed. */
const terms = {
  approver: name,
  nonce: identifier,
  policyVersion: z.int().min(1),
  notAfter: moment,
  decision: z.literal('approve'),
  ownerDocument: OwnerDocument.optional(),
};
/** ECDSA as DER (RFC 3279 2.2.3), SM2 as SM2Signature (GM/T 0009); over `approvalBytes`. */
const signature = hexBytes(80);

/**
 * How an approval was made: `plain` with a key of its own at a terminal, `ukey` inside a UKey, `webauthn` by a credential that serves
 * approvals alone. The policy names one way for each approver.
 */
export const Approval = z.discriminatedUnion('method', [
  z.strictObject({ method: z.literal('plain'), ...terms, signature }),
  z.strictObject({ method: z.literal('ukey'), ...terms, signature }),
  z.strictObject({
    method: z.literal('webauthn'),
    ...terms,
    /** As the authenticator and the browser gave them (WebAuthn 6.1, 5.8.1). */
    authenticatorData: hexBytes(1024),
    clientDataJson: hexBytes(2048),
    /** Over authenticatorData ‖ SHA-256(clientDataJson), whose challenge is `approvalChallenge`. */
    signature,
  }),
]);
export type Approval = z.infer<typeof Approval>;
export type PlainApproval = Extract<Approval, { method: 'plain' }>;
export type ApprovalMethod = Approval['method'];
/** What is fixed before the signature. */
export type ApprovalTerms = Pick<Approval, 'method' | keyof typeof terms>;

/** What a client sends along: the subject as the approvers saw it, and their signatures. */
export const Authorisation = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('approvals'), request: HsmRequest, approvals: z.array(Approval).max(32) }),
  z.strictObject({ kind: z.literal('ticket'), ticket: Ticket, approvals: z.array(Approval).max(32) }),
  /** A ticket that was taken before: digest of ticket and approvals (`ticketDigest`). */
  z.strictObject({ kind: z.literal('ticketDigest'), digest }),
]);
export type Authorisation = z.infer<typeof Authorisation>;

/** A request, a ticket or a policy: whatever a quorum signs. */
export type Subject = JsonValue;

export function subjectDigest(subject: object): string {
  return hash('sha256', canonicalJson(subject as Subject), 'hex').toUpperCase();
}

/** What a ticket that was shown once may be called by. */
export function ticketDigest({ ticket, approvals }: { readonly ticket: Ticket; readonly approvals: readonly Approval[] }): string {
  return subjectDigest({ ticket, approvals });
}

/** The bytes that an approver signs. They name the subject by its digest, the approver, a nonce, the policy and an expiry. */
export function approvalBytes(subject: object, approval: ApprovalTerms): Uint8Array {
  const { approver, nonce, policyVersion, notAfter, decision, method, ownerDocument } = approval;
  return canonicalJson({
    format: 'hufu/approval/1',
    subject: subjectDigest(subject),
    ...{ approver, nonce, policyVersion, notAfter, decision, method },
    ...(ownerDocument === undefined ? {} : { ownerDocument }),
  });
}

/** What an authenticator signs in place of the bytes: SHA-256("hufu/approve/v1" ‖ approvalBytes). */
export function approvalChallenge(bytes: Uint8Array): Uint8Array {
  return hash('sha256', concatBytes(ascii('hufu/approve/v1'), bytes), 'buffer');
}

export { digest as digestSchema, identifier as identifierSchema, moment as momentSchema, name as nameSchema };
