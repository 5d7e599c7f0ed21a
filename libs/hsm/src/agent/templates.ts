import pkcs11js from 'pkcs11js';
import { fromHex } from '#libs/platform/domain';
import { objectLabel } from '../domain/class-rules.js';
import type { KeyClass } from '../domain/key-class.js';
import type { AsymmetricAlgorithm, KeyId, SymmetricAlgorithm } from '../hsm.js';
import type { Attributes } from './token.js';

/*
 * Every key that the agent makes gets one of these templates, and no request can change one. On a module that does not
 * enforce key separation they are the guard: a key with CKA_DERIVE never has another usage.
 */

const NO_USAGE = {
  CKA_ENCRYPT: false,
  CKA_DECRYPT: false,
  CKA_SIGN: false,
  CKA_VERIFY: false,
  CKA_WRAP: false,
  CKA_UNWRAP: false,
  CKA_DERIVE: false,
} as const satisfies Attributes;

/** Attributes in the order of NO_USAGE that an operator reads in an inventory. */
export const USAGES = ['CKA_ENCRYPT', 'CKA_DECRYPT', 'CKA_SIGN', 'CKA_VERIFY', 'CKA_WRAP', 'CKA_UNWRAP', 'CKA_DERIVE'] as const;

export interface SymmetricMechanisms {
  readonly keyType: number;
  readonly generate: number;
  /** CKM_*_ECB_ENCRYPT_DATA. */
  readonly encryptData: number;
  readonly blockBytes: number;
  /** Attributes that fix the length where the key type does not. */
  readonly length: Attributes;
}

export const KEY_BYTES = 16;

export const SYMMETRIC: Readonly<Record<SymmetricAlgorithm, SymmetricMechanisms>> = {
  '3des2': {
    keyType: pkcs11js.CKK_DES2,
    generate: pkcs11js.CKM_DES2_KEY_GEN,
    encryptData: pkcs11js.CKM_DES3_ECB_ENCRYPT_DATA,
    blockBytes: 8,
    length: {},
  },
  aes128: {
    keyType: pkcs11js.CKK_AES,
    generate: pkcs11js.CKM_AES_KEY_GEN,
    encryptData: pkcs11js.CKM_AES_ECB_ENCRYPT_DATA,
    blockBytes: 16,
    length: { CKA_VALUE_LEN: KEY_BYTES },
  },
};

/** A diversification root in the token: DERIVE and nothing else; extractable under a wrap until it is sealed. */
export function rootTemplate(key: { keyId: KeyId; keyClass: KeyClass; label: string }, algorithm: SymmetricAlgorithm): Attributes {
  return {
    ...secret(SYMMETRIC[algorithm].keyType),
    CKA_TOKEN: true,
    CKA_EXTRACTABLE: true,
    CKA_DERIVE: true,
    CKA_ID: fromHex(key.keyId),
    CKA_LABEL: objectLabel(key.keyClass, key.label),
  };
}

/** Session keys of the recipes. All are sensitive; only the last block of a key load is extractable, as C_WrapKey wants it. */
export const SESSION_KEYS = {
  /** A level of the hierarchy, or a key whose session keys are derived. */
  diversifying: (algorithm: SymmetricAlgorithm): Attributes => ({
    ...secret(SYMMETRIC[algorithm].keyType),
    ...SYMMETRIC[algorithm].length,
    CKA_DERIVE: true,
  }),
  /** Makes MACs and authentications: 3DES encryption, nothing else. */
  encrypting: (): Attributes => ({ ...secret(pkcs11js.CKK_DES2), CKA_ENCRYPT: true }),
  /** Encrypts key loads: C_WrapKey, nothing else. */
  wrapping: (): Attributes => ({ ...secret(pkcs11js.CKK_DES2), CKA_WRAP: true }),
  /** The key to load and the blocks around it: a generic secret keeps its bytes, DES2 would get parity bits. */
  loading: (bytes: number, last: boolean): Attributes => ({
    ...secret(pkcs11js.CKK_GENERIC_SECRET),
    CKA_VALUE_LEN: bytes,
    CKA_EXTRACTABLE: true,
    CKA_DERIVE: !last,
  }),
  /** HMAC key of a fingerprint. */
  fingerprinting: (): Attributes => ({ ...secret(pkcs11js.CKK_GENERIC_SECRET), CKA_VALUE_LEN: 32, CKA_SIGN: true }),
  /** The only readable template: so many leading bytes of an encrypted constant. What of it leaves is a check value. */
  readable: (bytes: number): Attributes => ({
    ...secret(pkcs11js.CKK_GENERIC_SECRET),
    CKA_VALUE_LEN: bytes,
    CKA_SENSITIVE: false,
    CKA_EXTRACTABLE: true,
  }),
} as const;

