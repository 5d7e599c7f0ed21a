import { AppError, type SignPurpose } from '#libs/platform/domain';
import { KEY_CLASSES, type SigningClass } from '../domain/key-class.js';
import type { RecipeRequest } from '../domain/recipes.js';
import { requireSignStructure } from '../domain/sign-structure.js';
import type { VendorProfile } from '../domain/vendor-profile.js';
import type { KeyId, SignItem } from '../hsm.js';
import { type BatchWork, withFreshHandles } from './batch-run.js';
import type { SignJob } from './executor.js';
import type { Grant } from './key-lookup.js';
import { releasedSignature, signInput, type Sm2 } from './signature-form.js';
import type { LoadedSigningKey } from './signing-key.js';
import { requireNumber } from './templates.js';

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
    return request.items.map((item, i) => releasedSignature(work.token.device, work.token.profile, keyOf(item), item, signatures[i] as Uint8Array, sm2));
  });
}

function requirePurpose(keyId: KeyId, keyClass: SigningClass, purpose: SignPurpose): void {
  const purposes: readonly SignPurpose[] = KEY_CLASSES[keyClass].purposes;
  if (!purposes.includes(purpose)) throw new AppError('KEY_CLASS_MISMATCH', { keyId, keyClass, recipe: `sign ${purpose}` });
}

/** SM2 lives in `signature`, which is loaded by those agents alone that have such a key. */
async function sm2For(keys: readonly LoadedSigningKey[]): Promise<Sm2 | undefined> {
  return keys.some(({ algorithm }) => algorithm === 'sm2') ? import('#libs/signature') : undefined;
}

function jobFor(profile: VendorProfile, key: LoadedSigningKey, bytes: Uint8Array, sm2: Sm2 | undefined): SignJob {
  const { mechanism, data, most } = signInput(profile, key, bytes, sm2);
  return { handle: key.number, mechanism: requireNumber(profile, mechanism), parameter: undefined, data, signatureBytesMost: most };
}
