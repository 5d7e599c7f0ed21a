import type { Handle } from 'pkcs11js';
import { AppError, concatBytes, toHex } from '#libs/platform/domain';
import { type CardRole, requireCardRole } from '../domain/class-rules.js';
import { diversificationInput, refuseReservedFactors } from '../domain/factors.js';
import type { KeyClass } from '../domain/key-class.js';
import type { KeyId, KeyPath, SymmetricAlgorithm } from '../hsm.js';
import { findRoot, type FoundRoot, type Grant } from './key-lookup.js';
import { SESSION_KEYS, SYMMETRIC } from './templates.js';
import type { Attributes, Temporaries, Token } from './token.js';

/** A key that derives: a root, a level below it, or an imported test key. */
export interface DerivingKey {
  readonly handle: Handle;
  readonly algorithm: SymmetricAlgorithm;
}

/**
 * Walks from roots to the keys below them, inside the token, for one batch. Levels that items share (the region, the card)
 * are derived once; everything is destroyed with the batch.
 */
export class Diversifier {
  readonly #roots = new Map<KeyId, FoundRoot>();
  readonly #levels = new Map<string, DerivingKey>();

  constructor(
    private readonly token: Token,
    private readonly grant: Grant,
    private readonly temporaries: Temporaries,
  ) {}

  root(keyId: KeyId): FoundRoot {
    let root = this.#roots.get(keyId);
    if (root === undefined) {
      root = findRoot(this.token, keyId, this.grant);
      this.#roots.set(keyId, root);
    }
    return root;
  }

  /** The key at the end of the path, able to derive and nothing else. Throws FACTOR_RESERVED. */
  deriving(path: KeyPath): DerivingKey {
    refuseReservedFactors(path.factors);
    const root = this.root(path.keyId);
    return this.#level(path.keyId, root, path.factors);
  }

  /**
   * The level above a card key, and the card key's factor, after the checks that a card key needs. Card recipes are 3DES.
   * Throws KEY_CLASS_MISMATCH, KEY_PATH_DEPTH, FACTOR_RESERVED, HSM_CAPABILITY_MISSING.
   */
  cardKey(role: CardRole, path: KeyPath): { above: DerivingKey; factor: Uint8Array; keyClass: KeyClass } {
    const root = this.root(path.keyId);
    requireCardRole(role, root.keyClass, path);
    if (root.algorithm !== '3des2') {
      throw new AppError('HSM_CAPABILITY_MISSING', { device: this.token.device, recipe: `${this.grant.recipe} (${root.algorithm})` });
    }
    refuseReservedFactors(path.factors);
    const above = this.#level(path.keyId, root, path.factors.slice(0, -1));
    return { above, factor: path.factors.at(-1) as Uint8Array, keyClass: root.keyClass };
  }

  /** E(key, factor ‖ ~factor) as a key of the given template. */
  child(parent: DerivingKey, factor: Uint8Array, attributes: Attributes): Handle {
    return encryptData(this.token, this.temporaries, parent, diversificationInput(factor), attributes);
  }

  /** KL ‖ KL of the card key below: a 3DES key that works as the single DES of its left half (E(key, X) twice). */
  leftTwin(parent: DerivingKey, factor: Uint8Array): Handle {
    return encryptData(this.token, this.temporaries, parent, concatBytes(factor, factor), SESSION_KEYS.encrypting());
  }

  #level(keyId: KeyId, root: DerivingKey, factors: readonly Uint8Array[]): DerivingKey {
    if (factors.length === 0) return root;
    const name = `${keyId}/${factors.map(toHex).join('/')}`;
    let level = this.#levels.get(name);
    if (level === undefined) {
      const parent = this.#level(keyId, root, factors.slice(0, -1));
      const attributes = SESSION_KEYS.diversifying(root.algorithm);
      level = { handle: this.child(parent, factors.at(-1) as Uint8Array, attributes), algorithm: root.algorithm };
      this.#levels.set(name, level);
    }
    return level;
  }
}

/** CKM_*_ECB_ENCRYPT_DATA: the encrypted data become a key of the given template. */
export function encryptData(token: Token, temporaries: Temporaries, key: DerivingKey, data: Uint8Array, attributes: Attributes): Handle {
  return temporaries.keep(token.deriveByData(key.handle, SYMMETRIC[key.algorithm].encryptData, data, attributes));
}
