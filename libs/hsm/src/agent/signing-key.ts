import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { FINGERPRINT_BYTES } from '../domain/factors.js';
import type { SigningClass } from '../domain/key-class.js';
import type { AsymmetricAlgorithm, KeyId } from '../hsm.js';
import { findSigningKey, type FoundKey, type Grant } from './key-lookup.js';
import { readPublicKey } from './public-keys.js';
import { handleNumber, type Token } from './token.js';

export interface LoadedSigningKey extends FoundKey {
  readonly number: bigint;
  readonly keyClass: SigningClass;
  readonly algorithm: AsymmetricAlgorithm;
  readonly spki: Uint8Array;
  readonly publicKey: KeyObject;
}

/**
 * The pair under this CKA_ID. Its public half is its fingerprint (SHA-256 of the SPKI, 16 bytes): each signature is verified
 * with it before it leaves.
 */
export function loadSigningKey(token: Token, keyId: KeyId, grant: Grant): { key: LoadedSigningKey; fingerprint: Uint8Array } {
  const found = findSigningKey(token, keyId, grant);
  const { algorithm, spki } = readPublicKey(token, keyId);
  const publicKey = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  return {
    key: { ...found, keyClass: found.keyClass as SigningClass, number: handleNumber(found.handle), algorithm, spki, publicKey },
    fingerprint: createHash('sha256').update(spki).digest().subarray(0, FINGERPRINT_BYTES),
  };
}
