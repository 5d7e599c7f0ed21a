import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { DER, DerCursor, derNull, derOid, derSequence } from '#libs/platform/domain';
import { OID } from './oids.js';

/** Key algorithms that this product certifies. */
export const KEY_ALGORITHMS = ['p256', 'rsa2048'] as const;
export type KeyAlgorithm = (typeof KEY_ALGORITHMS)[number];

interface SignatureForm {
  readonly oid: string;
  readonly identifier: Uint8Array;
}

/** How a key of each algorithm signs: RFC 5758 3.2 (no parameters) and RFC 4055 5 (NULL parameters), both over SHA-256. */
export const SIGNATURE_FORMS: Record<KeyAlgorithm, SignatureForm> = {
  p256: { oid: OID.ecdsaWithSha256, identifier: derSequence(derOid(OID.ecdsaWithSha256)) },
  rsa2048: { oid: OID.sha256WithRsa, identifier: derSequence(derOid(OID.sha256WithRsa), derNull()) },
};
const ALGORITHM_OF_SIGNATURE = new Map(Object.entries(SIGNATURE_FORMS).map(([name, form]) => [form.oid, name as KeyAlgorithm]));

/** A public key that was looked at: on its curve, of a size that is certified. */
export interface PublicKey {
  readonly algorithm: KeyAlgorithm;
  readonly key: KeyObject;
}

/** Reads a SubjectPublicKeyInfo; undefined when it is malformed or of an algorithm or size that is not certified. */
export function readPublicKey(spki: Uint8Array): PublicKey | undefined {
  let key: KeyObject;
  try {
    key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  } catch {
    return undefined;
  }
  const details = key.asymmetricKeyDetails;
  if (key.asymmetricKeyType === 'ec' && details?.namedCurve === 'prime256v1') return { algorithm: 'p256', key };
  const exponent = details?.publicExponent ?? 0n;
  if (key.asymmetricKeyType === 'rsa' && details?.modulusLength === 2048 && exponent >= 65_537n && exponent % 2n === 1n) {
    return { algorithm: 'rsa2048', key };
  }
  return undefined;
}

/** Verifies a SHA-256 signature under the algorithm that the structure names; every fault is false. */
export function verifySignature(publicKey: PublicKey, signatureOid: string, bytes: Uint8Array, signature: Uint8Array): boolean {
  if (ALGORITHM_OF_SIGNATURE.get(signatureOid) !== publicKey.algorithm) return false;
  try {
    return verify('sha256', bytes, publicKey.key, signature);
  } catch {
    return false;
  }
}

/** RFC 5280 4.2.1.2 method 1: SHA-1 of the BIT STRING's octets. An identifier, not a protection. */
export function keyIdentifier(spki: Uint8Array, hash: 'sha1' | 'sha256' = 'sha1'): Uint8Array {
  const info = DerCursor.whole(spki);
  info.take(DER.sequence);
  return createHash(hash).update(info.bitString()).digest();
}
