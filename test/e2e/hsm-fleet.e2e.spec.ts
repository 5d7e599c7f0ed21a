import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { DeviceConfig, DeviceStatus, FleetStatus } from '#libs/hsm';
import { isAppError, toHex } from '#libs/platform';
import { type FleetKeys, FleetLoad, makeFleetKeys, purchaseItem } from '../builders/fleet-load.js';
import { simDevice, SimControl } from '../builders/hsm-sim.js';
import { agentOf } from '../env/agent-of.js';
import { givePinLeave } from '../env/pin-leave.js';
import { libraryPath, startTestHsm, type TestHsm } from '../env/test-hsm.js';

/**
 * The fleet while devices fail. Every request of the load has its answer compared; with a sibling up none fails and none is wrong.
 * Bounds of time are those of the product; a host that does other things too has three tries, or MARGIN_MS more.
 */
const NAMES = ['fleet-1', 'fleet-2', 'fleet-3', 'fleet-4', 'fleet-5'] as const;
const KNOWN_ANSWER_SECONDS = 2;
const FOUND_MS = 1000;
const MARGIN_MS = 500;

interface Fleet {
  rig: TestHsm;
  readonly controls: Readonly<Record<string, SimControl>>;
  readonly keys: FleetKeys;
}

async function startFleet(names: readonly string[] = NAMES, dir?: string, earlier?: Readonly<Record<string, SimControl>>, knownAnswerSeconds = KNOWN_ANSWER_SECONDS): Promise<{ rig: TestHsm; controls: Readonly<Record<string, SimControl>> }> {
  const controls: Record<string, SimControl> = { ...earlier };
  const rig = await startTestHsm({
    ...(dir === undefined ? {} : { dir }),
    settings: { knownAnswerSeconds },
    devices: (at) => names.map((name) => simDevice(at, name, { control: (controls[name] ??= new SimControl(join(at, 'faults', name))) })),
  });
  return { rig, controls };
}

const pause = (ms: number): Promise<void> => new Promise((next) => setTimeout(next, ms));
const until = async (what: string, seconds: number, holds: () => boolean | Promise<boolean>): Promise<number> => {
  const from = performance.now();
  while (!(await holds())) {
    if (performance.now() - from > seconds * 1000) throw new Error(`not within ${seconds} s: ${what}`);
    await pause(10);
  }
  return performance.now() - from;
};
/** How fast `cause` takes a device out of `up`; the best of three where the first was late: the host does other things too. */
async function foundMs(rig: TestHsm, device: string, within: number, cause: () => void, mend: () => void): Promise<number> {
  let best = Infinity;
  for (let round = 0; round < 3 && best > within; round++) {
    if (round > 0) {
      mend();
      await allUp(rig, 60);
    }
    cause();
    best = Math.min(best, await until(`${device} found`, 10, async () => (await stateOf(rig, device)).state !== 'up'));
  }
  return best;
}

const stateOf = async (rig: TestHsm, device: string): Promise<DeviceStatus> => (await rig.hsm.devices()).find((each) => each.device === device) as DeviceStatus;
const isState = (rig: TestHsm, device: string, state: string) => async (): Promise<boolean> => (await stateOf(rig, device)).state === state;
const allUp = (rig: TestHsm, seconds = 45): Promise<number> => until('all up', seconds, async () => (await rig.hsm.fleet()).groups.some(({ group, up, of }) => group === 'diversification' && up === of));
const codeOf = async (act: Promise<unknown>): Promise<string> => act.then(() => 'ok', (error: unknown) => (isAppError(error) ? error.code : String(error)));
const deviceOf = (fleet: FleetStatus, device: string): FleetStatus['devices'][number] => fleet.devices.find((each) => each.device === device) as FleetStatus['devices'][number];

function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

