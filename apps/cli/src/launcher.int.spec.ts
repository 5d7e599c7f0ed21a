import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { processIds, seeProcess, waitUntilNone } from './process-table.js';
import { childEnvironment } from '#libs/platform';

/*
 * ./hufu in a small checkout of its own, with an npm that makes what the real one would in a moment: no network, and a look
 * at what it was asked for. The real one is run by `./hufu soak`.
 */
const project = resolve(import.meta.dirname, '../../..');
let folder: string;
let checkout: string;
let home: string;

const FAKE_NPM = `#!/bin/sh
echo "npm $*" >>"$TMPDIR/calls"
[ ! -e "$TMPDIR/npm-fails" ] || { echo 'npm error E404'; exit 1; }
case $PWD in
  */runtime.new)
    mkdir -p node_modules/node-linux-${process.arch}/bin
    ln -s '${process.execPath}' node_modules/node-linux-${process.arch}/bin/node ;;
  *)
    rm -rf node_modules
    mkdir -p node_modules/typescript/bin
    [ ! -e "$TMPDIR/npm-slow" ] || sleep 87.5
    cp "$TMPDIR/tsc" node_modules/typescript/bin/tsc ;;
esac
`;
// A "compiler" that makes the program which ./hufu hands over to; that one shows what it got.
const FAKE_TSC = `
const { appendFileSync, mkdirSync, writeFileSync, existsSync } = require('node:fs');
appendFileSync(process.env.TMPDIR + '/calls', 'tsc\\n');
if (existsSync(process.env.TMPDIR + '/tsc-fails')) { console.log('libs/a.ts(1,1): error TS1005'); process.exit(1); }
mkdirSync('${'${ROOT}'}/dist/apps/cli/src', { recursive: true });
writeFileSync('${'${ROOT}'}/dist/apps/cli/src/main.js', "console.log(JSON.stringify({ args: process.argv.slice(2), home: process.env.HUFU_HOME, node: process.execPath, options: process.env.NODE_OPTIONS ?? null }));");
`;

/** The native parts: a make that leaves its word. */
function makefile(name: string): string {
  return `all:\n\t@echo 'make ${name}' >>"$$TMPDIR/calls"; mkdir -p build\ntests:\n`;
}
const MADE = ['make hsm-sim', 'make libs/hsm/native'];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hufu launch '));
  chmodSync(folder, 0o700);
  checkout = join(folder, 'check out');
  home = join(folder, 'state 虎符');
  for (const name of ['check out/apps/cli', 'check out/libs/hsm/native', 'check out/hsm-sim', 'check out/test', 'bin', 'tmp']) mkdirSync(join(folder, name), { recursive: true });
  for (const name of ['hufu', 'package.json', 'package-lock.json', 'tsconfig.json', 'apps/cli/runtime', 'apps/cli/help.txt']) {
    cpSync(join(project, name), join(checkout, name), { recursive: true });
  }
  for (const name of ['apps/cli/a.ts', 'libs/a.ts', 'test/a.ts']) writeFileSync(join(checkout, name), 'export {};\n');
  for (const name of ['hsm-sim', 'libs/hsm/native']) writeFileSync(join(checkout, name, 'Makefile'), makefile(name));
  writeFileSync(join(folder, 'tmp', 'tsc'), FAKE_TSC.replaceAll('${ROOT}', checkout));
  tool('npm', FAKE_NPM);
  tool('dpkg-query', '#!/bin/sh\nshift 2\nfor name; do echo "installed $name"; done\n');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function tool(name: string, text: string): void {
  writeFileSync(join(folder, 'bin', name), text, { mode: 0o755 });
}

function switchOn(name: 'npm-fails' | 'npm-slow' | 'tsc-fails', on: boolean): void {
  if (on) writeFileSync(join(folder, 'tmp', name), '');
  else rmSync(join(folder, 'tmp', name), { force: true });
}

interface Launched {
  readonly child: ChildProcess;
  readonly done: Promise<{ code: number | null; out: string; err: string }>;
}

