import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { derBitString, derBoolean, derContext, derInteger, derOctetString, derOid, derSequence, derSetOf, derTime, derUtf8String, fromHex } from '#libs/platform/domain';
import { authorityOf, mayIssue, POLICY_RULES } from './authority.js';
import { type RecipeName, RECIPES } from './recipes.js';

interface Vector {
  readonly name: string;
  readonly tbs: string;
  readonly issues: boolean;
}
const vectors = JSON.parse(readFileSync('test/vectors/tbs-certificate.json', 'utf8')) as Vector[];

const algorithm = derSequence(derOid('1.2.840.10045.4.3.2'));
const name = derSequence(derSetOf(derSequence(derOid('2.5.4.3'), derUtf8String('虎符'))));
const at = derTime(new Date('2026-01-01T00:00:00Z'));
const head = [derContext(0, derInteger(2)), derInteger(77), algorithm, name, derSequence(at, at), name, derSequence(algorithm, derBitString(new Uint8Array(65)))];
const tbs = (...extensions: readonly Uint8Array[]): Uint8Array => derSequence(...head, derContext(3, derSequence(...extensions)));
const extension = (oid: string, value: Uint8Array): Uint8Array => derSequence(derOid(oid), derOctetString(value));
const BASIC = '2.5.29.19';
const leaf = extension(BASIC, derSequence());
const ca = extension(BASIC, derSequence(derBoolean(true)));

describe('mayIssue', () => {
  it.each(vectors)('a real certificate: $name', (vector) => {
    expect(mayIssue(fromHex(vector.tbs))).toBe(vector.issues);
  });

  it.each([
    ['a leaf', tbs(leaf), false],
    ['no extension at all in the list', tbs(), false],
    ['a CA', tbs(ca), true],
    ['a CA after a leaf', tbs(leaf, ca), true],
    ['cA FALSE written out', tbs(extension(BASIC, derSequence(derBoolean(false)))), true],
    ['a second list of extensions', derSequence(...head, derContext(3, derSequence(leaf), derSequence(ca))), true],
    ['extensions twice', derSequence(...head, derContext(3, derSequence(leaf)), derContext(3, derSequence(ca))), true],
    ['no extensions', derSequence(...head), true],
    ['bytes after the value', tbs(extension(BASIC, Uint8Array.of(...derSequence(), ...derSequence(derBoolean(true))))), true],
    ['two values', tbs(derSequence(derOid(BASIC), derOctetString(derSequence(derBoolean(true))), derOctetString(derSequence()))), true],
    ['a value that is no octet string', tbs(derSequence(derOid(BASIC), derSequence(derBoolean(true)))), true],
    ['an extension without a value', tbs(derSequence(derOid(BASIC))), true],
    ['bytes after the certificate', Uint8Array.of(...tbs(leaf), 0), true],
    ['no DER', Uint8Array.of(1, 2, 3), true],
    ['nothing', new Uint8Array(), true],
  ])('%s', (_name, bytes, issues) => {
    expect(mayIssue(bytes)).toBe(issues);
  });

  it('whatever byte changes before the extension of a CA, it stays one', () => {
    const bytes = tbs(leaf, ca);
    const before = bytes.length - ca.length;
    fc.assert(
      fc.property(fc.nat(before - 1), fc.integer({ min: 0, max: 255 }), (place, to) => {
        const other = Uint8Array.from(bytes);
        other[place] = to;
        return mayIssue(other);
      }),
      { numRuns: 500 },
    );
  });
});

describe('authorityOf', () => {
  it('has an authority for every recipe, and a rule in the policy for each that is not free', () => {
    const sign = (...items: { purpose: string; bytes: Uint8Array }[]) => ({ items });
    const asked: [RecipeName, unknown][] = (Object.keys(RECIPES) as RecipeName[]).map((recipe) => [recipe, recipe === 'sign' ? sign({ purpose: 'tbsCrl', bytes: tbs(leaf) }) : {}]);
    for (const [recipe, request] of asked) {
      const { authority, rule } = authorityOf(recipe, request);
      expect([recipe, ['free', 'ticket', 'approvals'].includes(authority)]).toEqual([recipe, true]);
      expect([recipe, authority === 'free' || POLICY_RULES.includes(rule)]).toEqual([recipe, true]);
    }
    expect(new Set(POLICY_RULES).size).toBe(POLICY_RULES.length);
  });

  it('names what is free and what is not, one by one', () => {
    const found = Object.fromEntries((Object.keys(RECIPES) as RecipeName[]).filter((recipe) => recipe !== 'sign').map((recipe) => [recipe, authorityOf(recipe, {}).authority]));
    expect(found).toEqual({
      policyChain: 'free', addPolicy: 'free', stop: 'free', start: 'approvals',
      devices: 'free', fleet: 'free', deviceNote: 'free', pinQuestions: 'free', pinAnswer: 'free', inventory: 'free', knownAnswers: 'free', checkValues: 'free', fingerprints: 'free',
      protectForCard: 'ticket', commandMacs: 'ticket', authenticateToCard: 'ticket', purchaseMacs: 'ticket', tacs: 'ticket',
      generateKey: 'approvals', generateKeyPair: 'approvals', importTestTransportKey: 'approvals', transfer: 'approvals', seal: 'approvals', destroy: 'approvals',
      escrowTrust: 'approvals', escrowSplit: 'approvals', escrowTarget: 'approvals', escrowRecover: 'approvals', escrowAbort: 'free',
    });
  });

  it('a signature needs what the strongest of its items needs', () => {
    const item = (purpose: string, bytes: Uint8Array) => ({ keyId: '0'.repeat(32), purpose, bytes });
    const of = (...items: readonly object[]): string => authorityOf('sign', { items }).rule;
    expect(of(item('report', tbs(ca)))).toBe('sign');
    expect(of(item('tbsCertificate', tbs(leaf)))).toBe('sign:certificate');
    expect(of(item('report', tbs(leaf)), item('tbsCertificate', tbs(leaf)))).toBe('sign:certificate');
    expect(of(item('tbsCertificate', tbs(leaf)), item('tbsCertificate', tbs(ca)))).toBe('sign:caCertificate');
    expect(authorityOf('sign', { items: [item('tbsCertificate', tbs(leaf))] }).authority).toBe('ticket');
    expect(authorityOf('sign', { items: [item('tbsCertificate', tbs(ca))] }).authority).toBe('approvals');
  });
});
