import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import type { DeviceConfig, DeviceStatus } from '#libs/hsm';
import { Journal } from '#libs/journal';
import { isAppError, openDataSource, SystemClock } from '#libs/platform';
import { createTestDatabase, type TestDatabase } from '../../../test/env/test-database.js';
import { libraryPath, startTestHsm, type TestHsm, testDevices } from '../../../test/env/test-hsm.js';
import { PinLogins } from './index.js';

const DEVICE = 'general-1';
const HOSTS = ['b', 'c', 'd'] as const;

/** Three hosts more reach the token of the first; each has a PIN file and a supervisor of its own, and a wrong PIN. */
describe('a wrong PIN on several hosts', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  let first: TestHsm;
  let folder: string;
  const hosts: { name: string; rig: TestHsm; logins: PinLogins }[] = [];

  const dirOf = (host: string): string => join(folder, host);
  const pinOf = (host: string): string => join(dirOf(host), 'pins', DEVICE);
  const latchOf = (host: string): string => join(dirOf(host), 'state', `${DEVICE}.pin-latched`);
  const spyOf = (host: string): string => join(folder, `${host}.spy`);
  const state = async (rig: TestHsm): Promise<DeviceStatus['state']> => ((await rig.hsm.devices())[0] as DeviceStatus).state;
  const loginsOf = (host: string): number => (readFileSync(spyOf(host), 'utf8').match(/^\d+: C_Login$/gm) ?? []).length;
  const tries = (): number => HOSTS.reduce((sum, host) => sum + loginsOf(host), 0);

  const device = (dir: string): DeviceConfig => testDevices(dir)[0] as DeviceConfig;
  const startHost = (host: string): Promise<TestHsm> =>
    startTestHsm({
      dir: dirOf(host),
      devices: (dir) => [
        { ...device(dir), tokenDir: device(first.dir).tokenDir as string, initialise: false, module: libraryPath('pkcs11-spy.so'), env: { PKCS11SPY: libraryPath('libsofthsm2.so'), PKCS11SPY_OUTPUT: spyOf(host) } },
      ],
    });
  /** Every host's service looks, as it does each second. */
  const look = async (times = 3): Promise<void> => {
    for (let n = 0; n < times; n++) {
      await Promise.all(hosts.map(({ logins }) => logins.answer()));
      await new Promise((next) => setTimeout(next, 300));
    }
  };
  const until = async (what: string, holds: () => Promise<boolean>): Promise<void> => {
    const end = performance.now() + 20_000;
    while (!(await holds())) {
      if (performance.now() > end) throw new Error(`not within 20 s: ${what}`);
      await look(1);
    }
  };
  const writePin = (host: string, pin: string): void => {
    rmSync(pinOf(host), { force: true });
    writeFileSync(pinOf(host), pin, { mode: 0o400 });
  };

  beforeAll(async () => {
    database = await createTestDatabase();
    dataSource = await openDataSource({ url: database.url, role: 'hufu_service' });
    folder = mkdtempSync(join(tmpdir(), 'hufu-hosts-'));
    first = await startTestHsm({ devices: (dir) => [device(dir)] });
    for (const name of HOSTS) {
      writeFileSync(spyOf(name), '');
      mkdirSync(join(dirOf(name), 'pins'), { recursive: true });
      writePin(name, 'not-the-pin');
    }
  });
  afterAll(async () => {
    for (const { rig } of hosts) await rig.stop();
    await first.stop();
    rmSync(folder, { recursive: true, force: true });
    await dataSource.destroy();
    await database.drop();
  });

  it('nobody logs in with a PIN that is new to its host before the service says so', async () => {
    const clock = new SystemClock();
    for (const name of HOSTS) {
      const rig = await startHost(name);
      hosts.push({ name, rig, logins: new PinLogins(dataSource, new Journal(clock), rig.hsm, clock) });
    }
    await new Promise((next) => setTimeout(next, 1000));
    for (const { rig } of hosts) {
      expect(await state(rig)).toBe('starting');
      // Nobody is kept waiting for somebody who may never come.
      const refusal: unknown = await rig.hsm.inventory(DEVICE).catch((error: unknown) => error);
      expect(refusal).toMatchObject({ code: 'HSM_DEVICE_DOWN', details: { device: DEVICE, reason: expect.stringContaining('waits for the leave') } });
    }
    expect(tries()).toBe(0);
  });

  it('one attempt on all hosts; the host that was up before stays up', async () => {
    await until('all latched', async () => (await Promise.all(hosts.map(({ rig }) => state(rig)))).every((each) => each === 'pinLatched'));
    await look();
    expect(tries()).toBe(1);
    expect(await state(first)).toBe('up');
    expect((await hosts[0]?.logins.list())?.map((each) => each.state)).toEqual(['refused']);
  });

  it('mended PIN files alone change nothing: an operator clears the token', async () => {
    const right = readFileSync(join(first.dir, 'pins', DEVICE), 'utf8');
    for (const name of HOSTS) {
      writePin(name, right);
      rmSync(latchOf(name));
    }
    await until('latched again', async () => HOSTS.every((name) => existsSync(latchOf(name))));
    expect(tries()).toBe(1);

    const { logins } = hosts[0] as (typeof hosts)[number];
    const tokenSerial = (await logins.list())[0]?.tokenSerial as string;
    await logins.clear(tokenSerial, 'duty', 'PIN files written anew');
    for (const name of HOSTS) rmSync(latchOf(name));
    await until('all up', async () => (await Promise.all(hosts.map(({ rig }) => state(rig)))).every((each) => each === 'up'));
    await look();
    expect(tries()).toBe(1 + HOSTS.length);
    expect((await logins.list()).map((each) => each.state)).toEqual(['accepted']);
    const refusal: unknown = await logins.clear(tokenSerial, 'duty', 'again').catch((error: unknown) => error);
    expect(isAppError(refusal) && refusal.code).toBe('NOT_FOUND');
  });

  it('a PIN that was taken once needs no service at the next start', async () => {
    const host = hosts[0] as (typeof hosts)[number];
    await host.rig.stop({ keep: true });
    host.rig = await startHost(host.name);
    expect(await state(host.rig)).toBe('up');
    expect(await host.rig.hsm.pinQuestions()).toEqual([]);
  });

  it('an attempt whose answer was lost counts as refused', async () => {
    const host = hosts[1] as (typeof hosts)[number];
    await host.rig.stop({ keep: true });
    writePin(host.name, 'not-the-pin');
    const file = join(dirOf(host.name), 'state', `${DEVICE}.pin.json`);
    host.rig = await startHost(host.name);
    const [asked] = await host.rig.hsm.pinQuestions();
    expect(asked?.state).toBe('awaited');
    // As if the process had died between the attempt and what came of it.
    await host.rig.stop({ keep: true });
    writeFileSync(file, JSON.stringify({ ...(JSON.parse(readFileSync(file, 'utf8')) as object), state: 'tried', tokenSerial: asked?.tokenSerial, told: false }));
    const before = tries();
    host.rig = await startHost(host.name);
    const logins = new PinLogins(dataSource, new Journal(new SystemClock()), host.rig.hsm, new SystemClock());
    expect((await host.rig.hsm.pinQuestions())[0]?.state).toBe('tried');
    await logins.answer();
    await until('latched', async () => (await state(host.rig)) === 'pinLatched');
    expect(tries()).toBe(before);
  });
});
