import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { leafHash } from './entry.js';
import { MerkleRoot, TREE_HASHES, type TreeHash } from './merkle.js';
import { consistencyProof, inclusionProof, verifyConsistency, verifyInclusion } from './proof.js';

const MOST = 130;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** RFC 9162 2.1.1 word for word, nothing shared with the code under test. */
function mth(bodies: readonly Buffer[], algorithm: TreeHash): Buffer {
  const digest = (...parts: Buffer[]): Buffer => createHash(algorithm).update(Buffer.concat(parts)).digest();
  if (bodies.length === 0) return digest();
  if (bodies.length === 1) return digest(Buffer.of(0), bodies[0] as Buffer);
  const k = 2 ** Math.ceil(Math.log2(bodies.length) - 1);
  return digest(Buffer.of(1), mth(bodies.slice(0, k), algorithm), mth(bodies.slice(k), algorithm));
}

describe.each(TREE_HASHES)('tree over %s', (algorithm) => {
  const bodies = Array.from({ length: MOST }, (_, n) => Buffer.from(`entry ${n}`));
  const leaves = bodies.map((body) => leafHash(body, algorithm));
  const roots = Array.from({ length: MOST + 1 }, (_, n) => mth(bodies.slice(0, n), algorithm));

  it('has the roots of the definition, also when it is stopped and resumed at every size', () => {
    let tree = new MerkleRoot(algorithm);
    for (let n = 0; n <= MOST; n++) {
      expect(hex(tree.root())).toBe(hex(roots[n] as Buffer));
      if (n < MOST) tree.add(leaves[n] as Uint8Array);
      tree = MerkleRoot.resume(algorithm, tree.size, tree.range());
    }
    expect(() => MerkleRoot.resume(algorithm, 3, new Uint8Array(32))).toThrow(RangeError);
  });

  it('proves inclusion of every leaf in every tree, and of nothing else', () => {
    for (let size = 1; size <= MOST; size++) {
      const root = roots[size] as Buffer;
      for (let index = 0; index < size; index++) {
        const path = inclusionProof(leaves.slice(0, size), index, algorithm);
        const proof = { index, size, leaf: leaves[index] as Uint8Array, path, root };
        expect(verifyInclusion(proof, algorithm)).toBe(true);
        if ((index + size) % 7 !== 0) continue;
        const wrong = [
          { ...proof, index: index + 1 },
          { ...proof, leaf: leaves[(index + 1) % MOST] as Uint8Array },
          { ...proof, path: [...path, root] },
          { ...proof, root: roots[size - 1] as Buffer },
          ...(path.length === 0 ? [] : [{ ...proof, path: path.slice(1) }, { ...proof, path: path.map((each, i) => (i === 0 ? root : each)) }]),
        ];
        for (const each of wrong) expect(verifyInclusion(each, algorithm)).toBe(false);
      }
    }
  });

  it('proves that every tree begins with every smaller one, and with no other', () => {
    for (let second = 1; second <= MOST; second++) {
      for (let first = 1; first <= second; first++) {
        const path = consistencyProof(leaves.slice(0, second), first, algorithm);
        const proof = { first, second, firstRoot: roots[first] as Buffer, secondRoot: roots[second] as Buffer, path };
        expect(verifyConsistency(proof, algorithm)).toBe(true);
        if ((first + second) % 7 !== 0) continue;
        const wrong = [
          { ...proof, firstRoot: roots[first - 1] as Buffer },
          { ...proof, secondRoot: roots[second - 1] as Buffer },
          { ...proof, path: [...path, roots[0] as Buffer] },
          { ...proof, first: second, second: first },
          ...(path.length === 0 ? [] : [{ ...proof, path: path.slice(1) }]),
        ];
        for (const each of wrong) if (first !== second || each.first !== each.second || each.path.length > 0 || hex(each.firstRoot) !== hex(each.secondRoot)) expect(verifyConsistency(each, algorithm)).toBe(false);
      }
    }
  });

  it('refuses an index that is not in the tree', () => {
    expect(() => inclusionProof(leaves, MOST, algorithm)).toThrow(RangeError);
    expect(() => consistencyProof(leaves, 0, algorithm)).toThrow(RangeError);
  });
});
