import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { concatBytes, fromHex, toHex } from '#libs/platform/domain';
import { type Approval, approvalBytes, approvalChallenge, type QuorumPolicy } from '#libs/signature';
import { FAR } from './quorum.js';

type WebauthnApproval = Extract<Approval, { method: 'webauthn' }>;

export const APPROVE_ORIGIN = 'https://approve.hufu.test';
export const APPROVE_RP_ID = 'approve.hufu.test';

/** An approver whose key lives in an authenticator of the test, which counts what it signs. */
export interface WebauthnApprover {
  readonly entry: QuorumPolicy['approvers'][number];
  /** The count that the next signature carries is one higher; a test that sets it plays a copy of the authenticator. */
  count: number;
  approve(subject: object, changes?: Partial<Omit<WebauthnApproval, 'signature' | 'authenticatorData' | 'clientDataJson'>>): WebauthnApproval;
}

/** UP and UV (WebAuthn 6.1). */
const PRESENT_AND_VERIFIED = 0x05;

export function webauthnApprover(id: string, changes: Partial<QuorumPolicy['approvers'][number]> = {}): WebauthnApprover {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const webauthn = { rpId: APPROVE_RP_ID, origins: [APPROVE_ORIGIN], credentialId: toHex(randomBytes(16)), aaguid: '0'.repeat(32) };
  return {
    entry: { id, person: `${id}-person`, roles: [], algorithm: 'p256Sha256', publicKey: toHex(publicKey.export({ type: 'spki', format: 'der' })), notAfter: FAR, method: 'webauthn', webauthn, ...changes },
    count: 0,
    approve(subject, overrides = {}) {
      const terms = { method: 'webauthn' as const, approver: id, nonce: toHex(randomBytes(16)), policyVersion: 1, notAfter: FAR, decision: 'approve' as const, ...overrides };
      const challenge = Buffer.from(approvalChallenge(approvalBytes(subject, terms))).toString('base64url');
      const clientDataJson = toHex(Buffer.from(JSON.stringify({ type: 'webauthn.get', challenge, origin: APPROVE_ORIGIN, crossOrigin: false })));
      const counted = Buffer.alloc(4);
      counted.writeUInt32BE(++this.count);
      const authenticatorData = concatBytes(createHash('sha256').update(APPROVE_RP_ID).digest(), Uint8Array.of(PRESENT_AND_VERIFIED), counted);
      const signature = sign('sha256', concatBytes(authenticatorData, createHash('sha256').update(fromHex(clientDataJson)).digest()), privateKey);
      return { ...terms, authenticatorData: toHex(authenticatorData), clientDataJson, signature: toHex(signature) };
    },
  };
}
