import { createPrivateKey, type KeyObject, randomBytes, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { toHex } from '#libs/platform/domain';
import { approvalBytes, type HsmRequest, type PlainApproval, type Ticket } from '#libs/signature';

export const later = (minutes: number): string => new Date(Date.now() + minutes * 60_000).toISOString();
export const newId = (): string => toHex(randomBytes(16));

/** A request of client `service` that asks for what `changes` say, in time and of policy version 1. */
export function hsmRequest(changes: Partial<HsmRequest>): HsmRequest {
  return {
    format: 'hufu/request/1', requestId: newId(), requester: 'service', recipe: 'generateKey', devices: [], keys: [], parameters: {},
    policyVersion: 1, createdAt: later(-1), notAfter: later(10), ...changes,
  };
}

/** A ticket of client `service` for 100 operations, in time and of policy version 1. */
export function hsmTicket(changes: Partial<Ticket>): Ticket {
  return { format: 'hufu/ticket/1', ticketId: newId(), line: 'service', recipe: 'purchaseMacs', keys: [newId()], count: 100, notBefore: later(-1), notAfter: later(10), policyVersion: 1, ...changes };
}

/** The private key of a rehearsal approver. Only a test that plays a dishonest approver takes it from its file. */
export function stolenKey(rigDir: string, approver: string): KeyObject {
  return createPrivateKey(readFileSync(join(rigDir, 'approvers', `${approver}.pem`)));
}

/** An approval that is well signed by `key`, whatever it says. */
export function signedApproval(key: KeyObject, subject: object, says: Partial<Omit<PlainApproval, 'signature'>>): PlainApproval {
  const approval = { method: 'plain' as const, approver: 'rehearsal-1', nonce: newId(), policyVersion: 1, notAfter: later(10), decision: 'approve' as const, ...says };
  return { ...approval, signature: toHex(sign('sha256', approvalBytes(subject, approval), key)) };
}
