import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { groups, plannedSteps, readScript, type Script, scriptDigests, spoken, typedHex } from './index.js';

const CEREMONIES = join(import.meta.dirname, '../../../certs/ceremonies');
const files = readdirSync(CEREMONIES);

describe('the scripts of certs/ceremonies', () => {
  it.each(files)('%s is whole and named as its file', (file) => {
    const script = readScript(join(CEREMONIES, file));
    expect(`${script.name}.yaml`).toBe(file);
    expect(plannedSteps(script, 5).length).toBeGreaterThanOrEqual(script.steps.length);
  });

  it('cover generation, backup, recovery, re-split, content check, destruction and the log key', () => {
    expect(files.map((file) => file.replace('.yaml', '')).sort()).toEqual(['backup', 'contentCheck', 'destroy', 'generate', 'logKey', 'resplit', 'restore']);
  });

  it('repeat the steps of custodians for each of them, in their order', () => {
    const names = plannedSteps(readScript(join(CEREMONIES, 'generate.yaml')), 3).map(({ name }) => name);
    expect(names.slice(7, 14)).toEqual(['component-1', 'component-2', 'component-3', 'seal-1', 'seal-2', 'seal-3', 'signOff']);
  });
});

describe('the digest of a script', () => {
  const read = (): Script => readScript(join(CEREMONIES, 'generate.yaml'));

  it('does not see spaces, comments and order of members, and sees every word', () => {
    const script = read();
    const turned = Object.fromEntries(Object.entries(script).reverse()) as unknown as Script;
    expect(scriptDigests(turned)).toEqual(scriptDigests(script));
    const first = script.steps[0] as Script['steps'][number];
    for (const changed of [{ ...script, version: 2 }, { ...script, steps: script.steps.slice(1) }, { ...script, steps: [{ ...first, say: { ...first.say, zh: `${first.say.zh}。` } }, ...script.steps.slice(1)] }]) {
      expect(scriptDigests(changed as Script).sha256).not.toBe(scriptDigests(script).sha256);
      expect(scriptDigests(changed as Script).sm3).not.toBe(scriptDigests(script).sm3);
    }
  });

  it('is shown in groups of four, said in both languages, and typed as people type', () => {
    expect(groups('0123456789ABCDEF')).toBe('0123 4567 89AB CDEF');
    expect(spoken('0127').map(({ zh }) => zh)).toEqual(['洞·幺·两·拐']);
    expect(spoken('89AF')[0]?.en).toBe('eight niner alfa foxtrot');
    expect(new Set([...'0123456789ABCDEF'].map((character) => spoken(character)[0]?.zh)).size).toBe(16);
    expect(typedHex('a1b2-c3 d4')).toBe('A1B2C3D4');
    expect(() => spoken('g')).toThrow(RangeError);
  });
});

describe('a faulty script', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'hufu ceremony '));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const good = readFileSync(join(CEREMONIES, 'generate.yaml'), 'utf8');

  it.each([
    ['no YAML', (): string => '{', /./],
    ['an unknown member', (text: string): string => text.replace('version: 1', 'version: 1\nskip: true'), /skip/],
    ['a missing language', (text: string): string => text.replace('en: Check-in', 'fr: Check-in'), /title/],
    ['no check-in at its beginning', (text: string): string => text.replace('kind: checkIn', 'kind: verifyDevice'), /begins with checkIn/],
    ['no sign-off at its end', (text: string): string => text.replace('kind: signOff', 'kind: verifyDevice'), /ends with signOff/],
    ['an act after which nothing compares', (text: string): string => text.replace('of: generate', 'of: nothing'), /no earlier step/],
    ['a check value of a step that gives none', (text: string): string => text.replace('of: generate', 'of: split'), /no earlier step/],
    ['a step twice', (text: string): string => text.replace('id: copy', 'id: generate'), /unique/],
    ['no witness', (text: string): string => text.replace('witness: 1, ', ''), /witness is missing/],
  ])('with %s is refused by name', (_name, change, reason) => {
    const file = join(folder, 'a.yaml');
    writeFileSync(file, change(good));
    expect(() => readScript(file)).toThrow(expect.objectContaining({ code: 'CEREMONY_SCRIPT_INVALID', details: { file, reason: expect.stringMatching(reason) } }));
  });
});
