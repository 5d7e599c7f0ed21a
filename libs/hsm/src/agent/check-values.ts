import pkcs11js from 'pkcs11js';
import { AppError, ascii } from '#libs/platform/domain';
import { FINGERPRINT_BYTES, FINGERPRINT_LABEL, reservedInput } from '../domain/factors.js';
import type { RecipeRequest } from '../domain/recipes.js';
import type { KcvMethod } from '../hsm.js';
import { type DerivingKey, Diversifier, encryptData } from './diversifier.js';
import type { Grant } from './key-lookup.js';
import { SESSION_KEYS, SYMMETRIC } from './templates.js';
import { type Temporaries, type Token, withTemporaries } from './token.js';

const ZERO3_BYTES = 3;
const CMAC5_BYTES = 5;

export function checkValues(token: Token, request: RecipeRequest<'checkValues'>, grant: Grant): Uint8Array[] {
  return withTemporaries(token, (temporaries) => {
    const diversifier = new Diversifier(token, grant, temporaries);
    return request.items.map(({ key, method }) => checkValue(token, diversifier.deriving(key), method));
  });
}

export function fingerprints(token: Token, request: RecipeRequest<'fingerprints'>, grant: Grant): Uint8Array[] {
  return withTemporaries(token, (temporaries) => {
    const diversifier = new Diversifier(token, grant, temporaries);
    return request.keyIds.map((keyId) => fingerprint(token, diversifier.root(keyId)));
  });
}

/** Throws HSM_CAPABILITY_MISSING for a method that the algorithm or the module does not have. */
export function checkValue(token: Token, key: DerivingKey, method: KcvMethod): Uint8Array {
  return withTemporaries(token, (temporaries) => {
    if (method === 'zero3') return leadingBytes(token, temporaries, key, new Uint8Array(SYMMETRIC[key.algorithm].blockBytes), ZERO3_BYTES);
    if (key.algorithm !== 'aes128' || !token.profile.capabilities.cmac5) {
      throw new AppError('HSM_CAPABILITY_MISSING', { device: token.device, recipe: `checkValues (${method}, ${key.algorithm})` });
    }
    // CMAC of one whole block M is E(K, M ⊕ K1) with K1 = dbl(E(K, 0)) (RFC 4493 2.3): made from the same derivation, so the
    // key needs no SIGN. E(K, 0) is read into this process for a moment; it is no key of the hierarchy and never leaves.
    const subkey = double(leadingBytes(token, temporaries, key, new Uint8Array(16), 16));
    const value = leadingBytes(token, temporaries, key, subkey, CMAC5_BYTES);
    subkey.fill(0);
    return value;
  });
}

/** HMAC-SHA-256 under the reserved child (factor 00×8, twice, 32 bytes) over a fixed label, first 16 bytes. */
export function fingerprint(token: Token, root: DerivingKey): Uint8Array {
  return withTemporaries(token, (temporaries) => {
    const key = encryptData(token, temporaries, root, reservedInput(), SESSION_KEYS.fingerprinting());
    return token.sign(key, { mechanism: pkcs11js.CKM_SHA256_HMAC }, ascii(FINGERPRINT_LABEL), 32).slice(0, FINGERPRINT_BYTES);
  });
}

/** The first bytes of E(key, data): a readable child of that length, so that no more of it exists outside the token. */
function leadingBytes(token: Token, temporaries: Temporaries, key: DerivingKey, data: Uint8Array, bytes: number): Uint8Array {
  const value = token.bytes(encryptData(token, temporaries, key, data, SESSION_KEYS.readable(bytes)), 'CKA_VALUE');
  if (value.length !== bytes) throw new AppError('HSM_ANSWER_WRONG', { device: token.device, what: `check value of ${value.length} bytes` });
  return value;
}

/** Doubling in GF(2^128) (RFC 4493 2.3); wipes its input. */
function double(block: Uint8Array): Uint8Array {
  const out = new Uint8Array(16);
  for (let i = 0; i < 16; i++) out[i] = (((block[i] as number) << 1) | ((block[i + 1] ?? 0) >> 7)) & 0xff;
  if ((block[0] as number) >= 0x80) out[15] = (out[15] as number) ^ 0x87;
  block.fill(0);
  return out;
}
