import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { childEnvironment } from '#libs/platform';

/** The worker is started with a database that is not there: whoever gets as far as asking for it has a good configuration. */
describe('a worker in production', () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'hufu-worker-'));
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  const file = (name: string): object => ({ kind: 'file', name, path: join(dir, name) });
  const collector = { kind: 'syslog', name: 'collector', transport: 'tcp', host: 'collector.invalid', port: 6514 };
  const outcome = (mode: string, anchors: readonly object[]): string => {
    const config = join(dir, 'worker.json');
    const journal = { hsmSocket: join(dir, 'journal.sock'), anchors };
    writeFileSync(config, JSON.stringify({ mode, databaseUrl: 'postgres://nobody@127.0.0.1:1/none', hsmSocket: join(dir, 'worker.sock'), evidenceDir: join(dir, 'evidence'), journal, threads: 1 }));
    const { status, stderr } = spawnSync(process.execPath, [resolve('dist/apps/worker/src/main.js')], { env: childEnvironment({ HUFU_CONFIG: config }), encoding: 'utf8', timeout: 60_000 });
    const said = stderr.split('\n').find((line) => line.includes('start failed')) ?? stderr;
    return `${status} ${(JSON.parse(said) as { code: string }).code} ${said.includes('at least 2 anchors') ? 'anchors' : ''}`.trim();
  };

  it.each([
    ['one anchor', () => [file('a')]],
    ['two files', () => [file('a'), file('b')]],
  ])('does not start with %s', (_, anchors) => expect(outcome('production', anchors())).toBe('1 CONFIG_INVALID anchors'));

  it('does with two of different kinds; a rehearsal does with one', () => {
    expect(outcome('production', [file('a'), collector])).toBe('1 DATABASE_UNREACHABLE');
    expect(outcome('rehearsal', [file('a')])).toBe('1 DATABASE_UNREACHABLE');
  });

  it('does not start without saying its mode', () => expect(outcome('off', [file('a'), collector])).toBe('1 CONFIG_INVALID'));
});
