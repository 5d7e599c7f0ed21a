import type { Handle } from 'pkcs11js';
import { AppError, concatBytes, toHex } from '#libs/platform/domain';
import { SYMMETRIC_ALGORITHMS } from '../domain/algorithms.js';
import { packBatch, type PackedRecipe } from '../domain/batch.js';
import { type EscrowHeader, type EscrowPackage, keyDigestOf, requireSplit, subsetsOf } from '../domain/escrow.js';
import { SHARE_TRANSPORT } from '../domain/mechanisms.js';
import { pkcs11ErrorDetails } from '../domain/pkcs11-errors.js';
import type { RecipeRequest } from '../domain/recipes.js';
import type { BatchWork } from './batch-run.js';
import { ESCROW_KEYS, shareCheck, shareMechanism, subsetKey } from './escrow-keys.js';
import { findRoot, type FoundRoot, type Grant } from './key-lookup.js';
import { requireNumber } from './templates.js';
import { handleNumber, Temporaries, type Token, withTemporaries } from './token.js';
import { AES_KEY_WRAP } from './transfer.js';
import { brokenTrustRule } from './trust-probe.js';
import { findTrusted } from './wrapping-keys.js';

type SplitRequest = RecipeRequest<'escrowSplit'>;

/**
 * Splits a root that is not sealed yet. Each custodian's key must stand in the device as trusted; the shares and the keys of the subsets
 * live for this call alone. Throws HSM_CAPABILITY_MISSING, ESCROW_KEY_UNTRUSTED, ESCROW_PACKAGE_INVALID, and what finding a root throws.
 */
export async function escrowSplit(work: BatchWork, tokenSerial: string, request: SplitRequest, grant: Grant): Promise<EscrowPackage> {
  const { token } = work;
  for (const { algorithm } of request.custodians) token.capabilities.requireEscrow(algorithm);
  const custodians = request.custodians.map(({ index, algorithm, publicKey }) => ({ index, algorithm, keyDigest: keyDigestOf(publicKey) }));
  requireSplit(request.m, custodians);
  const root = findRoot(token, request.keyId, grant);
  if (!token.flag(root.handle, 'CKA_EXTRACTABLE')) throw new AppError('HSM_ERROR', pkcs11ErrorDetails(token.device, 'CKR_KEY_UNEXTRACTABLE'));
  const trusted = request.custodians.map((custodian) => findTrusted(token, custodian));
  const broken = await brokenTrustRule(token, request.custodians[0] as SplitRequest['custodians'][number]);
  if (broken !== undefined) throw token.capabilities.lacks(`escrow (${broken})`);
  const header: EscrowHeader = {
    format: 'hufu/escrow/1', rootId: request.keyId, splitId: request.splitId, m: request.m, n: custodians.length,
    objectLabel: root.objectLabel, algorithm: root.algorithm, tokenSerial, custodians,
    kcv: toHex(await computed(work, root, 'checkValues')),
    fingerprint: toHex(await computed(work, root, 'fingerprints')),
  };
  // From here to the end without a pause: no other order sees a share.
  return withTemporaries(token, (kept) => ({ ...header, ...parts(token, kept, header, root, request, trusted) }));
}

function parts(token: Token, kept: Temporaries, header: EscrowHeader, root: FoundRoot, { custodians }: SplitRequest, trusted: readonly Handle[]): Pick<EscrowPackage, 'wrappedShares' | 'shareChecks' | 'wrappedRoots'> {
  const shares = custodians.map(() => freshShare(token, kept));
  return {
    wrappedShares: custodians.map(({ algorithm }, at) => toHex(token.wrap(trusted[at] as Handle, shareMechanism(token.profile, algorithm), shares[at] as Handle, SHARE_TRANSPORT[algorithm].bytesMost))),
    shareChecks: custodians.map(({ index }, at) => within(token, (own) => toHex(shareCheck(token, own, header, index, shares[at] as Handle)))),
    wrappedRoots: subsetsOf(header.n, header.m).map((subset) =>
      within(token, (own) => {
        const key = subsetKey(token, own, header, subset, subset.map((index) => shares[index - 1] as Handle), 'wrapping');
        return toHex(token.wrap(key, AES_KEY_WRAP, root.handle, 64));
      }),
    ),
  };
}

/** The keys of one subset go before those of the next come: devices have little room for session objects. */
function within<T>(token: Token, work: (own: Temporaries) => T): T {
  const own = new Temporaries(token);
  try {
    return work(own);
  } finally {
    own.destroyAll();
  }
}

/** A module may ignore a template. */
function freshShare(token: Token, kept: Temporaries): Handle {
  const share = kept.keep(token.generateKey(requireNumber(token.profile, 'CKM_GENERIC_SECRET_KEY_GEN'), ESCROW_KEYS.freshShare()));
  if (!token.flag(share, 'CKA_SENSITIVE') || !token.flag(share, 'CKA_WRAP_WITH_TRUSTED')) throw new AppError('HSM_ANSWER_WRONG', { device: token.device, what: 'attributes of a share' });
  return share;
}

/** Fingerprint or check value of a root that stands in the device. */
export async function computed({ executor }: BatchWork, root: FoundRoot, recipe: Extract<PackedRecipe, 'fingerprints' | 'checkValues'>): Promise<Uint8Array> {
  const key = { keyId: root.keyId, factors: [] };
  const batch = packBatch(recipe, [recipe === 'fingerprints' ? { key } : { key, method: 'zero3' }]);
  const answers = await executor.run(batch, BigUint64Array.of(handleNumber(root.handle)), Uint8Array.of(SYMMETRIC_ALGORITHMS.indexOf(root.algorithm)), true);
  return concatBytes(answers.subarray(1));
}
