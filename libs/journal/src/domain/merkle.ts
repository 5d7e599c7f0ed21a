import { createHash } from 'node:crypto';

const NODE_PREFIX = Uint8Array.of(0x01);

/** RFC 9162 2.1.1: SHA-256(0x01 ‖ left ‖ right). */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return createHash('sha256').update(NODE_PREFIX).update(left).update(right).digest();
}

/**
 * Merkle tree hash of RFC 9162 2.1.1, fed one leaf hash at a time: it keeps one node per set bit of the count, so a log of
 * any length is hashed in O(log n) memory.
 */
export class MerkleRoot {
  /** Complete subtrees, largest first. */
  private readonly stack: { size: number; hash: Uint8Array }[] = [];
  private count = 0;

  add(leaf: Uint8Array): void {
    this.count++;
    let node = { size: 1, hash: leaf };
    for (let last = this.stack.at(-1); last !== undefined && last.size === node.size; last = this.stack.at(-1)) {
      this.stack.pop();
      node = { size: last.size * 2, hash: nodeHash(last.hash, node.hash) };
    }
    this.stack.push(node);
  }

  get size(): number {
    return this.count;
  }

  /** The root of what was added so far; of nothing it is SHA-256 of the empty string. */
  root(): Uint8Array {
    let right: Uint8Array | undefined;
    for (let i = this.stack.length - 1; i >= 0; i--) {
      const { hash } = this.stack[i] as { hash: Uint8Array };
      right = right === undefined ? hash : nodeHash(hash, right);
    }
    return right ?? createHash('sha256').digest();
  }
}
