import { createPublicKey, verify } from 'node:crypto';
import { concatBytes } from '#libs/platform/domain';

export const IDENTITY_NONCE_BYTES = 32;

/** A token's own P-256 pair: SubjectPublicKeyInfo (DER), and r‖s over `identityBytes` of the nonce. */
export interface IdentityProof {
  readonly spki: Uint8Array;
  readonly signature: Uint8Array;
}

/** What the token signs at a login (ECDSA with SHA-256): no other structure of this product begins so. */
export function identityBytes(nonce: Uint8Array): Uint8Array {
  return concatBytes(Buffer.from('hufu/token-identity/1\n', 'utf8'), nonce);
}

/** Whether whoever answered holds the private half of `spki`. False also for a key that does not parse. */
export function identityHolds({ spki, signature }: IdentityProof, nonce: Uint8Array): boolean {
  try {
    const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
    return key.asymmetricKeyType === 'ec' && verify('sha256', identityBytes(nonce), { key, dsaEncoding: 'ieee-p1363' }, signature);
  } catch {
    // A look-alike may answer anything.
    return false;
  }
}
