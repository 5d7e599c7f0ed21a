import { createHash, verify } from 'node:crypto';
import { AppError, concatBytes, fromHex, type SignPurpose } from '#libs/platform/domain';
import { KEY_CLASSES, type SigningClass } from '../domain/key-class.js';
import { numberOf, signMechanism } from '../domain/mechanisms.js';
import type { RecipeRequest } from '../domain/recipes.js';
import { requireSignStructure } from '../domain/sign-structure.js';
import type { VendorProfile } from '../domain/vendor-profile.js';
import type { AsymmetricAlgorithm, KeyId, SignItem } from '../hsm.js';
import { type BatchWork, withFreshHandles } from './batch-run.js';
import type { SignJob } from './executor.js';
import type { Grant } from './key-lookup.js';
import type { LoadedSigningKey } from './signing-key.js';
import { signatureDer, sm2Digest } from './sm2.js';
import { requireNumber } from './templates.js';

const RAW_BYTES = 64;
const RSA2048_BYTES = 256;
/** DER of two integers of up to 33 bytes. */
const DER_SIGNATURE_MOST = 72;
/** DER of DigestInfo{SHA-256, NULL} up to the digest (RFC 8017 9.2 note 1). */
const SHA256_DIGEST_INFO = fromHex('3031300D060960864801650304020105000420');

/**
 * One C_Sign per item, in parallel over the sessions. All items are checked (class, structure) before the first is signed,
 * so a refused batch has signed nothing. Each signature is verified under the public key before it leaves: a device that
 * computes wrongly is found here.
 */
export async function sign(work: BatchWork, request: RecipeRequest<'sign'>, grant: Grant, online: boolean): Promise<Uint8Array[]> {
  const keyIds = [...new Set(request.items.map(({ keyId }) => keyId))];
  return withFreshHandles(work.directory, keyIds, async () => {
    const loaded = await Promise.all(keyIds.map((keyId) => work.directory.signing(keyId, grant)));
    const keys = new Map(loaded.map((key) => [key.keyId, key]));
    const keyOf = ({ keyId }: SignItem): LoadedSigningKey => keys.get(keyId) as LoadedSigningKey;
    for (const item of request.items) {
      requirePurpose(item.keyId, keyOf(item).keyClass, item.purpose);
      requireSignStructure(item.purpose, item.bytes);
    }
    for (const { algorithm } of loaded) work.token.capabilities.requireSigning('sign', algorithm);
    const sm2 = await sm2For(loaded);
    const signatures = await work.executor.sign(request.items.map((item) => jobFor(work.token.profile, keyOf(item), item.bytes, sm2)), online);
    return request.items.map((item, i) => released(work.token.device, work.token.profile, keyOf(item), item, signatures[i] as Uint8Array, sm2));
  });
}

function requirePurpose(keyId: KeyId, keyClass: SigningClass, purpose: SignPurpose): void {
  const purposes: readonly SignPurpose[] = KEY_CLASSES[keyClass].purposes;
  if (!purposes.includes(purpose)) throw new AppError('KEY_CLASS_MISMATCH', { keyId, keyClass, recipe: `sign ${purpose}` });
}

type Sm2 = Pick<typeof import('#libs/signature'), 'sm2Z' | 'verifySm2'>;

/** SM2 lives in `signature`, which is loaded by those agents alone that have such a key. */
async function sm2For(keys: readonly LoadedSigningKey[]): Promise<Sm2 | undefined> {
  return keys.some(({ algorithm }) => algorithm === 'sm2') ? import('#libs/signature') : undefined;
}

interface ToSign {
  readonly mechanism: string;
  readonly data: Uint8Array;
  readonly most: number;
}

/** What C_Sign gets. A device with a small frame gets the digest, which signs to the same bytes. */
const JOBS: Readonly<Record<AsymmetricAlgorithm, (profile: VendorProfile, key: LoadedSigningKey, bytes: Uint8Array, sm2: Sm2 | undefined) => ToSign>> = {
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

function jobFor(profile: VendorProfile, key: LoadedSigningKey, bytes: Uint8Array, sm2: Sm2 | undefined): SignJob {
  const { mechanism, data, most } = JOBS[key.algorithm](profile, key, bytes, sm2);
  return { handle: key.number, mechanism: requireNumber(profile, mechanism), parameter: undefined, data, signatureBytesMost: most };
}

/** ECDSA and SM2: DER (RFC 3279 2.2.3, GM/T 0009 7.3). RSA: PKCS#1 v1.5. Throws HSM_ANSWER_WRONG for what does not verify. */
function released(device: string, profile: VendorProfile, key: LoadedSigningKey, item: SignItem, answer: Uint8Array, sm2: Sm2 | undefined): Uint8Array {
  const isDer = key.algorithm === 'rsa2048' || (key.algorithm === 'sm2' && profile.sm2SignatureForm === 'der');
  if (!isDer && answer.length !== RAW_BYTES) throw new AppError('HSM_ANSWER_WRONG', { device, what: `signature of ${answer.length} bytes` });
  const signature = isDer ? answer : signatureDer(answer);
  const good = key.algorithm === 'sm2' ? sm2?.verifySm2(key.spki, item.bytes, signature) === true : verify('sha256', item.bytes, key.publicKey, signature);
  if (!good) throw new AppError('HSM_ANSWER_WRONG', { device, what: `signature of ${item.keyId}` });
  return signature;
}