describe('five devices under load', () => {
  let fleet: Fleet;
  let load: FleetLoad | undefined;
  const control = (device: string): SimControl => fleet.controls[device] as SimControl;
  const found = (device: string, within: number, fault: string): Promise<number> => foundMs(fleet.rig, device, within, () => control(device).set(fault), () => control(device).set());
  const start = (): FleetLoad => (load = new FleetLoad(fleet.rig.hsm, fleet.keys));
  /** Ends the load; nothing failed, nothing was wrong, and there was enough of it. */
  const expectFlawless = async (least = 50): Promise<void> => {
    await load?.stop();
    expect(load?.events).toEqual([]);
    expect(load?.right).toBeGreaterThan(least);
  };

  beforeAll(async () => {
    const { rig, controls } = await startFleet();
    fleet = { rig, controls, keys: await makeFleetKeys(rig.hsm, NAMES) };
  });
  afterEach(async () => {
    await load?.stop();
    for (const each of Object.values(fleet.controls)) each.set();
    await allUp(fleet.rig, 60);
  });
  afterAll(() => fleet.rig.stop());

  it('kill -9 of an agent: nobody notices, and it comes back by itself', async () => {
    start();
    for (const device of ['fleet-1', 'fleet-3']) {
      await pause(300);
      const agent = agentOf(fleet.rig, device);
      process.kill(agent, 'SIGKILL');
      await until(`${device} down`, 5, async () => (await stateOf(fleet.rig, device)).state !== 'up');
      await allUp(fleet.rig);
      expect(agentOf(fleet.rig, device)).not.toBe(agent);
    }
    await expectFlawless();
  });

  it('a device that hangs is found within a second, its requests answered by siblings, and back when it moves again', async () => {
    start();
    await pause(300);
    expect(await found('fleet-2', FOUND_MS, '* hang')).toBeLessThanOrEqual(FOUND_MS);
    await pause(500);
    control('fleet-2').set();
    await allUp(fleet.rig);
    await expectFlawless();
  });

  it('an idle device that hangs is found too', async () => {
    expect(await found('fleet-2', FOUND_MS, '* hang')).toBeLessThanOrEqual(FOUND_MS);
  });

  it('a device that is removed is found within a second, and used again when it has returned', async () => {
    start();
    await pause(300);
    expect(await found('fleet-4', FOUND_MS, '* remove')).toBeLessThanOrEqual(FOUND_MS);
    await until('missing', 5, isState(fleet.rig, 'fleet-4', 'missing'));
    control('fleet-4').set();
    await allUp(fleet.rig);
    await expectFlawless();
  });

  it('sessions that vanish again and again cost nobody an answer', async () => {
    start();
    for (let round = 0; round < 6; round++) {
      await pause(250);
      control('fleet-5').set('* sessions-gone');
    }
    control('fleet-5').set();
    await allUp(fleet.rig);
    await expectFlawless();
    expect(deviceOf(await fleet.rig.hsm.fleet(), 'fleet-5').figures.loginEpoch).toBeGreaterThan(1);
  });

  it('a device that lies is quarantined within one interval; its answers are listed, no compared one was wrong, and the truth releases it', async () => {
    const before = (await fleet.rig.hsm.fleet()).doubtful.length;
    start();
    await pause(500);
    control('fleet-3').set('C_DeriveKey flip');
    const lieMs = performance.now();
    const foundAfterMs = await until('quarantined', 10, isState(fleet.rig, 'fleet-3', 'quarantined'));
    const quarantinedMs = performance.now();
    expect(foundAfterMs).toBeLessThan(KNOWN_ANSWER_SECONDS * 1000 + MARGIN_MS);
    await pause(1000);
    expect((await stateOf(fleet.rig, 'fleet-3')).state).toBe('quarantined');
    expect(await codeOf(fleet.rig.hsm.inventory('fleet-3'))).toBe('HSM_DEVICE_DOWN');
    control('fleet-3').set();
    await allUp(fleet.rig);
    await load?.stop();
    expect(load?.failed).toEqual([]);
    const wrong = load?.wrong ?? [];
    expect(wrong.filter(({ paired }) => paired)).toEqual([]);
    expect(wrong.filter(({ askedMs, endedMs }) => endedMs < lieMs || askedMs > quarantinedMs)).toEqual([]);
    const { doubtful } = await fleet.rig.hsm.fleet();
    const listed = doubtful.slice(before).filter(({ device }) => device === 'fleet-3');
    for (const recipe of ['checkValues', 'commandMacs', 'purchaseMacs'] as const) {
      const of = wrong.filter(({ kind }) => kind === recipe);
      expect([recipe, listed.filter((each) => each.recipe === recipe).length >= of.length]).toEqual([recipe, true]);
    }
    expect(load?.right).toBeGreaterThan(50);
  });

  it('two of five down', async () => {
    start();
    for (const device of ['fleet-1', 'fleet-2']) control(device).set('* remove');
    await until('two down', 5, async () => (await fleet.rig.hsm.devices()).filter(({ state }) => state !== 'up').length === 2);
    await pause(700);
    for (const device of ['fleet-1', 'fleet-2']) control(device).set();
    await allUp(fleet.rig);
    await expectFlawless();
  });

  it('all down: HSM_DEVICE_DOWN names every device, and all come back', async () => {
    for (const device of NAMES) control(device).set('* remove');
    await until('all down', 5, async () => (await fleet.rig.hsm.devices()).every(({ state }) => state !== 'up'));
    const refusal: unknown = await fleet.rig.hsm.checkValues('@diversification', [{ key: { keyId: fleet.keys.purchase, factors: [] }, method: 'zero3' }]).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'HSM_DEVICE_DOWN', details: { device: '@diversification' } });
    for (const device of NAMES) expect(JSON.stringify(isAppError(refusal) && refusal.details)).toContain(device);
    for (const device of NAMES) control(device).set();
    await allUp(fleet.rig);
    start();
    await pause(500);
    await expectFlawless(10);
  });

  it('five failures in a row open the breaker; right known answers close it', async () => {
    control('fleet-1').set('C_DeriveKey ckr=CKR_FUNCTION_FAILED');
    start();
    await until('breaker open', 10, async () => deviceOf(await fleet.rig.hsm.fleet(), 'fleet-1').figures.breaker !== 'closed');
    const { counters, state } = deviceOf(await fleet.rig.hsm.fleet(), 'fleet-1');
    expect([state, (counters.errors['CKR_FUNCTION_FAILED'] ?? 0) >= 5]).toEqual(['up', true]);
    const failures = counters.failures;
    await pause(300);
    expect(deviceOf(await fleet.rig.hsm.fleet(), 'fleet-1').counters.failures).toBeLessThanOrEqual(failures + 6);
    control('fleet-1').set();
    await allUp(fleet.rig);
    await expectFlawless();
  });

  it('errors that speak of the request do not take a device away, and siblings answer', async () => {
    control('fleet-1').set('C_DeriveKey ckr=CKR_KEY_TYPE_INCONSISTENT every=3');
    start();
    await pause(1500);
    await expectFlawless();
  });
});

