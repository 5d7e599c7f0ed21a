import pkcs11js, { type Handle, type KeyPair, type Mechanism } from 'pkcs11js';
import { fromHex } from '#libs/platform/domain';
import { SHARE_BYTES, SHARE_CHECK_BYTES, SHARE_CHECK_LABEL, type EscrowHeader, escrowData, shareCheckData, type ShareAlgorithm } from '../domain/escrow.js';
import { SHARE_TRANSPORT } from '../domain/mechanisms.js';
import type { VendorProfile } from '../domain/vendor-profile.js';
import { native } from './native.js';
import { requireNumber, secret } from './templates.js';
import { asBuffer, type Attributes, imposed, type Temporaries, type Token } from './token.js';
import { OAEP_SHA1 } from './transfer.js';

/** 128 bits of strength for keys that lie in safes for years (NIST SP 800-57 part 1, table 2). */
const ESCROW_RSA_BITS = 3072;
const HMAC_BYTES = 32;

/** Session keys of a split and of a recovery. All are sensitive; no request changes one. */
export const ESCROW_KEYS = {
  /** Where it is made: leaves wrapped to a trusted key alone, and is joined with others. */
  freshShare: (): Attributes => ({ ...secret(pkcs11js.CKK_GENERIC_SECRET), CKA_VALUE_LEN: SHARE_BYTES, CKA_EXTRACTABLE: true, CKA_WRAP_WITH_TRUSTED: true, CKA_DERIVE: true }),
  /** In a custodian's token: leaves wrapped to a trusted key alone, and does nothing. */
  heldShare: (): Attributes => ({ ...secret(pkcs11js.CKK_GENERIC_SECRET), ...HELD_SHARE_FLAGS }),
  /** In the target: never leaves, is joined with others. */
  returnedShare: (): Attributes => ({ ...secret(pkcs11js.CKK_GENERIC_SECRET), ...RETURNED_SHARE_FLAGS }),
  joined: (): Attributes => ({ ...secret(pkcs11js.CKK_GENERIC_SECRET), CKA_DERIVE: true }),
  wrapping: (): Attributes => ({ ...secret(pkcs11js.CKK_AES), CKA_VALUE_LEN: 32, CKA_WRAP: true }),
  unwrapping: (): Attributes => ({ ...secret(pkcs11js.CKK_AES), CKA_VALUE_LEN: 32, CKA_UNWRAP: true }),
  checking: (): Attributes => ({ ...secret(pkcs11js.CKK_GENERIC_SECRET), CKA_VALUE_LEN: 32, CKA_SIGN: true }),
} as const;

const NO_USE = { CKA_TOKEN: false, CKA_ENCRYPT: false, CKA_DECRYPT: false, CKA_SIGN: false, CKA_VERIFY: false, CKA_WRAP: false, CKA_UNWRAP: false } as const;
/** What a custodian's escrow key imposes on whatever is unwrapped with it. */
export const HELD_SHARE_FLAGS = { ...NO_USE, CKA_SENSITIVE: true, CKA_EXTRACTABLE: true, CKA_WRAP_WITH_TRUSTED: true, CKA_DERIVE: false } as const;
/** What the key of a recovery imposes. */
export const RETURNED_SHARE_FLAGS = { ...NO_USE, CKA_SENSITIVE: true, CKA_EXTRACTABLE: false, CKA_DERIVE: true } as const;

/** How a share is wrapped and unwrapped. */
export function shareMechanism(profile: VendorProfile, algorithm: ShareAlgorithm): Mechanism {
  return algorithm === 'rsaOaep' ? OAEP_SHA1 : { mechanism: requireNumber(profile, SHARE_TRANSPORT[algorithm].wrap) };
}

/**
 * A pair in the token whose private half unwraps shares and nothing else, by this one mechanism: PKCS#1 v1.5 beside it would be an oracle
 * for the same ciphertexts.
 */
export function makeSharePair(token: Token, algorithm: ShareAlgorithm, named: { readonly id: Uint8Array; readonly label: string }, flags: Readonly<Record<string, boolean>>): KeyPair {
  const { keyType, generate } = SHARE_TRANSPORT[algorithm];
  const type = requireNumber(token.profile, keyType);
  const own = { CKA_TOKEN: true, CKA_ID: named.id, CKA_LABEL: named.label, CKA_KEY_TYPE: type };
  const mechanism = Buffer.alloc(8);
  mechanism.writeBigUInt64LE(BigInt(shareMechanism(token.profile, algorithm).mechanism));
  return token.generateKeyPair(
    requireNumber(token.profile, generate),
    { ...own, ...PUBLIC[algorithm], CKA_ENCRYPT: false, CKA_VERIFY: false, CKA_WRAP: true },
    {
      ...own, CKA_PRIVATE: true, CKA_SENSITIVE: true, CKA_EXTRACTABLE: false, CKA_DECRYPT: false, CKA_SIGN: false, CKA_DERIVE: false, CKA_UNWRAP: true,
      CKA_ALLOWED_MECHANISMS: new Uint8Array(mechanism), CKA_UNWRAP_TEMPLATE: imposed(flags),
    },
  );
}

const PUBLIC: Readonly<Record<ShareAlgorithm, Attributes>> = {
  rsaOaep: { CKA_MODULUS_BITS: ESCROW_RSA_BITS, CKA_PUBLIC_EXPONENT: Uint8Array.of(1, 0, 1) },
  sm2: { CKA_EC_PARAMS: fromHex('06082A811CCF5501822D') },
};

/** K_S, inside: data ‖ K_a ‖ K_b ‖ … joined and hashed. `shares` in ascending order of their custodians. */
export function subsetKey(token: Token, kept: Temporaries, of: { readonly rootId: string; readonly splitId: string }, subset: readonly number[], shares: readonly Handle[], use: 'wrapping' | 'unwrapping'): Handle {
  return hashed(token, kept, escrowData(of, subset), shares, ESCROW_KEYS[use]());
}

/** By what a share is known: 16 bytes. */
export function shareCheck(token: Token, kept: Temporaries, header: EscrowHeader, custodian: number, share: Handle): Uint8Array {
  const key = hashed(token, kept, shareCheckData(header, custodian), [share], ESCROW_KEYS.checking());
  return token.sign(key, requireNumber(token.profile, 'CKM_SHA256_HMAC'), SHARE_CHECK_LABEL, HMAC_BYTES).subarray(0, SHARE_CHECK_BYTES);
}

function hashed(token: Token, kept: Temporaries, data: Uint8Array, keys: readonly Handle[], template: Attributes): Handle {
  const number = (name: string): number => requireNumber(token.profile, name);
  const [first, ...others] = keys as [Handle, ...Handle[]];
  const mechanism = { mechanism: number('CKM_CONCATENATE_DATA_AND_BASE'), parameter: asBuffer(native.stringData(data)) };
  let joined = kept.keep(token.derive(first, mechanism, ESCROW_KEYS.joined()));
  for (const other of others) {
    joined = kept.keep(token.derive(joined, { mechanism: number('CKM_CONCATENATE_BASE_AND_KEY'), parameter: other }, ESCROW_KEYS.joined()));
  }
  return kept.keep(token.derive(joined, { mechanism: number('CKM_SHA256_KEY_DERIVATION') }, template));
}
