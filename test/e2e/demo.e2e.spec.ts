import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync, rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type DemoRow, runCli, runDemo } from '../env/demo-run.js';
import { fails as approvals } from './rigs/approvals.js';
import { fails as cards } from './rigs/cards.js';
import { fails as closing } from './rigs/closing.js';
import { fails as day } from './rigs/day.js';
import { fails as keys } from './rigs/keys.js';

const RIGS = { keys, cards, day, approvals, closing };

describe('./hufu demo', () => {
  let home: string;
  let sound: DemoRow[];
  const spoiled = new Set<string>();

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'hufu demo '));
  });

  afterAll(() => {
    rmSync(home, { recursive: true, force: true });
  });

  it.each([
    ['1', '1000'],
    ['20261124', '1000'],
    ['777', '6000'],
  ])('seed %s, %s records: every check holds, every line agrees with the truth', async (seed, records) => {
    const { code, rows, failed, text } = await runDemo(home, '--seed', seed, '--records', records);
    expect(failed).toEqual([]);
    expect({ code, text: code === 0 ? '' : text }).toEqual({ code: 0, text: '' });
    expect(rows.length).toBeGreaterThanOrEqual(25);
    expect(new Set(rows.map((row) => row.name)).size).toBe(rows.length);
    expect(rows.every((row) => Object.keys(row).sort().join() === 'actual,expected,name,source' && row.source !== '')).toBe(true);
    expect(rows.find((row) => row.name === 'day.records')?.actual).toBe(records);
    sound = rows;
  }, 180_000);

  it('gives the same report again, byte for byte, after everything was stopped', async () => {
    const lastRun = /reports\/([0-9a-f-]{36})\//.exec((await runDemo(home, '--records', '1000')).text)?.[1] ?? '';
    const files = ['report.pdf', 'report.json', 'report.pdf.p7s', 'report.json.p7s'].map((name) => join(home, 'reports', lastRun, name));
    const before = files.map((file) => readFileSync(file));
    for (const file of files) rmSync(file);
    const { code } = await runCli(home, ['report', lastRun]);
    expect(code).toBe(0);
    expect(files.map((file) => readFileSync(file))).toEqual(before);
  }, 180_000);

  it.each(Object.keys(RIGS) as (keyof typeof RIGS)[])('rig %s: exactly the checks that were spoiled fail, and the exit code says so', async (name) => {
    const { code, rows, failed } = await runDemo(home, '--records', '1000', '--rig', resolve(`dist/test/e2e/rigs/${name}.js`));
    const expected = rows.map((row) => row.name).filter((row) => RIGS[name].some((pattern) => pattern.test(row)));
    expect(failed).toEqual(expected);
    expect(code).toBe(1);
    failed.forEach((row) => spoiled.add(row));
  }, 180_000);

  it('leaves no check that no rig has spoiled', () => {
    expect(sound.map((row) => row.name).filter((name) => !spoiled.has(name))).toEqual([]);
  });
});