describe('a fleet that is started anew', () => {
  const rigs: TestHsm[] = [];
  const started = async (...args: Parameters<typeof startFleet>): ReturnType<typeof startFleet> => {
    const made = await startFleet(...args);
    rigs.push(made.rig);
    return made;
  };
  afterEach(async () => {
    for (const rig of rigs.splice(0).reverse()) await rig.stop();
  });

  it.each(['SIGKILL', 'SIGTERM'] as const)('%s of the supervisor under load: unreachable while it is away, then everything as before', async (signal) => {
    const { rig, controls } = await started();
    const keys = await makeFleetKeys(rig.hsm, NAMES);
    const agents = NAMES.map((device) => agentOf(rig, device));
    const load = new FleetLoad(rig.hsm, keys);
    await pause(500);
    const goneMs = performance.now();
    rig.supervisor.kill(signal);
    await until('supervisor gone', 10, () => rig.supervisor.exitCode !== null || rig.supervisor.signalCode !== null);
    await until('agents gone', 5, () => !agents.some(isAlive));
    await started(NAMES, rig.dir, controls);
    const backMs = performance.now();
    const right = load.right;
    await pause(700);
    await load.stop();
    expect(load.wrong).toEqual([]);
    expect(load.failed.filter(({ what }) => !/^HSM_UNREACHABLE|^HSM_DEVICE_DOWN/.test(what))).toEqual([]);
    expect(load.failed.filter(({ askedMs, endedMs }) => endedMs < goneMs || askedMs > backMs)).toEqual([]);
    expect(load.failed.length).toBeGreaterThan(0);
    expect(load.right - right).toBeGreaterThan(20);
  });

  it('a refused PIN: one attempt over restarts; the others serve', async () => {
    const names = NAMES.slice(0, 2);
    const { rig, controls } = await started(names);
    const keys = await makeFleetKeys(rig.hsm, names);
    await rig.stop({ keep: true });
    const pinFile = join(rig.dir, 'pins', 'fleet-1');
    rmSync(pinFile);
    writeFileSync(pinFile, 'not-the-pin', { mode: 0o400 });
    const spyLog = join(rig.dir, 'spy.log');
    for (let round = 1; round <= 3; round++) {
      const again = await startTestHsm({
        dir: rig.dir,
        devices: (at) =>
          names.map((name) => {
            const device = simDevice(at, name, { control: controls[name] as SimControl });
            return name === 'fleet-1' ? { ...device, module: libraryPath('pkcs11-spy.so'), env: { PKCS11SPY: device.module, PKCS11SPY_OUTPUT: spyLog } } : device;
          }),
      });
      rigs.push(again);
      if (round === 1) {
        await givePinLeave(again.hsm);
        await until('latched', 10, isState(again, 'fleet-1', 'pinLatched'));
      }
      const load = new FleetLoad(again.hsm, keys, { pairing: false });
      await pause(300);
      await load.stop();
      expect([round, (await stateOf(again, 'fleet-1')).state, load.events]).toEqual([round, 'pinLatched', []]);
      expect(load.right).toBeGreaterThan(5);
      expect(await codeOf(again.hsm.inventory('fleet-1'))).toBe('PIN_REFUSED');
      expect(readFileSync(spyLog, 'utf8').match(/^\d+: C_Login$/gm)?.length).toBe(1);
      await again.stop({ keep: true });
    }
  });

  it('a full token says so by name, and loses nothing that it had', async () => {
    const rig = await startTestHsm({ devices: (at) => [simDevice(at, 'small', { lines: { objects_most: '12' } })] });
    rigs.push(rig);
    const made: string[] = [];
    let refusal: unknown;
    for (let n = 1; n <= 20 && refusal === undefined; n++) {
      const keyId = n.toString(16).toUpperCase().padStart(32, 'C');
      await rig.hsm.generateKey('small', { keyId, label: `${n}`, keyClass: 'dataRoot', algorithm: '3des2' }).then(() => made.push(keyId), (error: unknown) => (refusal = error));
    }
    expect(refusal).toMatchObject({ code: 'HSM_ERROR', details: { device: 'small', ckr: 'CKR_DEVICE_MEMORY' } });
    const held = (await rig.hsm.inventory('small')).map(({ keyId }) => keyId).filter((keyId) => made.includes(keyId));
    expect(held.sort()).toEqual(made.sort());
    await rig.hsm.destroy('small', made[0] as string);
    await rig.hsm.destroy('small', made[1] as string);
    expect(await codeOf(rig.hsm.generateKey('small', { keyId: 'D'.repeat(32), label: 'again', keyClass: 'dataRoot', algorithm: '3des2' }))).toBe('ok');
  });

  it('a tampered device serves nobody any more; its siblings do', async () => {
    const names = NAMES.slice(0, 3);
    const { rig, controls } = await started(names);
    const keys = await makeFleetKeys(rig.hsm, names);
    const load = new FleetLoad(rig.hsm, keys);
    await pause(300);
    controls['fleet-2']?.set('* tamper');
    const serves = async (): Promise<boolean> => {
      const { state, figures } = deviceOf(await rig.hsm.fleet(), 'fleet-2');
      return state === 'up' && figures.breaker === 'closed';
    };
    await until('tampered device out', 5, async () => !(await serves()));
    controls['fleet-2']?.set();
    for (let look = 0; look < 10; look++) {
      await pause(300);
      expect(await serves()).toBe(false);
    }
    await load.stop();
    expect(load.events).toEqual([]);
    expect(load.right).toBeGreaterThan(50);
  });
});

