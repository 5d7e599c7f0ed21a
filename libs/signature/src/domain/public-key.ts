import { createPublicKey, type KeyObject } from 'node:crypto';

/** The P-256 key of a SubjectPublicKeyInfo. Undefined for anything else: a verdict about what was listed, not a failure of this process. */
export function p256PublicKey(spki: Uint8Array): KeyObject | undefined {
  try {
    const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
    return key.asymmetricKeyDetails?.namedCurve === 'prime256v1' ? key : undefined;
  } catch {
    return undefined;
  }
}
