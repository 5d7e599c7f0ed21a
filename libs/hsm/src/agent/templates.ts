import pkcs11js from 'pkcs11js';
import { AppError, fromHex } from '#libs/platform/domain';
import { objectLabel } from '../domain/class-rules.js';
import type { KeyClass } from '../domain/key-class.js';
import { numberOf, SIGNING_NAMES, SYMMETRIC_NAMES } from '../domain/mechanisms.js';
import type { VendorProfile } from '../domain/vendor-profile.js';
import type { AsymmetricAlgorithm, KeyId, SymmetricAlgorithm } from '../hsm.js';
import type { Attributes } from './token.js';

/*
 * Every key that set-up makes gets one of these templates, and no request can change one; the session keys of the recipes
 * have theirs in native/src/keys.cpp. On a module that does not enforce key separation they are the guard: a key with
 * CKA_DERIVE never has another usage.
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

export const KEY_BYTES = 16;

/** The number of a name that the capabilities have shown to exist. Throws INTERNAL otherwise: a mistake of the program. */
export function requireNumber(profile: VendorProfile, name: string): number {
  const number = numberOf(profile, name);
  if (number === undefined) throw new AppError('INTERNAL', { requestId: `${profile.name}: no number of ${name}` });
  return number;
}

/** Mechanism and template extra of C_GenerateKey for a root. */
export function generation(profile: VendorProfile, algorithm: SymmetricAlgorithm): { mechanism: number; length: Attributes } {
  const { generate, valueLength } = SYMMETRIC_NAMES[algorithm];
  return { mechanism: requireNumber(profile, generate), length: valueLength === 0 ? {} : { CKA_VALUE_LEN: valueLength } };
}

/** A diversification root in the token: DERIVE and nothing else; extractable under a wrap until it is sealed. */
export function rootTemplate(profile: VendorProfile, key: { keyId: KeyId; keyClass: KeyClass; label: string }, algorithm: SymmetricAlgorithm): Attributes {
  return {
    ...secret(requireNumber(profile, SYMMETRIC_NAMES[algorithm].keyType)),
    CKA_TOKEN: true,
    CKA_EXTRACTABLE: true,
    CKA_DERIVE: true,
    CKA_ID: fromHex(key.keyId),
    CKA_LABEL: objectLabel(key.keyClass, key.label),
  };
}

/** Published test keys of the known answers, as session objects with one usage each. */
export function testKeyTemplate(profile: VendorProfile, algorithm: SymmetricAlgorithm, usage: 'CKA_DERIVE' | 'CKA_ENCRYPT' | 'CKA_WRAP', value: Uint8Array): Attributes {
  return { ...secret(requireNumber(profile, SYMMETRIC_NAMES[algorithm].keyType)), [usage]: true, CKA_VALUE: value };
}

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

const PUBLIC_ATTRIBUTES: Readonly<Record<AsymmetricAlgorithm, Attributes>> = {
  // prime256v1, 1.2.840.10045.3.1.7 (RFC 5480 2.1.1.1)
  p256: { CKA_EC_PARAMS: fromHex('06082A8648CE3D030107') },
  rsa2048: { CKA_MODULUS_BITS: 2048, CKA_PUBLIC_EXPONENT: Uint8Array.of(1, 0, 1) },
  // sm2p256v1, 1.2.156.10197.1.301 (GM/T 0006)
  sm2: { CKA_EC_PARAMS: fromHex('06082A811CCF5501822D') },
};

/** A signing pair in the token: the private half signs and never leaves. */
export function signingTemplates(
  profile: VendorProfile,
  key: { keyId: KeyId; keyClass: KeyClass; label: string },
  algorithm: AsymmetricAlgorithm,
): { publicKey: Attributes; privateKey: Attributes } {
  const named = { CKA_TOKEN: true, CKA_ID: fromHex(key.keyId), CKA_LABEL: objectLabel(key.keyClass, key.label) };
  const keyType = requireNumber(profile, SIGNING_NAMES[algorithm].keyType);
  return {
    publicKey: {
      ...named,
      ...PUBLIC_ATTRIBUTES[algorithm],
      CKA_KEY_TYPE: keyType,
      CKA_ENCRYPT: false,
      CKA_WRAP: false,
      CKA_VERIFY: true,
    },
    privateKey: {
      ...named,
      CKA_KEY_TYPE: keyType,
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

export function secret(keyType: number): Attributes {
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