describe('comparison between devices, before any known answer tells', () => {
  const names = NAMES.slice(0, 3);
  const NEVER_SECONDS = 3600;
  let fleet: Fleet;
  beforeAll(async () => {
    const { rig, controls } = await startFleet(names, undefined, undefined, NEVER_SECONDS);
    fleet = { rig, controls, keys: await makeFleetKeys(rig.hsm, names) };
  });
  afterAll(() => fleet.rig.stop());

  /** Asks until the device that lies is found; every answer was right. */
  const untilFound = async (device: string, ask: () => Promise<Uint8Array[]>, expected: readonly string[]): Promise<FleetStatus['devices'][number]> => {
    for (let round = 0; round < 20; round++) {
      expect((await ask()).map(toHex)).toEqual(expected);
      const found = deviceOf(await fleet.rig.hsm.fleet(), device);
      if (found.state === 'quarantined') return found;
    }
    throw new Error(`${device} was not found`);
  };
  const purchases = (options: { paired?: boolean; priority?: 'batch' }, count = 8): Promise<Uint8Array[]> =>
    fleet.rig.hsm.purchaseMacs('@diversification', Array.from({ length: count }, (_, card) => purchaseItem(fleet.keys.purchase, card)), options);

  it('paired: a third device decides, the liar is quarantined, and its agent’s death does not clear it', async () => {
    fleet.controls['fleet-2']?.set('C_DeriveKey flip');
    const { reason } = await untilFound('fleet-2', () => purchases({ paired: true }), fleet.keys.purchaseMacs.slice(0, 8));
    expect(reason).toContain('differs from two siblings');
    fleet.controls['fleet-2']?.set();
    process.kill(agentOf(fleet.rig, 'fleet-2'), 'SIGKILL');
    const epochOf = async (): Promise<number> => deviceOf(await fleet.rig.hsm.fleet(), 'fleet-2').figures.loginEpoch;
    await until('another agent', 20, async () => (await epochOf()) === 2);
    await pause(1000);
    expect((await stateOf(fleet.rig, 'fleet-2')).state).toBe('quarantined');
  });

  it('two that differ and no third: nothing is released, and known answers are asked at once', async () => {
    fleet.controls['fleet-3']?.set('C_DeriveKey flip');
    expect(await codeOf(purchases({ paired: true }))).toBe('HSM_ANSWER_WRONG');
    await until('quarantined', 5, isState(fleet.rig, 'fleet-3', 'quarantined'));
    expect((await purchases({})).map(toHex)).toEqual(fleet.keys.purchaseMacs.slice(0, 8));
    expect(await codeOf(purchases({ paired: true }))).toBe('HSM_DEVICE_DOWN');
  });
});

