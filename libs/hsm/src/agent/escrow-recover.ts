import pkcs11js, { type Handle } from 'pkcs11js';
import { AppError, fromHex, toHex } from '#libs/platform/domain';
import { classOfLabel } from '../domain/class-rules.js';
import { type EscrowPackage, type EscrowTarget, headerOf, keyDigestOf, requireWhole, type ShareAlgorithm, spokenFingerprint, wrappedRootFor } from '../domain/escrow.js';
import type { KeyClass } from '../domain/key-class.js';
import { SHARE_TRANSPORT } from '../domain/mechanisms.js';
import type { RecipeRequest } from '../domain/recipes.js';
import type { BatchWork } from './batch-run.js';
import { ESCROW_KEYS, makeSharePair, RETURNED_SHARE_FLAGS, shareCheck, shareMechanism, subsetKey } from './escrow-keys.js';
import { computed } from './escrow-split.js';
import { findAll, findRoot, type Grant, requireGranted, requireUnusedId } from './key-lookup.js';
import { publicKeyOf } from './public-keys.js';
import { requireNumber, rootTemplate } from './templates.js';
import { ckrOf, type Temporaries, type Token, withTemporaries } from './token.js';
import { AES_KEY_WRAP } from './transfer.js';

const TARGET_LABEL = 'escrowTarget/';

/**
 * Makes the pair that the shares of one recovery come back to. It stands in the token, so that a power cut in the vault does not send
 * the custodians home, until it has been used once or is given up. A second one for the same split replaces the first.
 */
export function escrowTarget(token: Token, { splitId, algorithm }: RecipeRequest<'escrowTarget'>): EscrowTarget {
  token.capabilities.requireEscrow(algorithm);
  escrowAbort(token, { splitId });
  requireUnusedId(token, splitId);
  const pair = makeSharePair(token, algorithm, { id: fromHex(splitId), label: `${TARGET_LABEL}${splitId}` }, RETURNED_SHARE_FLAGS);
  const { spki } = publicKeyOf(token, pair.publicKey);
  return { algorithm, publicKey: spki, keyDigest: keyDigestOf(spki), spoken: spokenFingerprint(spki) };
}

/** Returns how many objects it destroyed: none when no recovery was open. */
export function escrowAbort(token: Token, { splitId }: RecipeRequest<'escrowAbort'>): number {
  const open = findAll(token, splitId).filter((handle) => token.text(handle, 'CKA_LABEL').startsWith(TARGET_LABEL));
  for (const handle of open) token.destroy(handle);
  return open.length;
}

/**
 * Brings a root back under its own id, class and label, still to be sealed. The target's pair is used up by the attempt, whatever comes
 * of it; what is refused before (package, number of shares, ids) leaves it. Throws ESCROW_*, KEY_ID_TAKEN, HSM_REFUSED.
 */
export async function escrowRecover(work: BatchWork, { keyId, escrow, shares }: RecipeRequest<'escrowRecover'>, grant: Grant): Promise<void> {
  const { token } = work;
  requireWhole(escrow);
  if (escrow.rootId !== keyId) throw new AppError('ESCROW_PACKAGE_INVALID', { reason: `it is of root ${escrow.rootId}` });
  const wrappedRoot = wrappedRootFor(escrow, shares.map(({ index }) => index));
  const keyClass = classOfLabel(escrow.objectLabel);
  requireGranted(keyId, keyClass, grant);
  token.capabilities.requireRoot(escrow.algorithm);
  requireUnusedId(token, keyId);
  const target = openTarget(token, escrow);
  token.capabilities.requireEscrow(target.algorithm);
  try {
    const root = await withTemporaries(token, (kept) => {
      const returned = shares.map(({ index, wrapped }) => returnedShare(token, kept, target, escrow, index, wrapped));
      const key = subsetKey(token, kept, escrow, shares.map(({ index }) => index), returned, 'unwrapping');
      const label = escrow.objectLabel.slice(escrow.objectLabel.indexOf('/') + 1);
      return unwrapped(escrow, () => token.unwrap(key, AES_KEY_WRAP, wrappedRoot, rootTemplate(token.profile, { keyId, keyClass: keyClass as KeyClass, label }, escrow.algorithm)));
    });
    await confirm(work, root, escrow, grant);
  } finally {
    escrowAbort(token, escrow);
  }
}

