import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { FleetDevice } from '#libs/hsm';

const checkout = resolve(import.meta.dirname, '../..');
let folder: string;
let home: string;
const started: ChildProcess[] = [];

/** One state for all: each test finds what the one before left, whether it was stopped or killed. */
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'hufu up '));
  home = join(folder, 'state');
  mkdirSync(join(folder, 'tmp'));
});
afterEach(async () => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
  expect(await noneLeft()).toEqual([]);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Run {
  readonly child: ChildProcess;
  text(): string;
  readonly done: Promise<{ code: number | null; text: string }>;
}

function hufu(...args: string[]): Run {
  const child = spawn(process.execPath, [join(checkout, 'dist/apps/cli/src/main.js'), ...args], {
    // TMPDIR marks whatever descends from it.
    env: { PATH: process.env['PATH'], HOME: folder, HUFU_HOME: home, TMPDIR: join(folder, 'tmp') },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  started.push(child);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
  return { child, text: () => text, done: new Promise((ended) => child.once('close', (code) => ended({ code, text }))) };
}

async function up(port = 0): Promise<Run & { url: string }> {
  const run = hufu('up', '--port', String(port));
  for (let i = 0; i < 600 && !run.text().includes('running; Ctrl-C'); i++) {
    if (run.child.exitCode !== null) throw new Error(run.text());
    await sleep(50);
  }
  return { ...run, url: /HTTP +(\S+)/.exec(run.text())?.[1] ?? '' };
}

const sleep = (milliseconds: number): Promise<void> => new Promise((tick) => setTimeout(tick, milliseconds));

/** Command lines of living processes that were started here. */
function living(): { pid: number; line: string }[] {
  const mark = `TMPDIR=${join(folder, 'tmp')}\0`;
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((name) => {
    try {
      if (!readFileSync(`/proc/${name}/environ`, 'utf8').includes(mark)) return [];
      return [{ pid: Number(name), line: readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ') }];
    } catch {
      return [];
    }
  });
}

async function noneLeft(): Promise<string[]> {
  for (let i = 0; i < 250 && living().length > 0; i++) await sleep(20);
  return living().map(({ line }) => line);
}

const pidOf = (part: string): number => living().find(({ line }) => line.includes(part))?.pid ?? 0;

describe('./hufu up', () => {
  it('serves, keeps a second one out, lets the doctor look, and stops clean', async () => {
    const { child, url, done } = await up();
    expect((await fetch(`${url}/health/ready`)).status).toBe(200);
    expect(await hufu('up').done).toMatchObject({ code: 1, text: expect.stringMatching(/\[ALREADY_RUNNING\].*\n.+\n下一步：.+next: /) });
    const doctor = await hufu('doctor').done;
    expect(doctor).toMatchObject({ code: 0, text: expect.stringContaining('✓ 数据库结构为本版本') });
    expect(doctor.text).toContain('The token never locks after wrong PINs');
    const page = await hufu('doctor', 'hsm').done;
    expect(page).toMatchObject({ code: 0, text: expect.stringMatching(/■ general-1[^]+transfer +✓ root[^]+■ diversification-1[^]+protectForCard +✓ 3des2/) });
    child.kill('SIGINT');
    expect((await done).code).toBe(0);
    expect(living()).toEqual([]);
    // Without a running one the doctor starts a supervisor for the look and ends it again.
    const resting = await hufu('doctor', 'hsm', '--json').done;
    expect({ code: resting.code, devices: (JSON.parse(resting.text) as { devices: { device: FleetDevice }[] }).devices.map(({ device }) => `${device.device} ${device.state}`) }).toEqual({ code: 0, devices: ['general-1 up', 'diversification-1 up'] });
    expect(living()).toEqual([]);
    expect(readFileSync(join(home, 'logs', 'postgres.log'), 'utf8')).toContain('database system is shut down');
  });

  it('tells no process more than it needs', async () => {
    await up();
    const configs = Object.fromEntries(['hsm', 'service', 'worker'].map((name) => [name, readFileSync(join(home, 'config', `${name}.json`), 'utf8')]));
    expect(configs['hsm']).toContain('pinFile');
    expect(configs['hsm']).not.toContain('postgres://');
    for (const name of ['service', 'worker']) {
      expect(configs[name]).not.toMatch(/pinFile|module|postgres:\/\/postgres:/);
      expect(configs[name]).toContain(`postgres://hufu_${name}_login:`);
    }
  });

  it.each([
    ['the leader', (pid: number) => process.kill(pid, 'SIGKILL')],
    ['its process group', (pid: number) => process.kill(-pid, 'SIGKILL')],
  ])('leaves no process after kill -9 of %s, and starts again', async (_name, kill) => {
    const { child } = await up();
    expect(living().length).toBeGreaterThan(6);
    kill(child.pid as number);
    expect(await noneLeft()).toEqual([]);
    const again = await up();
    expect((await fetch(`${again.url}/health/ready`)).status).toBe(200);
  });

  it.each(['worker', 'service', 'hsm'])('ends with a clear message when the %s dies', async (name) => {
    const { done } = await up();
    process.kill(pidOf(`dist/apps/${name}/src/main.js`), 'SIGKILL');
    const { code, text } = await done;
    expect(code).toBe(1);
    expect(text).toContain(`[PROGRAM_ENDED] 程序 ${name} 意外结束：SIGKILL`);
    expect(text).toContain(`logs/${name}.log`);
  });

  it('goes on with the other devices when a PIN is refused, tries it once, and says so', async () => {
    const pinFile = join(home, 'hsm', 'pins', 'general-1');
    chmodSync(pinFile, 0o600);
    writeFileSync(pinFile, '000000');
    const first = await up();
    expect(first.text()).toContain('[PIN_REFUSED] 令牌 general-1');
    expect((await fetch(`${first.url}/health/ready`)).status).toBe(503);
    const doctor = await hufu('doctor').done;
    expect(doctor).toMatchObject({ code: 1, text: expect.stringMatching(/✗ 密码机 general-1.*已锁存/) });
    expect(doctor.text).toMatch(/✓ 密码机 diversification-1/);
  });
});