describe('one answer of a batch of MACs, computed again', () => {
  const names = NAMES.slice(0, 3);
  it('finds a device that lies always; what it computed is computed anew', async () => {
    const { rig, controls } = await startFleet(names, undefined, undefined, 3600);
    try {
      const { purchase, purchaseMacs } = await makeFleetKeys(rig.hsm, names);
      controls['fleet-1']?.set('C_DeriveKey flip');
      let state = 'up';
      for (let round = 0; round < 20 && state === 'up'; round++) {
        const answers = await rig.hsm.purchaseMacs('@diversification', purchaseMacs.map((_, card) => purchaseItem(purchase, card)), { priority: 'batch' });
        expect(answers.map(toHex)).toEqual(purchaseMacs);
        state = (await stateOf(rig, 'fleet-1')).state;
      }
      expect(state).toBe('quarantined');
    } finally {
      await rig.stop();
    }
  });
});

describe('production', () => {
  it.each<[string, Partial<DeviceConfig>, RegExp]>([
    ['a simulator', { initialise: false, testKeys: false }, /not for production/],
    ['test keys', { profile: 'generic', initialise: false, testKeys: true }, /test keys are not for production/],
    ['a module without its digest', { profile: 'generic', initialise: false, testKeys: false }, /moduleSha256/],
    ['code beside the module', { profile: 'generic', initialise: false, testKeys: false, moduleSha256: '00'.repeat(32), env: { LD_PRELOAD: '/x.so' } }, /LD_PRELOAD/],
    ['a token to be made', { profile: 'generic', initialise: true, testKeys: false }, /only simulators are initialised/],
  ])('refuses %s by name', async (_, change, said) => {
    const start = startTestHsm({ settings: { mode: 'production' }, devices: (at) => [{ ...simDevice(at, 'fleet-1'), ...change }] });
    // A start that is not refused must not be left behind.
    const outcome: unknown = await start.then((rig) => rig.stop().then(() => 'started'), (error: unknown) => (error as Error).message);
    expect(outcome).toMatch(/CONFIG_INVALID.*fleet-1/s);
    expect(outcome).toMatch(said);
  });
});
