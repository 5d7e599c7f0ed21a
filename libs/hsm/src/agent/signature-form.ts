import { createHash, type KeyObject, verify } from 'node:crypto';
import { AppError, concatBytes, fromHex } from '#libs/platform/domain';
import { numberOf, signMechanism } from '../domain/mechanisms.js';
import type { VendorProfile } from '../domain/vendor-profile.js';
import type { AsymmetricAlgorithm, KeyId } from '../hsm.js';
import { signatureDer, sm2Digest } from './sm2.js';

/*
 * What C_Sign gets and what leaves the token: the same for the fleet's devices and for a person's UKey.
 */

const RAW_BYTES = 64;
const RSA2048_BYTES = 256;
/** DER of two integers of up to 33 bytes. */
const DER_SIGNATURE_MOST = 72;
/** DER of DigestInfo{SHA-256, NULL} up to the digest (RFC 8017 9.2 note 1). */
const SHA256_DIGEST_INFO = fromHex('3031300D060960864801650304020105000420');

export type Sm2 = Pick<typeof import('#libs/signature'), 'sm2Z' | 'verifySm2'>;

export interface PublicHalf {
  readonly algorithm: AsymmetricAlgorithm;
  readonly spki: Uint8Array;
  readonly publicKey: KeyObject;
}

export interface SignInput {
  /** CKM_… */
  readonly mechanism: string;
  readonly data: Uint8Array;
  /** Bytes of the signature at most. */
  readonly most: number;
}

type KnownKey = Pick<PublicHalf, 'algorithm' | 'spki'>;

/** What C_Sign gets. A device with a small frame gets the digest, which signs to the same bytes. */
const INPUTS: Readonly<Record<AsymmetricAlgorithm, (profile: VendorProfile, key: KnownKey, bytes: Uint8Array, sm2: Sm2 | undefined) => SignInput>> = {
  p256: (profile, _key, bytes) => ({ mechanism: signMechanism(profile, 'p256'), data: createHash('sha256').update(bytes).digest(), most: RAW_BYTES }),
  rsa2048: (profile, _key, bytes) =>
    fits(profile, bytes)
      ? { mechanism: signMechanism(profile, 'rsa2048'), data: bytes, most: RSA2048_BYTES }
      : { mechanism: 'CKM_RSA_PKCS', data: concatBytes(SHA256_DIGEST_INFO, createHash('sha256').update(bytes).digest()), most: RSA2048_BYTES },
  sm2: (profile, { spki }, bytes, sm2) =>
    signMechanism(profile, 'sm2') === 'CKM_SM2_SM3' && (fits(profile, bytes) || numberOf(profile, 'CKM_SM2_RAW') === undefined)
      ? { mechanism: 'CKM_SM2_SM3', data: bytes, most: DER_SIGNATURE_MOST }
      : { mechanism: 'CKM_SM2_RAW', data: sm2Digest(sm2?.sm2Z(spki) as Uint8Array, bytes), most: DER_SIGNATURE_MOST },
};

function fits(profile: VendorProfile, bytes: Uint8Array): boolean {
  return profile.tuning.frameBytesMost === 0 || bytes.length <= profile.tuning.frameBytesMost;
}

/** By the key's algorithm. SM2 needs `sm2`. */
export function signInput(profile: VendorProfile, key: KnownKey, bytes: Uint8Array, sm2: Sm2 | undefined): SignInput {
  return INPUTS[key.algorithm](profile, key, bytes, sm2);
}

/** ECDSA and SM2: DER (RFC 3279 2.2.3, GM/T 0009 7.3). RSA: PKCS#1 v1.5. Throws HSM_ANSWER_WRONG for what does not verify. */
export function releasedSignature(device: string, profile: VendorProfile, key: PublicHalf, item: { readonly keyId: KeyId; readonly bytes: Uint8Array }, answer: Uint8Array, sm2: Sm2 | undefined): Uint8Array {
  const isDer = key.algorithm === 'rsa2048' || (key.algorithm === 'sm2' && profile.sm2SignatureForm === 'der');
  if (!isDer && answer.length !== RAW_BYTES) throw new AppError('HSM_ANSWER_WRONG', { device, what: `signature of ${answer.length} bytes` });
  const signature = isDer ? answer : signatureDer(answer);
  const good = key.algorithm === 'sm2' ? sm2?.verifySm2(key.spki, item.bytes, signature) === true : verify('sha256', item.bytes, key.publicKey, signature);
  if (!good) throw new AppError('HSM_ANSWER_WRONG', { device, what: `signature of ${item.keyId}` });
  return signature;
}
