import { AppError } from '#libs/platform/domain';
import { KCV_METHODS, SM4_SESSION_FORMS } from '../domain/algorithms.js';
import type { PackedItem, PackedPath, PackedRecipe } from '../domain/batch.js';
import type { Capabilities } from '../domain/capabilities.js';
import { type CardRole, DEEPEST_PATH, requireCardDepth, requireLoadClasses } from '../domain/class-rules.js';
import { FACTOR_BYTES, isReservedAt } from '../domain/factors.js';
import { SYMMETRIC_NAMES } from '../domain/mechanisms.js';
import type { FoundRoot } from './key-lookup.js';

/** A batch with the keys it names, in the order of its key table. */
export interface KeyedBatch {
  readonly batch: Uint8Array;
  readonly keys: readonly FoundRoot[];
  readonly capabilities: Capabilities;
}

type ItemRule = (of: KeyedBatch, item: PackedItem, index: number) => void;

/**
 * What must hold for each item beside its layout: class and depth of its keys, no reserved factor, a capability of the
 * device. The supervisor has looked at factors too; this is the last place before the device, and looks for itself.
 */
export const ITEM_RULES: Readonly<Record<PackedRecipe, ItemRule>> = {
  checkValues: (of, { key }) => {
    const root = keyOf(of, key);
    if (key.factorCount > DEEPEST_PATH) {
      throw new AppError('KEY_PATH_DEPTH', { keyId: root.keyId, keyClass: root.keyClass, recipe: 'checkValues', least: 0, most: DEEPEST_PATH, actual: key.factorCount });
    }
    refuseReserved(of, key);
    of.capabilities.requireMethod(KCV_METHODS[of.batch[pathEnd(key)] as number] as (typeof KCV_METHODS)[number], root.algorithm);
  },
  fingerprints: (_of, { key }, index) => {
    if (key.factorCount !== 0) throw new AppError('REQUEST_INVALID', { reason: `fingerprints: item ${index}: factors` });
  },
  protectForCard: (of, { key, controlKey }, index) => {
    const control = controlKey as PackedPath;
    const [load, under] = [keyOf(of, key), keyOf(of, control)];
    requireCard(of, 'control', control);
    requireCard(of, 'load', key);
    requireLoadClasses(load.keyClass, under.keyClass, () => sameCard(of.batch, key, control));
    const headerAt = pathEnd(control) + COMMAND_BYTES;
    requireChallenge(of, control, headerAt + 1 + (of.batch[headerAt] as number), index);
  },
  commandMacs: (of, { key }, index) => {
    requireCard(of, 'commandMac', key);
    requireChallenge(of, key, pathEnd(key) + COMMAND_BYTES, index);
  },
  authenticateToCard: (of, { key }, index) => {
    requireCard(of, 'authenticate', key);
    requireChallenge(of, key, pathEnd(key), index);
  },
  purchaseMacs: (of, { key }, index) => {
    requireCard(of, 'purchaseMac', key);
    const inputAt = pathEnd(key);
    // X ‖ ~X of a reserved X is the input of the reserved child.
    if (isReservedAt(of.batch, inputAt)) throw new AppError('FACTOR_RESERVED');
    const zeros = SM4_SESSION_FORMS[of.batch[inputAt + FACTOR_BYTES] as number] === 'zeros';
    if (zeros && keyOf(of, key).algorithm !== 'sm4') throw new AppError('REQUEST_INVALID', { reason: `purchaseMacs: item ${index}: sm4Session` });
  },
  tacs: (of, { key }) => requireCard(of, 'tac', key),
};

const COMMAND_BYTES = 4;

/** Which algorithms may run which recipe: once per key, not per item. Throws HSM_CAPABILITY_MISSING. */
export function requireAlgorithms(recipe: PackedRecipe, { keys, capabilities }: KeyedBatch): void {
  for (const { algorithm } of keys) capabilities.require(recipe, algorithm);
}

function keyOf({ keys }: KeyedBatch, path: PackedPath): FoundRoot {
  return keys[path.keyIndex] as FoundRoot;
}

function pathEnd({ factorsAt, factorCount }: PackedPath): number {
  return factorsAt + factorCount * FACTOR_BYTES;
}

function requireCard(of: KeyedBatch, role: CardRole, path: PackedPath): void {
  const { keyClass, keyId } = keyOf(of, path);
  requireCardDepth(role, keyClass, keyId, path.factorCount);
  refuseReserved(of, path);
}

function refuseReserved({ batch }: KeyedBatch, { factorsAt, factorCount }: PackedPath): void {
  for (let i = 0; i < factorCount; i++) if (isReservedAt(batch, factorsAt + i * FACTOR_BYTES)) throw new AppError('FACTOR_RESERVED');
}

/** Region and serial are equal: the first two factors. */
function sameCard(batch: Uint8Array, a: PackedPath, b: PackedPath): boolean {
  if (a.factorCount < 2 || b.factorCount < 2) return false;
  for (let i = 0; i < 2 * FACTOR_BYTES; i++) if (batch[a.factorsAt + i] !== batch[b.factorsAt + i]) return false;
  return true;
}

/** A challenge is at most a block of the key's algorithm. */
function requireChallenge(of: KeyedBatch, path: PackedPath, lengthAt: number, index: number): void {
  const length = of.batch[lengthAt] as number;
  const { algorithm } = keyOf(of, path);
  if (length > SYMMETRIC_NAMES[algorithm].blockBytes) throw new AppError('REQUEST_INVALID', { reason: `item ${index}: challenge of ${length} bytes for ${algorithm}` });
}
