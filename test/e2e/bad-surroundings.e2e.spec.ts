import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { childEnvironment } from '#libs/platform';
import { runCli } from '../env/demo-run.js';

/** Each message names the fault in zh and en and says what to do next; nothing goes on half-way. */
const clear = (code: string): RegExp => new RegExp(`\\[${code}\\] .*[\\u4e00-\\u9fff][\\s\\S]*next: `);

describe('what is wrong around the product', () => {
  let home: string;

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'hufu-bad-'));
  });

  afterAll(() => {
    rmSync(home, { recursive: true, force: true });
  });

  it('runs in the foreground, says where, and stops cleanly', async () => {
    const up = await startUp(home);
    expect(up.text()).toContain('http://127.0.0.1:');
    expect((await runCli(home, ['demo', '--records', '1000'])).text).toMatch(clear('ALREADY_RUNNING'));
    expect(await up.stop()).toBe(0);
  }, 120_000);

  it('a port in use', async () => {
    const server = createServer();
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const { port } = server.address() as { port: number };
    const { code, text } = await runCli(home, ['up', '--port', String(port)]);
    server.close();
    expect(code).toBe(1);
    expect(text).toMatch(clear('PORT_IN_USE'));
  }, 60_000);

  it('a database that is down', async () => {
    const { code, text } = await runCli(home, ['demo', '--records', '1000'], { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' });
    expect(code).toBe(1);
    expect(text).toMatch(clear('DATABASE_UNREACHABLE'));
    expect((await runCli(home, ['migrate'], { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' })).code).toBe(1);
  }, 60_000);

  it('a missing token', async () => {
    const config = join(home, 'devices.json');
    const device = { device: 'general-1', group: 'general', profile: 'generic', module: '/nowhere/libvendor.so', tokenSerial: '1', pinFile: join(home, 'pin') };
    writeFileSync(join(home, 'pin'), '1234', { mode: 0o400 });
    writeFileSync(config, JSON.stringify({ devices: [device] }));
    const { code, text } = await runCli(home, ['demo', '--records', '1000'], { HUFU_HSM_CONFIG: config });
    expect(code).toBe(1);
    expect(text).toMatch(clear('TOKEN_MISSING'));
    writeFileSync(config, JSON.stringify({ devices: [{ ...device, colour: 'red' }] }));
    expect((await runCli(home, ['demo', '--records', '1000'], { HUFU_HSM_CONFIG: config })).text).toMatch(clear('CONFIG_INVALID'));
  }, 120_000);

  it('a wrong PIN is tried once and stays latched', async () => {
    const pin = join(home, 'hsm', 'pins', 'general-1');
    chmodSync(pin, 0o600);
    writeFileSync(pin, 'not-the-pin');
    chmodSync(pin, 0o400);
    for (let start = 0; start < 2; start++) {
      const { code, text } = await runCli(home, ['demo', '--records', '1000']);
      expect(code).toBe(1);
      expect(text).toMatch(clear('PIN_REFUSED'));
    }
    expect(readdirSync(join(home, 'hsm', 'state')).some((name) => name.includes('general-1'))).toBe(true);
  }, 120_000);

  it('a full disk', async () => {
    const small = join(home, 'small');
    mkdirSync(small);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', small]);
    try {
      const state = join(small, 'state');
      const { code, text } = await runCli(state, ['demo', '--records', '1000']);
      expect(code).toBe(1);
      expect(text).toMatch(clear('DISK_FULL'));
      expect(existsSync(join(state, 'demo.json'))).toBe(false);
      expect(existsSync(join(state, 'pg', 'data'))).toBe(false);
    } finally {
      execFileSync('umount', ['-l', small]);
    }
  }, 60_000);

  it.each([
    [['demo', '--records', 'many']],
    [['demo', '--colour', 'red']],
    [['report', 'not-a-run']],
    [['soak', 'nothing-of-that-name']],
    [['bench', 'nothing-of-that-name']],
    [['dance']],
  ])('%j: one clear message', async (args) => {
    const { code, text } = await runCli(home, args);
    expect(code).not.toBe(0);
    expect(text).toMatch(/\[(COMMAND_INVALID|RUN_UNKNOWN)\] /);
  });
});

interface Up {
  text(): string;
  stop(): Promise<number | null>;
}

async function startUp(home: string): Promise<Up> {
  let text = '';
  const child: ChildProcess = spawn(process.execPath, ['--disable-sigusr1', resolve('dist/apps/cli/src/main.js'), 'up', '--port', '0'], {
    env: childEnvironment({ HUFU_HOME: home }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<number | null>((done) => child.once('close', done));
  await new Promise<void>((ready, reject) => {
    const take = (piece: Buffer): void => {
      text += piece.toString();
      if (text.includes('running; Ctrl-C stops it')) ready();
    };
    child.stdout?.on('data', take);
    child.stderr?.on('data', take);
    child.once('close', () => reject(new Error(text)));
  });
  return {
    text: () => text,
    stop: () => {
      child.kill('SIGINT');
      return ended;
    },
  };
}