/** Key-encryption keys of a transfer, and the pair that the AES one travels under. All are session objects. */
export const TRANSFER_KEYS = {
  /** Made by the source: leaves wrapped under the target's public key, wraps one key. */
  sourceKek: (): Attributes => ({ ...secret(pkcs11js.CKK_AES), CKA_VALUE_LEN: 32, CKA_EXTRACTABLE: true, CKA_WRAP: true }),
  targetKek: (): Attributes => ({ ...secret(pkcs11js.CKK_AES), CKA_UNWRAP: true }),
  publicKey: (modulus: Uint8Array, exponent: Uint8Array): Attributes => ({
    CKA_CLASS: pkcs11js.CKO_PUBLIC_KEY,
    CKA_KEY_TYPE: pkcs11js.CKK_RSA,
    CKA_TOKEN: false,
    CKA_MODULUS: modulus,
    CKA_PUBLIC_EXPONENT: exponent,
    CKA_ENCRYPT: false,
    CKA_VERIFY: false,
    CKA_WRAP: true,
  }),
  pair: (): { publicKey: Attributes; privateKey: Attributes } => ({
    publicKey: {
      CKA_TOKEN: false,
      CKA_MODULUS_BITS: 2048,
      CKA_PUBLIC_EXPONENT: Uint8Array.of(1, 0, 1),
      CKA_ENCRYPT: false,
      CKA_VERIFY: false,
      CKA_WRAP: true,
    },
    privateKey: {
      CKA_TOKEN: false,
      CKA_PRIVATE: true,
      CKA_SENSITIVE: true,
      CKA_EXTRACTABLE: false,
      CKA_DECRYPT: false,
      CKA_SIGN: false,
      CKA_UNWRAP: true,
    },
  }),
} as const;

interface SigningMechanisms {
  readonly generate: number;
  readonly publicAttributes: Attributes;
  readonly keyType: number;
}

export const SIGNING: Readonly<Record<AsymmetricAlgorithm, SigningMechanisms>> = {
  p256: {
    generate: pkcs11js.CKM_EC_KEY_PAIR_GEN,
    keyType: pkcs11js.CKK_EC,
    // prime256v1, 1.2.840.10045.3.1.7 (RFC 5480 2.1.1.1)
    publicAttributes: { CKA_EC_PARAMS: fromHex('06082A8648CE3D030107') },
  },
  rsa2048: {
    generate: pkcs11js.CKM_RSA_PKCS_KEY_PAIR_GEN,
    keyType: pkcs11js.CKK_RSA,
    publicAttributes: { CKA_MODULUS_BITS: 2048, CKA_PUBLIC_EXPONENT: Uint8Array.of(1, 0, 1) },
  },
};

/** A signing pair in the token: the private half signs and never leaves. */
export function signingTemplates(
  key: { keyId: KeyId; keyClass: KeyClass; label: string },
  algorithm: AsymmetricAlgorithm,
): { publicKey: Attributes; privateKey: Attributes } {
  const named = { CKA_TOKEN: true, CKA_ID: fromHex(key.keyId), CKA_LABEL: objectLabel(key.keyClass, key.label) };
  return {
    publicKey: {
      ...named,
      ...SIGNING[algorithm].publicAttributes,
      CKA_KEY_TYPE: SIGNING[algorithm].keyType,
      CKA_ENCRYPT: false,
      CKA_WRAP: false,
      CKA_VERIFY: true,
    },
    privateKey: {
      ...named,
      CKA_KEY_TYPE: SIGNING[algorithm].keyType,
      CKA_PRIVATE: true,
      CKA_SENSITIVE: true,
      CKA_EXTRACTABLE: false,
      CKA_DECRYPT: false,
      CKA_UNWRAP: false,
      CKA_DERIVE: false,
      CKA_SIGN: true,
    },
  };
}

function secret(keyType: number): Attributes {
  return {
    CKA_CLASS: pkcs11js.CKO_SECRET_KEY,
    CKA_KEY_TYPE: keyType,
    CKA_TOKEN: false,
    CKA_PRIVATE: true,
    CKA_SENSITIVE: true,
    CKA_EXTRACTABLE: false,
    ...NO_USAGE,
  };
}
