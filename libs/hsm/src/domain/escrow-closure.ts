import type { EscrowPackage } from './escrow.js';
import { subsetsOf } from './escrow.js';

/*
 * What a thief of every stored blob and of some tokens can open (Dolev–Yao): ciphers are perfect, a key opens exactly what was wrapped
 * under it, and SHA-256 of several shares is known exactly when all of them are. Whoever holds a token is taken to get its share in
 * clear: worse than a token that wraps it to a trusted key alone.
 */

/** `opener` opens `content`; a derived opener is known when all of `from` are. */
interface Sealed {
  readonly opener: string;
  readonly content: string;
  readonly from?: readonly string[];
}

const token = (keyDigest: string): string => `token ${keyDigest}`;
const share = (splitId: string, index: number): string => `share ${splitId} ${index}`;
const root = (rootId: string): string => `root ${rootId}`;

/** What of a package's shape a thief can work with. */
export type EscrowShape = Pick<EscrowPackage, 'rootId' | 'splitId' | 'm' | 'n' | 'custodians'>;

function blobsOf({ rootId, splitId, m, n, custodians }: EscrowShape): Sealed[] {
  const shares = custodians.map(({ index, keyDigest }) => ({ opener: token(keyDigest), content: share(splitId, index) }));
  const roots = subsetsOf(n, m).map((subset) => ({ opener: `K ${rootId} ${splitId} ${subset.join()}`, content: root(rootId), from: subset.map((index) => share(splitId, index)) }));
  return [...shares, ...roots];
}

/** Root ids that open with all blobs of these packages, in whatever mixture, and the tokens of these key digests. */
export function rootsOpened(packages: readonly EscrowShape[], tokens: Iterable<string>): Set<string> {
  const known = new Set([...tokens].map(token));
  const blobs = packages.flatMap(blobsOf);
  for (let before = -1; before !== known.size; ) {
    before = known.size;
    for (const { opener, content, from } of blobs) {
      if (from?.every((each) => known.has(each)) === true) known.add(opener);
      if (known.has(opener)) known.add(content);
    }
  }
  return new Set(packages.map(({ rootId }) => rootId).filter((rootId) => known.has(root(rootId))));
}
