import type { AsymmetricAlgorithm, SymmetricAlgorithm } from './algorithms.js';
import type { ShareAlgorithm } from './escrow.js';
import type { VendorProfile } from './vendor-profile.js';

/** Numbers of PKCS#11 v2.40 that the agent uses. A profile may say otherwise; the GM ones are in profiles alone. */
const STANDARD: Readonly<Record<string, number>> = {
  CKK_RSA: 0x00,
  CKK_EC: 0x03,
  CKK_GENERIC_SECRET: 0x10,
  CKK_DES2: 0x14,
  CKK_AES: 0x1f,
  CKM_RSA_PKCS_KEY_PAIR_GEN: 0x0000,
  CKM_RSA_PKCS: 0x0001,
  CKM_RSA_PKCS_OAEP: 0x0009,
  CKM_SHA256_RSA_PKCS: 0x0040,
  CKM_DES2_KEY_GEN: 0x0130,
  CKM_DES3_ECB: 0x0132,
  CKM_DES3_CBC: 0x0133,
  CKM_SHA256_HMAC: 0x0251,
  CKM_GENERIC_SECRET_KEY_GEN: 0x0350,
  CKM_CONCATENATE_BASE_AND_KEY: 0x0360,
  CKM_CONCATENATE_BASE_AND_DATA: 0x0362,
  CKM_CONCATENATE_DATA_AND_BASE: 0x0363,
  CKM_SHA256_KEY_DERIVATION: 0x0393,
  CKM_EC_KEY_PAIR_GEN: 0x1040,
  CKM_ECDSA: 0x1041,
  CKM_AES_KEY_GEN: 0x1080,
  CKM_AES_ECB: 0x1081,
  CKM_AES_CBC: 0x1082,
  CKM_DES3_ECB_ENCRYPT_DATA: 0x1102,
  CKM_AES_ECB_ENCRYPT_DATA: 0x1104,
  CKM_AES_KEY_WRAP: 0x2109,
};

/** The number of a CKK_* or CKM_* name on this module; undefined where the vendor has none. */
export function numberOf(profile: VendorProfile, name: string): number | undefined {
  const own = profile.numbers[name];
  return own === undefined ? STANDARD[name] : Number(own);
}

export interface SymmetricNames {
  readonly keyType: string;
  readonly generate: string;
  readonly encryptData: string;
  readonly ecb: string;
  readonly cbc: string;
  readonly blockBytes: 8 | 16;
  /** CKA_VALUE_LEN in templates, where the key type does not fix it; 0 = none. */
  readonly valueLength: 0 | 16;
}

export const SYMMETRIC_NAMES: Readonly<Record<SymmetricAlgorithm, SymmetricNames>> = {
  '3des2': {
    keyType: 'CKK_DES2', generate: 'CKM_DES2_KEY_GEN', encryptData: 'CKM_DES3_ECB_ENCRYPT_DATA', ecb: 'CKM_DES3_ECB', cbc: 'CKM_DES3_CBC', blockBytes: 8, valueLength: 0,
  },
  aes128: {
    keyType: 'CKK_AES', generate: 'CKM_AES_KEY_GEN', encryptData: 'CKM_AES_ECB_ENCRYPT_DATA', ecb: 'CKM_AES_ECB', cbc: 'CKM_AES_CBC', blockBytes: 16, valueLength: 16,
  },
  sm4: {
    keyType: 'CKK_SM4', generate: 'CKM_SM4_KEY_GEN', encryptData: 'CKM_SM4_ECB_ENCRYPT_DATA', ecb: 'CKM_SM4_ECB', cbc: 'CKM_SM4_CBC', blockBytes: 16, valueLength: 0,
  },
};

export interface SigningNames {
  readonly keyType: string;
  readonly generate: string;
}

export const SIGNING_NAMES: Readonly<Record<AsymmetricAlgorithm, SigningNames>> = {
  p256: { keyType: 'CKK_EC', generate: 'CKM_EC_KEY_PAIR_GEN' },
  rsa2048: { keyType: 'CKK_RSA', generate: 'CKM_RSA_PKCS_KEY_PAIR_GEN' },
  sm2: { keyType: 'CKK_SM2', generate: 'CKM_SM2_KEY_PAIR_GEN' },
};

/** The mechanism that signs the bytes themselves or what the agent has made of them. */
export function signMechanism(profile: VendorProfile, algorithm: AsymmetricAlgorithm): string {
  if (algorithm === 'sm2') return profile.sm2Sign === 'raw' ? 'CKM_SM2_RAW' : 'CKM_SM2_SM3';
  return algorithm === 'p256' ? 'CKM_ECDSA' : 'CKM_SHA256_RSA_PKCS';
}

/** How a share of an escrow travels: type and making of the pair, wrapping under its public half, and the longest wrapped share. */
export const SHARE_TRANSPORT: Readonly<Record<ShareAlgorithm, { readonly keyType: string; readonly generate: string; readonly wrap: string; readonly bytesMost: number }>> = {
  rsaOaep: { keyType: 'CKK_RSA', generate: 'CKM_RSA_PKCS_KEY_PAIR_GEN', wrap: 'CKM_RSA_PKCS_OAEP', bytesMost: 512 },
  sm2: { keyType: 'CKK_SM2', generate: 'CKM_SM2_KEY_PAIR_GEN', wrap: 'CKM_SM2_ENCRYPT', bytesMost: 160 },
};
