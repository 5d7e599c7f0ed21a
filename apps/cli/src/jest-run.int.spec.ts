import { afterEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { tmpdir } from 'node:os';
import { runJest } from './jest-run.js';

const checkout = resolve(import.meta.dirname, '../../..');
const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A project of its own with these suites, run by this checkout's Jest. */
function runSuites(suites: Readonly<Record<string, string>>, patterns: readonly string[] = []): ReturnType<typeof runJest> {
  const folder = mkdtempSync(join(tmpdir(), 'hufu jest '));
  folders.push(folder);
  for (const [name, text] of Object.entries(suites)) writeFileSync(join(folder, `${name}.spec.mjs`), text);
  const config = join(folder, 'jest.config.mjs');
  writeFileSync(config, `export default { testEnvironment: 'node', testMatch: ['**/*.spec.mjs'], transform: {}, maxWorkers: 1 };`);
  return runJest({ folder, checkout, config, patterns, environment: {}, reportFile: join(folder, 'report.json') });
}

const good = `test('good', () => undefined);`;

describe('counting a real run of Jest', () => {
  it('counts what did not pass, whatever Jest calls it', async () => {
    const count = await runSuites({
      good,
      broken: 'this is not JavaScript',
      absent: `import './nowhere.mjs'; ${good}`,
      empty: '',
      skipped: `${good} test.skip('skipped', () => undefined);`,
      todo: `${good} test.todo('todo');`,
      failing: `${good} test('bad', () => { throw new Error('bad'); });`,
      after: `${good} afterAll(() => { throw new Error('after'); });`,
      only: `${good} test.only('only', () => undefined);`,
    });
    expect(count).toEqual({ passed: 6, failed: 8 });
  });

  it('takes patterns, and nothing found is a failure', async () => {
    expect(await runSuites({ good, other: 'broken' }, ['good'])).toEqual({ passed: 1, failed: 0 });
    expect(await runSuites({ good }, ['nowhere'])).toEqual({ passed: 0, failed: 1 });
  });
});
