import { createHash } from 'node:crypto';
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import type { DeviceConfig, DeviceStatus } from '#libs/hsm';
import { isAppError } from '#libs/platform';
import { simDevice } from '../builders/hsm-sim.js';
import { libraryPath, startTestHsm, type TestHsm, testDevices } from '../env/test-hsm.js';

/*
 * A device is one token and one module, not a label: whoever puts another token, a copy of a sibling's, an emptied one or another
 * module in its place gets no request, and before the login not even the PIN.
 */
const PIN = 'pin-of-both-tokens-24680';
const rigs: TestHsm[] = [];
afterAll(async () => {
  for (const rig of rigs.reverse()) await rig.stop();
});

const started = async (options: Parameters<typeof startTestHsm>[0]): Promise<TestHsm> => {
  const rig = await startTestHsm(options);
  rigs.push(rig);
  return rig;
};
const stateOf = async (rig: TestHsm, device: string): Promise<DeviceStatus> => (await rig.hsm.devices()).find((each) => each.device === device) as DeviceStatus;
const codeOf = async (act: Promise<unknown>): Promise<string> => act.then(() => 'ok', (error: unknown) => (isAppError(error) ? error.code : String(error)));
const until = async (what: string, holds: () => Promise<boolean>, seconds = 30): Promise<void> => {
  for (const end = performance.now() + seconds * 1000; !(await holds()); await new Promise((next) => setTimeout(next, 50))) {
    if (performance.now() > end) throw new Error(`not within ${seconds} s: ${what}`);
  }
};
const isUp = (rig: TestHsm, device: string) => async (): Promise<boolean> => (await stateOf(rig, device)).state === 'up';
const pinFileOf = (rig: TestHsm, device: string): string => join(rig.dir, 'state', 'devices', `${device}.token.json`);
/** The user PIN is one that the test knows, so that a look-alike has the same. */
const withKnownPin = (devices: DeviceConfig[]): DeviceConfig[] => {
  for (const { pinFile } of devices) {
    mkdirSync(join(pinFile, '..'), { recursive: true });
    if (!existsSync(pinFile)) writeFileSync(pinFile, PIN, { mode: 0o400 });
  }
  return devices;
};
const general = (dir: string): DeviceConfig[] => withKnownPin(testDevices(dir).slice(0, 1));
const simulated = (dir: string): DeviceConfig[] => withKnownPin([simDevice(dir, 'sim-1')]);
const tokenOf = (rig: TestHsm, device: string): string => join(rig.dir, 'tokens', device);

describe('a look-alike under the same label', () => {
  it('with another serial number is refused before it hears the PIN; the right one is taken again by itself', async () => {
    const [own, other] = await Promise.all([started({ devices: general }), started({ devices: general })]);
    expect((await stateOf(own, 'general-1')).state).toBe('up');
    await Promise.all([own.stop({ keep: true }), other.stop({ keep: true })]);
    renameSync(tokenOf(own, 'general-1'), join(own.dir, 'kept'));
    cpSync(tokenOf(other, 'general-1'), tokenOf(own, 'general-1'), { recursive: true });

    const spyLog = join(own.dir, 'spy.log');
    const spied = (dir: string): DeviceConfig[] => general(dir).map((device) => ({ ...device, module: libraryPath('pkcs11-spy.so'), env: { PKCS11SPY: device.module, PKCS11SPY_OUTPUT: spyLog } }));
    const again = await started({ dir: own.dir, devices: spied });
    const { state, reason } = await stateOf(again, 'general-1');
    expect([state, reason]).toEqual(['tokenReplaced', expect.stringMatching(/^serial number \S+, pinned \S+$/)]);
    expect(await codeOf(again.hsm.inventory('general-1'))).toBe('TOKEN_REPLACED');
    expect(readFileSync(spyLog, 'utf8').match(/^\d+: C_(GetTokenInfo|Login)$/gm)?.map((line) => line.replace(/^\d+: /, ''))).not.toContain('C_Login');

    rmSync(tokenOf(own, 'general-1'), { recursive: true });
    renameSync(join(own.dir, 'kept'), tokenOf(own, 'general-1'));
    await until('up again', isUp(again, 'general-1'));
    expect(readFileSync(spyLog, 'utf8')).toMatch(/^\d+: C_Login$/m);
  });

  it('with the same serial number and PIN cannot prove the identity, until somebody on the host takes the pin away', async () => {
    const [own, other] = await Promise.all([started({ devices: simulated }), started({ devices: simulated })]);
    expect((await stateOf(own, 'sim-1')).tokenSerial).toBe((await stateOf(other, 'sim-1')).tokenSerial);
    await Promise.all([own.stop({ keep: true }), other.stop({ keep: true })]);
    rmSync(tokenOf(own, 'sim-1'), { recursive: true });
    cpSync(tokenOf(other, 'sim-1'), tokenOf(own, 'sim-1'), { recursive: true });

    const again = await started({ dir: own.dir, devices: simulated });
    const { state, reason } = await stateOf(again, 'sim-1');
    expect([state, reason]).toEqual(['tokenReplaced', 'another identity key']);
    expect(await codeOf(again.hsm.inventory('sim-1'))).toBe('TOKEN_REPLACED');
    rmSync(pinFileOf(again, 'sim-1'));
    await until('the new one is taken', isUp(again, 'sim-1'));
    await until('said so', async () => again.log().includes('token pinned'));
  });

  it('a pin that was damaged refuses the device instead of being forgotten', async () => {
    const own = await started({ devices: simulated });
    await own.stop({ keep: true });
    writeFileSync(pinFileOf(own, 'sim-1'), '{"serial":"x"}');
    const again = await started({ dir: own.dir, devices: simulated });
    expect((await stateOf(again, 'sim-1')).state).not.toBe('up');
    expect(await codeOf(again.hsm.inventory('sim-1'))).toBe('HSM_DEVICE_DOWN');
  });
});

