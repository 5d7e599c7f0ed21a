import { describe, expect, it } from '@jest/globals';
import { CUSTODIANS_MOST, subsetsOf } from './escrow.js';
import { type EscrowShape, rootsOpened } from './escrow-closure.js';

const split = (rootId: string, splitId: string, m: number, tokens: readonly string[]): EscrowShape => ({
  rootId, splitId, m, n: tokens.length, custodians: tokens.map((keyDigest, at) => ({ index: at + 1, algorithm: 'rsaOaep', keyDigest })),
});
const tokens = (n: number, name = 'T'): string[] => Array.from({ length: n }, (_, at) => `${name}${at + 1}`);
const everySubset = (of: readonly string[]): string[][] => Array.from({ length: 2 ** of.length }, (_, bits) => of.filter((_each, at) => (bits >> at) & 1));
const counts = Array.from({ length: CUSTODIANS_MOST - 1 }, (_, at) => at + 2);
const quorums = counts.flatMap((n) => counts.filter((m) => m <= n).map((m) => [m, n] as const));

describe('a thief of every stored blob', () => {
  it.each(quorums)('%i of %i: any so many tokens open the root, any fewer do not', (m, n) => {
    for (const held of everySubset(tokens(n))) {
      expect([held.join(), rootsOpened([split('R', 'S', m, tokens(n))], held).size]).toEqual([held.join(), held.length >= m ? 1 : 0]);
    }
  });

  it('foreign tokens open nothing', () => {
    for (const [m, n] of quorums) expect(rootsOpened([split('R', 'S', m, tokens(n))], tokens(7, 'F')).size).toBe(0);
  });

  it('a re-split with other custodians: all blobs of both open with a whole quorum of one of them alone', () => {
    const before = split('R', 'S1', 2, tokens(3));
    const after = split('R', 'S2', 3, ['T2', 'T3', 'U1', 'U2', 'U3']);
    for (const held of everySubset(['T1', 'T2', 'T3', 'U1', 'U2', 'U3'])) {
      const quorum = (of: EscrowShape): boolean => of.custodians.filter(({ keyDigest }) => held.includes(keyDigest)).length >= of.m;
      expect([held.join(), rootsOpened([before, after], held).size === 1]).toEqual([held.join(), quorum(before) || quorum(after)]);
    }
    // So the old quorum, with the blobs it kept, is not revoked by a re-split.
    expect(rootsOpened([before, after], ['T1', 'T2']).size).toBe(1);
  });

  it('of two roots with the same tokens, and of shares in another order, each opens for itself', () => {
    for (const [m, n] of quorums.filter(([, each]) => each <= 5)) {
      const packages = [split('R1', 'S1', m, tokens(n)), split('R2', 'S2', Math.min(m + 1, n), tokens(n).toReversed())];
      for (const held of everySubset(tokens(n))) {
        expect([...rootsOpened(packages, held)].sort()).toEqual(packages.filter((each) => held.length >= each.m).map(({ rootId }) => rootId));
      }
    }
  });

  it('two custodians whose keys are one token count twice: that is why a split refuses it', () => {
    expect(rootsOpened([split('R', 'S', 2, ['T1', 'T1', 'T2'])], ['T1']).size).toBe(1);
  });

  it('there are as many wrapped roots as subsets', () => {
    expect(quorums.map(([m, n]) => subsetsOf(n, m).length).reduce((most, each) => Math.max(most, each))).toBe(35);
  });
});
