import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';
import pkcs11js, { type Handle } from 'pkcs11js';
import { AppError, derSequence, derUnsigned, type SignPurpose } from '#libs/platform/domain';
import { KEY_CLASSES, type SigningClass } from '../domain/key-class.js';
import type { RecipeRequest } from '../domain/recipes.js';
import { requireSignStructure } from '../domain/sign-structure.js';
import type { AsymmetricAlgorithm, KeyId, SignItem } from '../hsm.js';
import { findSigningKey, type Grant } from './key-lookup.js';
import { readPublicKey } from './public-keys.js';
import type { Token } from './token.js';

const P256_SIGNATURE_BYTES = 64;
const RSA2048_SIGNATURE_BYTES = 256;

interface SigningKey {
  readonly handle: Handle;
  readonly keyClass: SigningClass;
  readonly algorithm: AsymmetricAlgorithm;
  readonly publicKey: KeyObject;
}

/**
 * One C_Sign per item. All items are checked (class, structure) before the first is signed, so a refused batch has signed
 * nothing. Each signature is verified under the public key before it leaves: a device that computes wrongly is found here.
 */
export function sign(token: Token, request: RecipeRequest<'sign'>, grant: Grant): Uint8Array[] {
  const keys = new Map<KeyId, SigningKey>();
  for (const { keyId, purpose, bytes } of request.items) {
    if (!keys.has(keyId)) keys.set(keyId, loadSigningKey(token, keyId, grant));
    requirePurpose(keyId, (keys.get(keyId) as SigningKey).keyClass, purpose);
    requireSignStructure(purpose, bytes);
  }
  return request.items.map((item) => signOne(token, keys.get(item.keyId) as SigningKey, item));
}

function loadSigningKey(token: Token, keyId: KeyId, grant: Grant): SigningKey {
  const { handle, keyClass } = findSigningKey(token, keyId, grant);
  const { algorithm, spki } = readPublicKey(token, keyId);
  const publicKey = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  return { handle, keyClass: keyClass as SigningClass, algorithm, publicKey };
}

function requirePurpose(keyId: KeyId, keyClass: SigningClass, purpose: SignPurpose): void {
  const purposes: readonly SignPurpose[] = KEY_CLASSES[keyClass].purposes;
  if (!purposes.includes(purpose)) throw new AppError('KEY_CLASS_MISMATCH', { keyId, keyClass, recipe: `sign ${purpose}` });
}

function signOne(token: Token, key: SigningKey, item: SignItem): Uint8Array {
  const signature = key.algorithm === 'p256' ? signP256(token, key.handle, item.bytes) : signRsa(token, key.handle, item.bytes);
  if (!verify('sha256', item.bytes, key.publicKey, signature)) {
    throw new AppError('HSM_ANSWER_WRONG', { device: token.device, what: `signature of ${item.keyId}` });
  }
  return signature;
}

/** Raw r ‖ s of CKM_ECDSA becomes Ecdsa-Sig-Value (RFC 3279 2.2.3). */
function signP256(token: Token, key: Handle, bytes: Uint8Array): Uint8Array {
  const digest = createHash('sha256').update(bytes).digest();
  const raw = token.sign(key, { mechanism: pkcs11js.CKM_ECDSA }, digest, P256_SIGNATURE_BYTES);
  if (raw.length !== P256_SIGNATURE_BYTES) throw new AppError('HSM_ANSWER_WRONG', { device: token.device, what: `signature of ${raw.length} bytes` });
  return derSequence(derUnsigned(raw.subarray(0, 32)), derUnsigned(raw.subarray(32)));
}

function signRsa(token: Token, key: Handle, bytes: Uint8Array): Uint8Array {
  return token.sign(key, { mechanism: pkcs11js.CKM_SHA256_RSA_PKCS }, bytes, RSA2048_SIGNATURE_BYTES);
}
