import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { issueSubjects } from '../builders/settlement-register.js';
import { makeDay, plantedPerClass, type TruthHead } from './settlement-day/day.js';
import { FAULTS } from './settlement-day/faults.js';
import type { ForeignMaterial, Plan, PlannedRequest } from './settlement-day/plan.js';
import { Random } from './settlement-day/random.js';
import { checkCharacter, makeSubjects } from './settlement-day/subjects.js';
import { certificateNames } from './settlement-day/x509.js';

const folder = mkdtempSync(join(tmpdir(), 'hufu-generator-'));
const order = { seed: '5', day: '2026-03-16', series: 0, hospitals: 10, rsa: 3, terminals: 6, cards: 40 };
const text = (...path: string[]): string => readFileSync(join(folder, ...path), 'utf8');
const requests = (): PlannedRequest[] => text('one', 'requests.ndjson').split('\n').slice(0, -1).map((line) => JSON.parse(line) as PlannedRequest);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('subjects', () => {
  beforeAll(() => makeSubjects({ ...order, out: join(folder, 'one') }));

  it('plans the same people and fates for the same seed, with keys that nobody can know beforehand', async () => {
    await makeSubjects({ ...order, out: join(folder, 'two') });
    expect(text('two', 'plan.json')).toBe(text('one', 'plan.json'));
    expect(text('two', 'private-keys.ndjson')).not.toBe(text('one', 'private-keys.ndjson'));
    await makeSubjects({ ...order, seed: '6', out: join(folder, 'two') });
    expect(text('two', 'plan.json')).not.toBe(text('one', 'plan.json'));
  });

  it('gives cards the check character of GB 11714', () => {
    expect([checkCharacter('12345678'), checkCharacter('A1234567')]).toEqual(['8', '4']);
    const { cards } = JSON.parse(text('one', 'plan.json')) as Plan;
    expect(cards).toHaveLength(order.cards);
    expect(cards.every(({ number }) => number.length === 9 && checkCharacter(number.slice(0, 8)) === number[8])).toBe(true);
  });

  it('makes requests that OpenSSL takes: RSA for some hospitals, P-256 for everybody else', () => {
    const list = requests();
    expect(list).toHaveLength(order.hospitals + order.terminals + order.cards);
    for (const request of [list[0], list[order.rsa], list.at(-1)]) {
      const input = Buffer.from(request?.csr ?? '', 'base64');
      // `openssl req -verify` says so on stderr and ends with 1 when the signature is not the key's.
      const shown = execFileSync('openssl', ['req', '-inform', 'DER', '-verify', '-noout', '-text'], { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'ignore'] });
      expect(shown).toContain(request === list[0] ? 'Public-Key: (2048 bit)' : 'prime256v1');
    }
  });

  it('keeps private keys to itself', () => {
    expect(statSync(join(folder, 'one', 'private-keys.ndjson')).mode & 0o777).toBe(0o600);
  });

  it('makes foreign certificates that verify under their own CA and not under the other', () => {
    const foreign = JSON.parse(text('one', 'foreign.json')) as ForeignMaterial;
    const parse = (der: string): X509Certificate => new X509Certificate(Buffer.from(der, 'base64'));
    const [trusted, untrusted] = [foreign.trusted, foreign.untrusted].map((ca) => parse(ca.caCertificates[0] ?? ''));
    for (const each of foreign.trusted.certificates) {
      expect(parse(each).verify((trusted as X509Certificate).publicKey)).toBe(true);
      expect(parse(each).verify((untrusted as X509Certificate).publicKey)).toBe(false);
      expect(certificateNames(Buffer.from(each, 'base64')).serial).toBe(parse(each).serialNumber);
    }
    expect((trusted as X509Certificate).ca).toBe(true);
  });
});

describe('day', () => {
  let head: TruthHead;
  beforeAll(() => {
    issueSubjects(join(folder, 'one'));
    head = makeDay({ subjects: join(folder, 'one'), out: join(folder, 'day'), truth: join(folder, 'truth'), seed: '5', records: 1_500, files: 2 });
  });

  it('plants every class, tells the truth about it, and hides the truth', () => {
    const lines = text('truth').split('\n').slice(1, -1).map((line) => JSON.parse(line) as { file: string; line: number; class: string });
    const each = plantedPerClass(1_500);
    expect(each).toBe(3);
    expect(plantedPerClass(100_000)).toBeGreaterThanOrEqual(20);
    expect(head.counts).toEqual({ ...Object.fromEntries([...Object.keys(FAULTS), 'DUPLICATE_TX'].map((name) => [name, each])), OK: 1_500 - 14 * each });
    expect(lines).toHaveLength(14 * each);
    expect(statSync(join(folder, 'truth')).mode & 0o777).toBe(0o600);
  });

  it('writes the lines that it counts, four fifths of them by cards', () => {
    const [ndjson, csv] = head.files.map(({ name }) => readFileSync(join(folder, 'day', name), 'latin1').split('\n').slice(0, -1)) as [string[], string[]];
    expect([ndjson.length, csv.length - 1]).toEqual([750, 750]);
    const byCard = ndjson.filter((line) => line.includes('"booked":{') && !line.includes('"card_no":""')).length / ndjson.length;
    expect(byCard).toBeGreaterThan(0.72);
    expect(byCard).toBeLessThan(0.88);
  });
});

describe('Random', () => {
  it('repeats itself for one seed, and fills its range', () => {
    const list = (seed: string): number[] => {
      const random = new Random(seed);
      return Array.from({ length: 1_000 }, () => random.below(10));
    };
    expect(list('a')).toEqual(list('a'));
    expect(list('a')).not.toEqual(list('b'));
    expect(new Set(list('a')).size).toBe(10);
  });
});
