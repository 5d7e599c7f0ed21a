import { createHash, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { canonicalJson, concatBytes, fromHex, isAppError, toHex } from '#libs/platform/domain';
import { escrowOf } from '../../../../test/builders/escrow-package.js';
import {
  CUSTODIANS_MOST, escrowData, escrowDigest, type EscrowHeader, EscrowPackage, headerOf, requireSplit, requireWhole, shareCheckData, SHARE_CHECK_BYTES, SHARE_CHECK_LABEL, spokenFingerprint, subsetsOf, wrappedRootFor,
} from './escrow.js';

type Entry =
  | { name: string; kind: 'subsetKey'; rootId: string; splitId: string; subset: number[]; shares: string[]; data: string; key: string }
  | { name: string; kind: 'shareCheck'; header: EscrowHeader; headerBytes: string; custodian: number; share: string; data: string; checkKey: string; check: string }
  | { name: string; kind: 'spokenFingerprint'; publicKey: string; spoken: string };
const { entries } = JSON.parse(readFileSync('test/vectors/escrow.json', 'utf8')) as { entries: Entry[] };
const of = <K extends Entry['kind']>(kind: K): Extract<Entry, { kind: K }>[] => entries.filter((entry) => entry.kind === kind) as Extract<Entry, { kind: K }>[];
const sha256 = (...parts: Uint8Array[]): Uint8Array => createHash('sha256').update(concatBytes(...parts)).digest();

const faultOf = (act: () => unknown): unknown => {
  try {
    act();
    return 'ok';
  } catch (error) {
    return isAppError(error) ? `${error.code} ${Object.values(error.details).join(' ')}` : error;
  }
};

describe('vectors', () => {
  it.each(of('subsetKey'))('$name', ({ rootId, splitId, subset, shares, data, key }) => {
    expect(toHex(escrowData({ rootId, splitId }, subset))).toBe(data);
    expect(toHex(sha256(escrowData({ rootId, splitId }, subset), ...shares.map(fromHex)))).toBe(key);
  });

  it.each(of('shareCheck'))('$name', ({ header, headerBytes, custodian, share, data, checkKey, check }) => {
    expect(toHex(canonicalJson(header))).toBe(headerBytes);
    expect(toHex(shareCheckData(header, custodian))).toBe(data);
    const made = sha256(shareCheckData(header, custodian), fromHex(share));
    expect(toHex(made)).toBe(checkKey);
    expect(toHex(createHmac('sha256', made).update(SHARE_CHECK_LABEL).digest().subarray(0, SHARE_CHECK_BYTES))).toBe(check);
  });

  it.each(of('spokenFingerprint'))('$name', ({ publicKey, spoken }) => {
    expect(spokenFingerprint(fromHex(publicKey))).toBe(spoken);
  });

  it('there are some of each kind', () => {
    expect([of('subsetKey').length, of('shareCheck').length, of('spokenFingerprint').length]).toEqual([3, 2, 3]);
  });
});

describe('subsets', () => {
  it('are all that there are, each once, in order', () => {
    expect(subsetsOf(3, 2)).toEqual([[1, 2], [1, 3], [2, 3]]);
    const factorial = (k: number): number => (k < 2 ? 1 : k * factorial(k - 1));
    for (let n = 2; n <= CUSTODIANS_MOST; n++) {
      for (let m = 2; m <= n; m++) {
        const names = subsetsOf(n, m).map((subset) => subset.join());
        expect(names.length).toBe(factorial(n) / factorial(m) / factorial(n - m));
        expect([...new Set(names)].sort()).toEqual(names);
        expect(subsetsOf(n, m).every((subset) => subset.length === m && subset.every((each, at) => each >= 1 && each <= n && (at === 0 || each > (subset[at - 1] as number))))).toBe(true);
      }
    }
  });

  it('what is derived for one is never the start of what is derived for another', () => {
    const inputs = [2, 3, 4, 5, 6, 7].flatMap((m) => subsetsOf(CUSTODIANS_MOST, m)).map((subset) => toHex(escrowData({ rootId: '01'.repeat(16), splitId: '02'.repeat(16) }, subset)));
    expect(inputs.filter((one, at) => inputs.some((other, elsewhere) => at !== elsewhere && other.startsWith(one)))).toEqual([]);
  });
});

describe('a package', () => {
  it.each([[2, 2], [2, 3], [3, 5], [4, 7], [7, 7]])('%i of %i is whole, and says which root belongs to which custodians', (m, n) => {
    const escrow = EscrowPackage.parse(escrowOf(m, n));
    expect(faultOf(() => requireWhole(escrow))).toBe('ok');
    expect(subsetsOf(n, m).map((subset) => toHex(wrappedRootFor(escrow, subset)))).toEqual(escrow.wrappedRoots);
  });

  it('without one of its parts, with one too many or with one twice it is none', () => {
    const escrow = escrowOf(2, 3);
    for (const part of ['custodians', 'wrappedShares', 'shareChecks', 'wrappedRoots'] as const) {
      const [first] = escrow[part];
      const changed: unknown[][] = [escrow[part].slice(1), [...escrow[part], first], [first, ...escrow[part].slice(0, -1)]];
      for (const [n, each] of changed.entries()) expect(`${part} ${n} ${String(faultOf(() => requireWhole({ ...escrow, [part]: each } as EscrowPackage))).slice(0, 22)}`).toBe(`${part} ${n} ESCROW_PACKAGE_INVALID`);
    }
  });

  it.each([
    ['one opens it', 1, [1, 2, 3]],
    ['more than there are', 4, [1, 2, 3]],
    ['eight custodians', 3, [1, 2, 3, 4, 5, 6, 7, 8]],
    ['a number left out', 2, [1, 3, 4]],
    ['a number twice', 2, [1, 2, 2]],
  ])('no split where %s', (_what, m, numbers) => {
    expect(faultOf(() => requireSplit(m, numbers.map((index, at) => ({ index, keyDigest: String(at) }))))).toMatch(/^ESCROW_PACKAGE_INVALID/);
  });

  it('no split where two custodians have one key', () => {
    expect(faultOf(() => requireSplit(2, [1, 2, 3].map((index) => ({ index, keyDigest: String(index % 2) }))))).toBe('ESCROW_PACKAGE_INVALID two custodians have one key');
  });

  it.each([[[1]], [[1, 2, 3]], [[2, 1]], [[1, 1]], [[0, 1]], [[3, 4]], [[]]])('of 2 of 3 nothing for the custodians %j', (subset) => {
    expect(faultOf(() => wrappedRootFor(escrowOf(2, 3), subset))).toMatch(/^ESCROW_SHARES_MISSING 2 3/);
  });

  it('every field changes its digest, and every field of the header what a share is checked with', () => {
    const escrow = escrowOf(2, 3);
    const check = (changed: EscrowPackage): string => toHex(shareCheckData(headerOf(changed), 1));
    for (const field of Object.keys(escrow) as (keyof EscrowPackage)[]) {
      const value = escrow[field];
      const changed = { ...escrow, [field]: typeof value === 'number' ? value + 1 : Array.isArray(value) ? value.toReversed() : `${String(value)}0` } as EscrowPackage;
      expect(`${field} ${escrowDigest(changed) === escrowDigest(escrow)}`).toBe(`${field} false`);
      expect(`${field} ${check(changed) === check(escrow)}`).toBe(`${field} ${['wrappedShares', 'shareChecks', 'wrappedRoots'].includes(field)}`);
    }
    expect(toHex(shareCheckData(headerOf(escrow), 2))).not.toBe(check(escrow));
  });

  it('of anything else the schema makes nothing', () => {
    const escrow = escrowOf(2, 3);
    fc.assert(fc.property(fc.constantFrom(...(Object.keys(escrow) as (keyof EscrowPackage)[])), fc.anything(), (field, value) => {
      const parsed = EscrowPackage.safeParse({ ...escrow, [field]: value });
      return !parsed.success || EscrowPackage.safeParse(JSON.parse(JSON.stringify(parsed.data))).success;
    }), { numRuns: 500 });
    expect(EscrowPackage.safeParse({ ...escrow, note: '' }).success).toBe(false);
    expect(EscrowPackage.safeParse({ ...escrow, rootId: escrow.rootId.toLowerCase().replace(/0/g, 'a') }).success).toBe(false);
  });
});
