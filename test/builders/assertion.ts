import { generateKeyPairSync, hash, type KeyObject, randomBytes, sign } from 'node:crypto';
import { ascii, concatBytes, toHex } from '#libs/platform/domain';
import { type Approval, approvalBytes, approvalChallenge, type ApprovalTerms, type Assertion, type QuorumPolicy } from '#libs/signature';
import { FAR } from './quorum.js';

/** What an authenticator would answer; every part can be made wrong before it signs, so that the result is well signed and still refused. */
export interface AssertionParts {
  readonly challenge: Uint8Array;
  readonly rpId: string;
  readonly origin: string;
  readonly privateKey: KeyObject;
  /** UP and UV. */
  readonly flags?: number;
  readonly signCount?: number;
  readonly extensions?: Uint8Array;
  /** Members of the client data beside type, challenge and origin, or in their place. */
  readonly client?: Readonly<Record<string, unknown>>;
}

export const UP_UV = 0x05;

/** WebAuthn 6.1, 5.8.1, 6.3.3. */
export function assertionOf({ challenge, rpId, origin, privateKey, flags = UP_UV, signCount = 1, extensions = new Uint8Array(0), client = {} }: AssertionParts): Assertion {
  const count = Buffer.alloc(4);
  count.writeUInt32BE(signCount);
  const authenticatorData = concatBytes(hash('sha256', rpId, 'buffer'), Uint8Array.of(flags), count, extensions);
  const clientDataJson = ascii(JSON.stringify({ type: 'webauthn.get', challenge: Buffer.from(challenge).toString('base64url'), origin, crossOrigin: false, ...client }));
  return { authenticatorData, clientDataJson, signature: sign('sha256', concatBytes(authenticatorData, hash('sha256', clientDataJson, 'buffer')), privateKey) };
}

export const APPROVE_ORIGIN = 'https://approve.example';
const RP_ID = 'approve.example';

export interface TestAuthenticator {
  readonly entry: QuorumPolicy['approvers'][number];
  approve(subject: object, terms?: Partial<ApprovalTerms>, parts?: Partial<AssertionParts>): Extract<Approval, { method: 'webauthn' }>;
}

/** An approver whose key lives in an authenticator that counts its signatures. */
export function testAuthenticator(id: string, changes: Partial<QuorumPolicy['approvers'][number]> = {}): TestAuthenticator {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const webauthn = { rpId: RP_ID, origins: [APPROVE_ORIGIN], credentialId: toHex(randomBytes(16)), aaguid: '00'.repeat(16) };
  let signCount = 0;
  return {
    entry: { id, person: `${id}-person`, roles: [], algorithm: 'p256Sha256', publicKey: toHex(publicKey.export({ type: 'spki', format: 'der' })), notAfter: FAR, method: 'webauthn', webauthn, ...changes },
    approve(subject, overrides = {}, parts = {}) {
      const terms = { approver: id, nonce: toHex(randomBytes(16)), policyVersion: 1, notAfter: FAR, decision: 'approve' as const, ...overrides, method: 'webauthn' as const };
      const challenge = approvalChallenge(approvalBytes(subject, terms));
      const { authenticatorData, clientDataJson, signature } = assertionOf({ challenge, rpId: RP_ID, origin: APPROVE_ORIGIN, privateKey, signCount: ++signCount, ...parts });
      return { ...terms, authenticatorData: toHex(authenticatorData), clientDataJson: toHex(clientDataJson), signature: toHex(signature) };
    },
  };
}