function launch(...args: string[]): Launched {
  const child = spawn(join(checkout, 'hufu'), args, {
    cwd: '/',
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: `${join(folder, 'bin')}:${childEnvironment()['PATH']}`, HOME: folder, TMPDIR: join(folder, 'tmp'), HUFU_HOME: home, NODE_OPTIONS: '--no-such-flag', npm_config_nodedir: '/nowhere', NODE_ENV: 'production' },
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  return { child, done: new Promise((finished) => child.once('close', (code) => finished({ code, out, err }))) };
}

const run = (...args: string[]): Launched['done'] => launch(...args).done;

/** What npm and tsc were asked since the last look. */
function calls(): string[] {
  const file = join(folder, 'tmp', 'calls');
  const lines = existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n') : [];
  rmSync(file, { force: true });
  return lines.map((line) => line.split(' ').slice(0, 2).join(' '));
}

/** The fake npm's sleep is what an unguarded step would leave behind. */
const sleepers = (): number[] => processIds().filter((pid) => seeProcess(pid)?.arguments.join(' ') === 'sleep 87.5');

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !condition(); i++) await new Promise((tick) => setTimeout(tick, 20));
  expect(condition()).toBe(true);
}

describe('./hufu', () => {
  it('sets up once, hands over, and does nothing the second time', async () => {
    const first = await run('demo', '--seed', '7');
    expect(calls()).toEqual(['npm ci', 'npm ci', ...MADE, 'tsc']);
    expect(JSON.parse(first.out)).toEqual({ args: ['demo', '--seed', '7'], home, node: expect.stringContaining('node'), options: null });
    const second = await run('up');
    expect(second).toEqual({ code: 0, out: expect.stringContaining('["up"]'), err: '' });
    expect(calls()).toEqual([]);
  });

  it('prints help without any set-up', async () => {
    expect(await run()).toMatchObject({ code: 0, out: expect.stringContaining('./hufu demo') });
    expect(existsSync(home)).toBe(false);
  });

  it('says what failed and what to do, and begins again the next time', async () => {
    switchOn('npm-fails', true);
    const failed = await run('demo');
    expect(failed.code).toBe(1);
    expect(failed.err).toContain('npm error E404');
    expect(failed.err).toMatch(/下一步.*next:/);
    switchOn('npm-fails', false);
    switchOn('tsc-fails', true);
    expect(await run('demo')).toMatchObject({ code: 1, err: expect.stringContaining('error TS1005') });
    switchOn('tsc-fails', false);
    calls();
    expect((await run('demo')).code).toBe(0);
    expect(calls()).toEqual(['tsc']);
  });

  it.each(['leader', 'group'])('leaves nothing running after kill -9 of the %s during npm ci, and mends it', async (whom) => {
    switchOn('npm-slow', true);
    const { child, done } = launch('demo');
    await until(() => sleepers().length === 1);
    process.kill(whom === 'group' ? -(child.pid as number) : (child.pid as number), 'SIGKILL');
    await done;
    expect(await waitUntilNone(sleepers, 3_000)).toBe(true);
    switchOn('npm-slow', false);
    calls();
    expect((await run('demo')).code).toBe(0);
    // The runtime was whole by then.
    expect(calls()).toEqual(['npm ci', ...MADE, 'tsc']);
  });

  it('lets a second start wait for the first', async () => {
    const [first, second] = await Promise.all([run('demo'), run('demo')]);
    expect([first.code, second.code]).toEqual([0, 0]);
    expect(calls()).toEqual(['npm ci', 'npm ci', ...MADE, 'tsc']);
  });

  it('builds again when a source changed, and from nothing when the list of sources changed', async () => {
    await run('demo');
    const left = join(checkout, 'dist', 'left.js');
    writeFileSync(left, '');
    calls();
    writeFileSync(join(checkout, 'libs', 'a.ts'), 'export const a = 1;\n');
    await run('demo');
    expect([calls(), existsSync(left)]).toEqual([['tsc'], true]);
    rmSync(join(checkout, 'libs', 'a.ts'));
    await run('demo');
    expect([calls(), existsSync(left)]).toEqual([['tsc'], false]);
  });

  it('makes the native parts again when one of their sources changed, and after a failed make', async () => {
    await run('demo');
    calls();
    const source = join(checkout, 'hsm-sim', 'Makefile');
    writeFileSync(source, 'all:\n\t@echo no rule for that; false\ntests:\n');
    expect(await run('demo')).toMatchObject({ code: 1, err: expect.stringContaining('no rule for that') });
    writeFileSync(source, makefile('hsm-sim'));
    expect((await run('demo')).code).toBe(0);
    expect(calls()).toEqual(MADE);
  });

  it('installs again when the lock file changed', async () => {
    await run('demo');
    calls();
    writeFileSync(join(checkout, 'package-lock.json'), '{}');
    await run('demo');
    expect(calls()).toEqual(['npm ci', 'tsc']);
  });
});