describe('a copy of a token in the place of a sibling', () => {
  it.each([
    ['SoftHSM: the serial number is the sibling’s', (dir: string): DeviceConfig => testDevices(dir)[0] as DeviceConfig, /^serial number \S+ is that of first$/],
    ['hsm-sim: the identity key is the sibling’s', (dir: string): DeviceConfig => simDevice(dir, 'x', { group: 'general' }), /^the identity key is that of first$/],
  ])('%s', async (_, base, said) => {
    const device = (dir: string, name: string): DeviceConfig => ({ ...base(dir), device: name, tokenLabel: 'one', tokenDir: join(dir, 'tokens', name), pinFile: join(dir, 'pins', name) });
    const one = await started({ devices: (dir) => withKnownPin([device(dir, 'first')]) });
    expect((await stateOf(one, 'first')).state).toBe('up');
    await one.stop({ keep: true });
    cpSync(tokenOf(one, 'first'), tokenOf(one, 'second'), { recursive: true });
    const two = await started({ dir: one.dir, devices: (dir) => withKnownPin([device(dir, 'first'), device(dir, 'second')]) });
    const [first, second] = [await stateOf(two, 'first'), await stateOf(two, 'second')];
    expect([first.state, second.state]).toEqual(['up', 'tokenReplaced']);
    expect(second.reason).toMatch(said);
    expect(await codeOf(two.hsm.inventory('second'))).toBe('TOKEN_REPLACED');
    expect(await codeOf(two.hsm.inventory('first'))).toBe('ok');
  });
});

describe('a token without a serial number of its own (NSS)', () => {
  it('is known by the keys that it made, and refused without them', async () => {
    const nss = (dir: string): DeviceConfig[] => withKnownPin(testDevices(dir).slice(1));
    const [own, other] = await Promise.all([started({ devices: nss }), started({ devices: nss })]);
    const keyId = 'B7'.repeat(16);
    await own.hsm.generateKey('diversification-1', { keyId, label: 'root', keyClass: 'dataRoot', algorithm: '3des2' });
    await Promise.all([own.stop({ keep: true }), other.stop({ keep: true })]);
    renameSync(tokenOf(own, 'diversification-1'), join(own.dir, 'kept'));
    cpSync(tokenOf(other, 'diversification-1'), tokenOf(own, 'diversification-1'), { recursive: true });
    const again = await started({ dir: own.dir, devices: nss });
    expect(await stateOf(again, 'diversification-1')).toMatchObject({ state: 'tokenReplaced', reason: expect.stringMatching(/^none of its \d+ keys$/) });
    rmSync(tokenOf(own, 'diversification-1'), { recursive: true });
    renameSync(join(own.dir, 'kept'), tokenOf(own, 'diversification-1'));
    await until('up again', isUp(again, 'diversification-1'));
    // What was destroyed by order is not missed.
    await again.hsm.destroy('diversification-1', keyId);
    await again.stop({ keep: true });
    const last = await started({ dir: own.dir, devices: nss });
    expect((await stateOf(last, 'diversification-1')).state).toBe('up');
  });
});

describe('the module of a device', () => {
  const module = (dir: string): string => join(dir, 'module.so');
  const digest = createHash('sha256').update(readFileSync('hsm-sim/build/libhsm-sim.so')).digest('hex').toUpperCase();
  const pinned = (moduleSha256: string | undefined) => (dir: string): DeviceConfig[] => {
    if (!existsSync(module(dir))) copyFileSync('hsm-sim/build/libhsm-sim.so', module(dir));
    return [
      { ...simDevice(dir, 'sim-1'), module: module(dir), ...(moduleSha256 === undefined ? {} : { moduleSha256 }) },
      simDevice(dir, 'sim-2'),
    ];
  };

  it('is refused by name when one byte of it differs; siblings serve; the original is taken again by itself', async () => {
    const own = await started({ devices: pinned(digest) });
    expect((await stateOf(own, 'sim-1')).state).toBe('up');
    const { devices } = await own.hsm.fleet();
    expect(devices.map(({ record }) => record.moduleSha256)).toEqual([digest, digest]);
    await own.stop({ keep: true });

    const original = readFileSync(module(own.dir));
    const changed = Buffer.from(original);
    changed[changed.length - 1] = (changed[changed.length - 1] as number) ^ 1;
    writeFileSync(module(own.dir), changed);
    const again = await started({ dir: own.dir, devices: pinned(digest) });
    const { state, reason } = await stateOf(again, 'sim-1');
    expect([state, reason]).toEqual(['moduleChanged', expect.stringContaining(`pinned ${digest}`)]);
    expect(await codeOf(again.hsm.inventory('sim-1'))).toBe('MODULE_CHANGED');
    expect(await codeOf(again.hsm.inventory('sim-2'))).toBe('ok');
    writeFileSync(module(own.dir), original);
    await until('up again', isUp(again, 'sim-1'));
  });

  it('that is not pinned loads all the same, and its change stands in the device’s history', async () => {
    const own = await started({ devices: pinned(undefined) });
    await own.stop({ keep: true });
    const bytes = readFileSync(module(own.dir));
    bytes[bytes.length - 1] = (bytes[bytes.length - 1] as number) ^ 1;
    writeFileSync(module(own.dir), bytes);
    const again = await started({ dir: own.dir, devices: pinned(undefined) });
    const [device] = (await again.hsm.fleet()).devices;
    expect(device?.state).toBe('up');
    expect(device?.record.history.some((line) => line.includes(`moduleSha256: ${digest} → `))).toBe(true);
  });
});
