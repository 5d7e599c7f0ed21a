import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { EXCLUSIONS, QUALIFICATIONS, ROLES } from '#libs/access';
import { ERROR_TEXTS, RESULT_CLASSES, SecretBytes } from '#libs/platform/domain';
import { CODE_RULES } from './architecture/code-rules.js';
import { findCycle } from './architecture/cycles.js';
import { IMPORT_RULES, MAY_IMPORT } from './architecture/import-rules.js';
import { ALLOWED, PLANTED } from './architecture/planted.js';
import { parseFile, type ParsedFile, type SourceFile, type Violation } from './architecture/source-file.js';
import { textFaults } from './architecture/text-rules.js';

/**
 * The architecture as a program: docs/architecture.md says why, this says no. Every rule is a function over files, so
 * that it also runs over planted violations: a rule that finds nothing there finds nothing anywhere.
 */
const ROOT = join(import.meta.dirname, '..');
const RULES = [...IMPORT_RULES, ...CODE_RULES];

function violations(files: readonly ParsedFile[]): Violation[] {
  return RULES.flatMap((rule) => rule.check(files).map((found) => ({ rule: rule.name, ...found })));
}

const parsed = (files: readonly SourceFile[]): ParsedFile[] => files.map(parseFile);

describe('the source tree', () => {
  let files: ParsedFile[];
  beforeAll(() => {
    const paths = globSync(['apps/**/*.ts', 'libs/**/*.ts', 'test/**/*.ts'], { cwd: ROOT }).sort();
    files = parsed(paths.map((path) => ({ path: path.replaceAll('\\', '/'), source: readFileSync(join(ROOT, path), 'utf8') })));
  });

  it('is there', () => {
    expect(files.length).toBeGreaterThan(50);
    expect(files.map(({ path }) => path)).toContain('libs/platform/src/index.ts');
    expect(files.flatMap(({ imports }) => imports).length).toBeGreaterThan(100);
  });

  it.each(RULES.map(({ name, check }) => [name, check] as const))('obeys %s', (_name, check) => {
    expect(check(files).map(({ path, line, what }) => `${path}:${line} ${what}`)).toEqual([]);
  });
});

describe('the rules', () => {
  it.each(PLANTED.map((planted) => [planted.rule, planted.what, planted.files] as const))('%s catches: %s', (rule, _what, files) => {
    expect(violations(parsed(files)).map((found) => found.rule)).toContain(rule);
  });

  it('let pass what only looks wrong', () => {
    expect(violations(parsed(ALLOWED))).toEqual([]);
  });

  it('have distinct names and at least one planted violation each', () => {
    expect(new Set(RULES.map(({ name }) => name)).size).toBe(RULES.length);
    expect(RULES.map(({ name }) => name).filter((name) => !PLANTED.some((planted) => planted.rule === name))).toEqual([]);
  });

  it('name the line', () => {
    const found = violations(parsed([{ path: 'libs/pki/src/x.ts', source: "\n\nimport { Cards } from '#libs/cards';" }]));
    expect(found).toEqual([{ rule: 'lib-table', path: 'libs/pki/src/x.ts', line: 3, what: 'lib pki may not import cards' }]);
  });

  it('rest on a table of libs that knows all its names and has no cycle', () => {
    for (const allowed of Object.values(MAY_IMPORT)) for (const name of allowed) expect(Object.keys(MAY_IMPORT)).toContain(name);
    expect(findCycle(new Map(Object.entries(MAY_IMPORT).map(([lib, allowed]) => [lib, new Set(allowed)])))).toBeUndefined();
  });
});

describe('texts', () => {
  const errors = Object.entries(ERROR_TEXTS).flatMap(([code, { text, next }]) => [
    { name: `${code} text`, ...text },
    { name: `${code} next`, ...next },
  ]);
  const classes = Object.entries(RESULT_CLASSES).map(([name, { text }]) => ({ name, ...text }));

  const rights = [
    ...Object.entries(ROLES).flatMap(([name, { text, duties }]) => [{ name, ...text }, ...duties.map((duty) => ({ name: `${name} duty`, ...duty }))]),
    ...Object.entries(QUALIFICATIONS).map(([name, { text }]) => ({ name, ...text })),
    ...EXCLUSIONS.map(({ name, text }) => ({ name, ...text })),
  ];

  it('of every error code stand in both languages', () => expect(textFaults(errors)).toEqual([]));
  it('of every result class stand in both languages', () => expect(textFaults(classes)).toEqual([]));
  it('of every role, duty, qualification and exclusion stand in both languages', () => expect(textFaults(rights)).toEqual([]));

  it.each([
    ['no zh', { name: 'X', zh: ' ', en: 'Text' }, 'X: no zh'],
    ['no en', { name: 'X', zh: '文字', en: '' }, 'X: no en'],
    ['English twice', { name: 'X', zh: 'Text', en: 'Text' }, 'X: zh without a Chinese word'],
    ['Chinese twice', { name: 'X', zh: '文字', en: '文字' }, 'X: en holds Chinese'],
    ['a placeholder forgotten', { name: 'X', zh: '文字 {path}', en: 'Text' }, 'X: placeholders differ'],
  ])('with %s would be caught', (_name, text, fault) => expect(textFaults([text])).toContain(fault));
});

describe('SecretBytes', () => {
  it('prints nothing whatever way it is printed, and can be wiped', () => {
    const bytes = Uint8Array.of(0xca, 0xfe, 0xba, 0xbe);
    const secret = new SecretBytes(bytes);
    for (const shown of [String(secret), `${secret}`, JSON.stringify({ secret }), inspect(secret), inspect({ deep: [secret] }, { showHidden: true })]) {
      expect(shown).toContain('[redacted]');
      expect(shown).not.toMatch(/cafe|202|254/i);
    }
    secret.zero();
    expect([...bytes]).toEqual([0, 0, 0, 0]);
    expect(() => secret.reveal((value) => value.length)).toThrow(expect.objectContaining({ code: 'SECRET_ALREADY_ZEROED' }));
  });
});
