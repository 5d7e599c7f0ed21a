import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';
import { parse } from 'yaml';
import { z } from 'zod';
import { textFaults } from './architecture/text-rules.js';

const ROOT = join(import.meta.dirname, '..');

const Control = z.strictObject({
  id: z.string().regex(/^[CT][1-9][0-9]?$/),
  source: z.string().min(1),
  zh: z.string().min(1),
  en: z.string().min(1),
  tests: z.array(z.string()).min(1),
});

/** Names of the tests that a file declares: the first argument of `it(…)`, `it.each(…)(…)`, not of anything skipped. */
function testsIn(source: string): string[] {
  const names: string[] = [];
  const visit = (node: ts.Node): void => {
    const [name] = ts.isCallExpression(node) ? node.arguments : [];
    if (ts.isCallExpression(node) && isTest(node.expression) && name !== undefined && ts.isStringLiteralLike(name)) names.push(name.text);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile('x.ts', source, ts.ScriptTarget.Latest, true));
  return names;
}

function isTest(callee: ts.Expression): boolean {
  if (ts.isIdentifier(callee)) return callee.text === 'it';
  return ts.isCallExpression(callee) && ts.isPropertyAccessExpression(callee.expression) && callee.expression.name.text === 'each' && isTest(callee.expression.expression);
}

/** What is wrong with a list of controls: ids twice, tests that are named and do not exist. */
function faults(controls: readonly z.infer<typeof Control>[], sourceOf: (file: string) => string | undefined): string[] {
  const twice = controls.filter(({ id }, n) => controls.findIndex((other) => other.id === id) !== n).map(({ id }) => `${id} twice`);
  const missing = controls.flatMap(({ id, tests }) =>
    tests.flatMap((test) => {
      const [file = '', name = '', ...rest] = test.split(' › ');
      const source = rest.length === 0 && /^(libs|apps|test)\/[\w./-]+\.spec\.ts$/.test(file) ? sourceOf(file) : undefined;
      return source !== undefined && testsIn(source).includes(name) ? [] : [`${id}: ${test}`];
    }),
  );
  return [...twice, ...missing];
}

describe('docs/controls.yaml', () => {
  const text = readFileSync(join(ROOT, 'docs/controls.yaml'), 'utf8');
  const controls = z.array(Control).min(1).parse(parse(text));

  it('names only tests that exist, and each id once', () => {
    expect(faults(controls, (file) => (existsSync(join(ROOT, file)) ? readFileSync(join(ROOT, file), 'utf8') : undefined))).toEqual([]);
  });

  it('has one block per entry, and both languages', () => {
    expect(text.match(/^- id: [CT]\d+$/gm)).toHaveLength(controls.length);
    expect(textFaults(controls.map(({ id, zh, en }) => ({ name: id, zh, en })))).toEqual([]);
  });

  it('would be found wrong', () => {
    const entry = (tests: string[], id = 'C1'): z.infer<typeof Control> => ({ id, source: 's', zh: '中', en: 'e', tests });
    const source = "it('is there', () => {}); it.each([1])('each %s', () => {}); it.skip('skipped', () => {}); // it('in a comment')\nconst x = 'quoted';";
    const found = (tests: string[]): string[] => faults([entry(tests)], (file) => (file === 'libs/a.spec.ts' ? source : undefined));
    expect(found(['libs/a.spec.ts › is there', 'libs/a.spec.ts › each %s'])).toEqual([]);
    for (const planted of ['skipped', 'in a comment', 'quoted', 'is', 'is there › x', '']) expect(found([`libs/a.spec.ts › ${planted}`])).toHaveLength(1);
    for (const planted of ['libs/b.spec.ts › is there', 'libs/a.ts › is there', 'is there', '../a.spec.ts › is there']) expect(found([planted])).toHaveLength(1);
    expect(faults([entry(['libs/a.spec.ts › is there']), entry(['libs/a.spec.ts › is there'])], () => source)).toEqual(['C1 twice']);
  });
});
