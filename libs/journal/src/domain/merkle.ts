import { hash } from 'node:crypto';

/** Both trees of the journal have the shape of RFC 9162 2.1.1; SM3 is GB/T 32905. Either digest is 32 bytes long. */
export const TREE_HASHES = ['sha256', 'sm3'] as const;
export type TreeHash = (typeof TREE_HASHES)[number];

export const DIGEST_BYTES = 32;

/** 0x01 ‖ left ‖ right, filled anew by each call: one allocation less for every node of every tree. */
const node = new Uint8Array(1 + 2 * DIGEST_BYTES);
node[0] = 0x01;

/** RFC 9162 2.1.1: HASH(0x01 ‖ left ‖ right). */
export function nodeHash(left: Uint8Array, right: Uint8Array, algorithm: TreeHash = 'sha256'): Uint8Array {
  node.set(left, 1);
  node.set(right, 1 + DIGEST_BYTES);
  // One call instead of createHash: less than half the time for SM3, and no slower for SHA-256.
  return hash(algorithm, node, 'buffer');
}

/**
 * Merkle tree hash of RFC 9162 2.1.1, fed one leaf hash at a time: it keeps one node per set bit of the count, so a log of
 * any length is hashed in O(log n) memory, and goes on later from those nodes.
 */
export class MerkleRoot {
  /** Complete subtrees, largest first: one per set bit of the count. */
  private readonly stack: Uint8Array[] = [];
  private count = 0;

  constructor(private readonly algorithm: TreeHash = 'sha256') {}

  /** Goes on from a `range()` of `size` leaves. Throws RangeError when the two do not fit. */
  static resume(algorithm: TreeHash, size: number, range: Uint8Array): MerkleRoot {
    const tree = new MerkleRoot(algorithm);
    if (range.length !== setBits(size) * DIGEST_BYTES) throw new RangeError('not the compact range of this size');
    for (let at = 0; at < range.length; at += DIGEST_BYTES) tree.stack.push(range.slice(at, at + DIGEST_BYTES));
    tree.count = size;
    return tree;
  }

  add(leaf: Uint8Array): void {
    let top = leaf;
    for (let rest = this.count; rest % 2 === 1; rest = (rest - 1) / 2) top = nodeHash(this.stack.pop() as Uint8Array, top, this.algorithm);
    this.stack.push(top);
    this.count++;
  }

  get size(): number {
    return this.count;
  }

  /** The nodes that it keeps, largest subtree first, 32 bytes each. */
  range(): Uint8Array {
    return Uint8Array.from(Buffer.concat(this.stack));
  }

  /** The root of what was added so far; of nothing it is the hash of the empty string. */
  root(): Uint8Array {
    return this.stack.reduceRight<Uint8Array | undefined>((right, left) => (right === undefined ? left : nodeHash(left, right, this.algorithm)), undefined) ?? hash(this.algorithm, '', 'buffer');
  }
}

function setBits(count: number): number {
  let bits = 0;
  for (let rest = count; rest > 0; rest = Math.floor(rest / 2)) bits += rest % 2;
  return bits;
}
