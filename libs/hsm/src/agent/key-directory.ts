import { AppError, equalBytes, fromHex, toHex } from '#libs/platform/domain';
import { SYMMETRIC_ALGORITHMS } from '../domain/algorithms.js';
import { packBatch } from '../domain/batch.js';
import type { KeyClass } from '../domain/key-class.js';
import type { KeyId } from '../hsm.js';
import type { Executor } from './executor.js';
import { findRoot, type FoundKey, type FoundRoot, type Grant, requireGranted } from './key-lookup.js';
import type { LoadedSigningKey } from './signing-key.js';
import { handleNumber, type Token } from './token.js';

export interface DirectoryRoot extends FoundRoot {
  readonly number: bigint;
}

export type FingerprintHeard = (keyId: KeyId, value: string, keyClass: KeyClass) => void;

/**
 * Handles of keys, kept for the life of this login. Before the first use in it a key is found by CKA_ID, alone, with the
 * attributes and class that it must have, and its fingerprint is compared with the recorded one: an object that somebody
 * put under the id of another is never used.
 */
export class KeyDirectory {
  readonly #roots = new Map<KeyId, Promise<DirectoryRoot>>();
  readonly #signing = new Map<KeyId, Promise<LoadedSigningKey>>();

  constructor(
    private readonly token: Token,
    private readonly executor: Executor,
    /** keyId → fingerprint in hex. */
    private readonly recorded: Map<KeyId, string>,
    private readonly heard: FingerprintHeard,
  ) {}

  /** Throws KEY_NOT_FOUND, KEY_ID_AMBIGUOUS, KEY_CLASS_MISMATCH, HSM_REFUSED, HSM_ANSWER_WRONG (another key under this id). */
  root(keyId: KeyId, grant: Grant): Promise<DirectoryRoot> {
    return this.#once(this.#roots, keyId, grant, () => this.#loadRoot(keyId, grant));
  }

  signing(keyId: KeyId, grant: Grant): Promise<LoadedSigningKey> {
    return this.#once(this.#signing, keyId, grant, () => this.#loadSigning(keyId, grant));
  }

  /** Looks again at the next use: the objects were changed, or their handles are no longer good. */
  forget(keyIds: Iterable<KeyId>): void {
    for (const keyId of keyIds) {
      this.#roots.delete(keyId);
      this.#signing.delete(keyId);
    }
  }

  /** The objects under this id are gone: a key made under it later has another fingerprint. */
  destroyed(keyId: KeyId): void {
    this.forget([keyId]);
    this.recorded.delete(keyId);
  }

  async #once<K extends FoundKey>(known: Map<KeyId, Promise<K>>, keyId: KeyId, grant: Grant, load: () => Promise<K>): Promise<K> {
    let loading = known.get(keyId);
    if (loading === undefined) {
      loading = load();
      known.set(keyId, loading);
      loading.catch(() => known.delete(keyId));
    }
    const key = await loading;
    // What another caller loaded is still only for those who may touch its class.
    requireGranted(keyId, key.keyClass, grant);
    return key;
  }

  async #loadRoot(keyId: KeyId, grant: Grant): Promise<DirectoryRoot> {
    const found = findRoot(this.token, keyId, grant);
    const root = { ...found, number: handleNumber(found.handle) };
    if (this.token.capabilities.offers('fingerprints', root.algorithm)) this.#compare(root, await this.#fingerprint(root));
    return root;
  }

  async #fingerprint(root: DirectoryRoot): Promise<Uint8Array> {
    const batch = packBatch('fingerprints', [{ key: { keyId: root.keyId, factors: [] } }]);
    const answers = await this.executor.run(batch, BigUint64Array.of(root.number), Uint8Array.of(SYMMETRIC_ALGORITHMS.indexOf(root.algorithm)), true);
    return answers.subarray(1);
  }

  async #loadSigning(keyId: KeyId, grant: Grant): Promise<LoadedSigningKey> {
    const { loadSigningKey } = await import('./signing-key.js');
    const { key, fingerprint } = loadSigningKey(this.token, keyId, grant);
    this.#compare(key, fingerprint);
    return key;
  }

  #compare(key: FoundKey, fingerprint: Uint8Array): void {
    const recorded = this.recorded.get(key.keyId);
    if (recorded !== undefined && !equalBytes(fromHex(recorded), fingerprint)) {
      throw new AppError('HSM_ANSWER_WRONG', { device: this.token.device, what: `fingerprint of ${key.keyId}` });
    }
    const value = toHex(fingerprint);
    this.recorded.set(key.keyId, value);
    this.heard(key.keyId, value, key.keyClass);
  }
}
