import { equalBytes } from '#libs/platform/domain';
import { MerkleRoot, nodeHash, type TreeHash } from './merkle.js';

/** RFC 9162 2.1.3.1: the sibling subtrees on the way from leaf `index` to the root, lowest first. Throws RangeError. */
export function inclusionProof(leaves: readonly Uint8Array[], index: number, algorithm: TreeHash = 'sha256'): Uint8Array[] {
  requireIndex(index, leaves.length);
  const path = (from: number, to: number): Uint8Array[] => {
    if (to - from === 1) return [];
    const middle = from + splitOf(to - from);
    return index < middle ? [...path(from, middle), rootOf(leaves, middle, to, algorithm)] : [...path(middle, to), rootOf(leaves, from, middle, algorithm)];
  };
  return path(0, leaves.length);
}

/** RFC 9162 2.1.3.2. */
export function verifyInclusion(
  proof: { readonly index: number; readonly size: number; readonly leaf: Uint8Array; readonly path: readonly Uint8Array[]; readonly root: Uint8Array },
  algorithm: TreeHash = 'sha256',
): boolean {
  if (!(Number.isSafeInteger(proof.index) && proof.index >= 0 && proof.index < proof.size)) return false;
  let [first, second, root] = [proof.index, proof.size - 1, proof.leaf];
  for (const sibling of proof.path) {
    if (second === 0) return false;
    if (first % 2 === 1 || first === second) {
      root = nodeHash(sibling, root, algorithm);
      while (first % 2 === 0 && first !== 0) [first, second] = [first / 2, half(second)];
    } else root = nodeHash(root, sibling, algorithm);
    [first, second] = [half(first), half(second)];
  }
  return second === 0 && equalBytes(root, proof.root);
}

/** RFC 9162 2.1.4.1: what shows that the tree of all `leaves` begins with the tree of the first `size`. Throws RangeError. */
export function consistencyProof(leaves: readonly Uint8Array[], size: number, algorithm: TreeHash = 'sha256'): Uint8Array[] {
  requireIndex(size - 1, leaves.length);
  const path = (from: number, to: number, whole: boolean): Uint8Array[] => {
    if (size === to) return whole ? [] : [rootOf(leaves, from, to, algorithm)];
    const middle = from + splitOf(to - from);
    return size <= middle ? [...path(from, middle, whole), rootOf(leaves, middle, to, algorithm)] : [...path(middle, to, false), rootOf(leaves, from, middle, algorithm)];
  };
  return path(0, leaves.length, true);
}

/** RFC 9162 2.1.4.2. */
export function verifyConsistency(
  proof: { readonly first: number; readonly second: number; readonly firstRoot: Uint8Array; readonly secondRoot: Uint8Array; readonly path: readonly Uint8Array[] },
  algorithm: TreeHash = 'sha256',
): boolean {
  if (!(Number.isSafeInteger(proof.first) && proof.first >= 1 && proof.first <= proof.second)) return false;
  if (proof.first === proof.second) return proof.path.length === 0 && equalBytes(proof.firstRoot, proof.secondRoot);
  const path = isPowerOfTwo(proof.first) ? [proof.firstRoot, ...proof.path] : [...proof.path];
  let [first, second] = [proof.first - 1, proof.second - 1];
  while (first % 2 === 1) [first, second] = [half(first), half(second)];
  const [start, ...rest] = path;
  if (start === undefined) return false;
  let [firstRoot, secondRoot] = [start, start];
  for (const node of rest) {
    if (second === 0) return false;
    if (first % 2 === 1 || first === second) {
      firstRoot = nodeHash(node, firstRoot, algorithm);
      secondRoot = nodeHash(node, secondRoot, algorithm);
      while (first % 2 === 0 && first !== 0) [first, second] = [first / 2, half(second)];
    } else secondRoot = nodeHash(secondRoot, node, algorithm);
    [first, second] = [half(first), half(second)];
  }
  return second === 0 && equalBytes(firstRoot, proof.firstRoot) && equalBytes(secondRoot, proof.secondRoot);
}

function rootOf(leaves: readonly Uint8Array[], from: number, to: number, algorithm: TreeHash): Uint8Array {
  const tree = new MerkleRoot(algorithm);
  for (let i = from; i < to; i++) tree.add(leaves[i] as Uint8Array);
  return tree.root();
}

/** The largest power of two below n. */
function splitOf(n: number): number {
  let split = 1;
  while (split * 2 < n) split *= 2;
  return split;
}

const half = (n: number): number => Math.floor(n / 2);
const isPowerOfTwo = (n: number): boolean => splitOf(n * 2) === n;

function requireIndex(index: number, size: number): void {
  if (!(Number.isSafeInteger(index) && index >= 0 && index < size)) throw new RangeError(`${index} is not below ${size}`);
}