interface OpenTarget {
  readonly privateKey: Handle;
  readonly algorithm: ShareAlgorithm;
}

function openTarget(token: Token, { splitId }: EscrowPackage): OpenTarget {
  const handles = token.find({ CKA_CLASS: pkcs11js.CKO_PRIVATE_KEY, CKA_ID: fromHex(splitId), CKA_LABEL: `${TARGET_LABEL}${splitId}` });
  const [privateKey] = handles;
  if (privateKey === undefined || handles.length > 1) throw new AppError('ESCROW_TARGET_CLOSED', { device: token.device, splitId });
  const isRsa = token.number(privateKey, 'CKA_KEY_TYPE') === requireNumber(token.profile, SHARE_TRANSPORT.rsaOaep.keyType);
  return { privateKey, algorithm: isRsa ? 'rsaOaep' : 'sm2' };
}

/** A share that was opened for another target does not unwrap; one of another custodian, split or package fails its check. */
function returnedShare(token: Token, kept: Temporaries, target: OpenTarget, escrow: EscrowPackage, index: number, wrapped: Uint8Array): Handle {
  const share = kept.keep(attempt(index, () => token.unwrap(target.privateKey, shareMechanism(token.profile, target.algorithm), wrapped, ESCROW_KEYS.returnedShare())));
  if (toHex(shareCheck(token, kept, headerOf(escrow), index, share)) === escrow.shareChecks[index - 1]) return share;
  throw shareInvalid(index, '不属于此备份包的该保管人', 'it is not of this custodian and package');
}

function attempt(index: number, unwrap: () => Handle): Handle {
  try {
    return unwrap();
  } catch (error) {
    if (!UNOPENED.has(ckrOf(error) ?? '')) throw error;
    throw shareInvalid(index, '不是为此次恢复的目标设备转换的', 'it was not opened for the target of this recovery', error);
  }
}

function unwrapped(escrow: EscrowPackage, unwrap: () => Handle): Handle {
  try {
    return unwrap();
  } catch (error) {
    if (!UNOPENED.has(ckrOf(error) ?? '')) throw error;
    throw new AppError('ESCROW_PACKAGE_INVALID', { reason: `the wrapped root of these custodians was not made by split ${escrow.splitId}` }, { cause: error });
  }
}

/** What modules answer to a ciphertext that does not open. */
const UNOPENED: ReadonlySet<string> = new Set([
  'CKR_WRAPPED_KEY_INVALID', 'CKR_WRAPPED_KEY_LEN_RANGE', 'CKR_ENCRYPTED_DATA_INVALID', 'CKR_ENCRYPTED_DATA_LEN_RANGE',
]);

/** The way every later use will look at it, and by its fingerprint. What differs is destroyed. */
async function confirm(work: BatchWork, handle: Handle, escrow: EscrowPackage, grant: Grant): Promise<void> {
  try {
    const root = findRoot(work.token, escrow.rootId, grant);
    if (toHex(await computed(work, root, 'fingerprints')) !== escrow.fingerprint) throw new AppError('ESCROW_KEY_DIFFERS', { keyId: escrow.rootId });
    await work.directory.root(escrow.rootId, grant);
  } catch (error) {
    work.token.destroy(handle);
    work.directory.forget([escrow.rootId]);
    throw error;
  }
}

function shareInvalid(index: number, reasonZh: string, reasonEn: string, cause?: unknown): AppError {
  return new AppError('ESCROW_SHARE_INVALID', { index, reasonZh, reasonEn }, { cause });
}
