import { AppError } from '#libs/platform/domain';
import { SYMMETRIC_ALGORITHMS } from '../domain/algorithms.js';
import { type PackedItem, type PackedRecipe, readBatch } from '../domain/batch.js';
import { pkcs11Error } from '../domain/pkcs11-errors.js';
import { ITEM_RULES, type KeyedBatch, requireAlgorithms } from './card-rules.js';
import type { Executor } from './executor.js';
import type { KeyDirectory } from './key-directory.js';
import type { Grant } from './key-lookup.js';
import { ckrOf, type Token } from './token.js';

export interface BatchWork {
  readonly token: Token;
  readonly executor: Executor;
  readonly directory: KeyDirectory;
}

/** Runs one packed batch of the recipe ordered; every rule is checked for every item before the first is computed. */
export async function runBatch(work: BatchWork, recipe: PackedRecipe, batch: Uint8Array, grant: Grant, online: boolean): Promise<Uint8Array> {
  const items: PackedItem[] = [];
  const packed = readBatch(batch, (item) => items.push(item));
  if (packed.recipe !== recipe) throw new AppError('REQUEST_INVALID', { reason: `${recipe}: a batch of ${packed.recipe}` });
  return withFreshHandles(work.directory, packed.keyIds, async () => {
    const keys = await Promise.all(packed.keyIds.map((keyId) => work.directory.root(keyId, grant)));
    const keyed: KeyedBatch = { batch, keys, capabilities: work.token.capabilities };
    requireAlgorithms(recipe, keyed);
    const rule = ITEM_RULES[recipe];
    for (let index = 0; index < items.length; index++) rule(keyed, items[index] as PackedItem, index);
    return work.executor.run(
      batch,
      BigUint64Array.from(keys, ({ number }) => number),
      Uint8Array.from(keys, ({ algorithm }) => SYMMETRIC_ALGORITHMS.indexOf(algorithm)),
      online,
    );
  });
}

/** A handle that is no longer good (another program destroyed and restored the key) is found anew, once. */
export async function withFreshHandles<T>(directory: KeyDirectory, keyIds: readonly string[], run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    const ckr = ckrOf(error);
    if (ckr === undefined || pkcs11Error(ckr).policy !== 'retryHere') throw error;
    directory.forget(keyIds);
    return run();
  }
}
