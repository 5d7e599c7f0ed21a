import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { DeviceConfig, DeviceStatus } from '#libs/hsm';
import { childEnvironment, derBitString, derContext, derInteger, derOid, derSequence, derTime, isAppError, toHex } from '#libs/platform';
import { givePinLeave } from '../env/pin-leave.js';
import { libraryPath, startTestHsm, type TestHsm, testDevices } from '../env/test-hsm.js';

const SOFTHSM = 'general-1';
const NSS = 'diversification-1';

const rigs: TestHsm[] = [];
const folders: string[] = [];
const start = async (options: Parameters<typeof startTestHsm>[0] = {}): Promise<TestHsm> => {
  const rig = await startTestHsm(options);
  rigs.push(rig);
  return rig;
};
afterEach(async () => {
  for (const rig of rigs.splice(0)) await rig.stop();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

const newId = (): string => toHex(randomBytes(16));
const codeOf = async (act: Promise<unknown>): Promise<string> => act.then(() => 'ok', (error: unknown) => (isAppError(error) ? error.code : String(error)));
const stateOf = async (rig: TestHsm, device: string): Promise<DeviceStatus> => (await rig.hsm.devices()).find((each) => each.device === device) as DeviceStatus;
const until = async (what: string, seconds: number, holds: () => boolean | Promise<boolean>): Promise<void> => {
  const end = performance.now() + seconds * 1000;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`not within ${seconds} s: ${what}`);
    await new Promise((next) => setTimeout(next, 25));
  }
};
const comesUp = (rig: TestHsm, device: string): Promise<void> => until(`${device} up`, 20, async () => (await stateOf(rig, device)).state === 'up');

/** Live children of a process (zombies are dead). */
function childrenOf(parent: number): number[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
    const [state, ppid] = statusOf(pid);
    return ppid === parent && state !== 'Z';
  });
}

function statusOf(pid: number): [state: string, parent: number] {
  try {
    const [state, parent] = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ');
    return [state as string, Number(parent)];
  } catch {
    return ['X', 0];
  }
}
const alive = (pid: number): boolean => !['X', 'Z'].includes(statusOf(pid)[0]);
const mapped = (pid: number): string => readFileSync(`/proc/${pid}/maps`, 'utf8');

function agentOf(rig: TestHsm, module: string): number {
  const pid = childrenOf(rig.supervisor.pid as number).find((each) => mapped(each).includes(module));
  if (pid === undefined) throw new Error(`no agent has ${module}`);
  return pid;
}

/** Routes the module through opensc's pkcs11-spy; its log is appended over restarts. */
function spied(logs: string): (device: DeviceConfig) => DeviceConfig {
  return (device) => ({ ...device, module: libraryPath('pkcs11-spy.so'), env: { PKCS11SPY: device.module, PKCS11SPY_OUTPUT: join(logs, `${device.device}.log`) } });
}

/** How often each function was called, by pkcs11-spy's log ("12: C_Sign"). */
function calls(logs: string, device: string): (name: string) => number {
  const log = readFileSync(join(logs, `${device}.log`), 'utf8');
  return (name) => log.match(new RegExp(`^\\d+: ${name}$`, 'gm'))?.length ?? 0;
}

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'hufu spy '));
  folders.push(made);
  return made;
}

function tbsCertificate(n: number): Uint8Array {
  const [algorithm, at] = [derSequence(derOid('1.2.840.10045.4.3.2')), derTime(new Date(0))];
  const key = derSequence(algorithm, derBitString(new Uint8Array(65)));
  return derSequence(derContext(0, derInteger(2)), derInteger(n), algorithm, derSequence(), derSequence(at, at), derSequence(), key, derContext(3, derSequence()));
}

describe('what is on disk and in memory', () => {
  it('sockets, PINs and folders are for this user alone; modules are mapped in agents only', async () => {
    const rig = await start();
    const mode = (path: string): string => (statSync(join(rig.dir, path)).mode & 0o777).toString(8);
    expect([mode('run'), mode('state'), mode('run/service.sock'), mode('run/worker.sock'), mode('run/doctor.sock')]).toEqual(['700', '700', '600', '600', '600']);
    expect([mode('pins/general-1'), mode('pins/general-1.so'), mode('pins/diversification-1')]).toEqual(['400', '400', '400']);
    expect(readFileSync(join(rig.dir, 'pins/general-1'), 'utf8')).not.toBe(readFileSync(join(rig.dir, 'pins/diversification-1'), 'utf8'));

    const modules = /libsofthsm2|libsoftokn3|pkcs11\.node|pkcs11js/;
    expect(mapped(rig.supervisor.pid as number)).not.toMatch(modules);
    const agents = childrenOf(rig.supervisor.pid as number);
    expect(agents.length).toBe(2);
    const maps = agents.map(mapped);
    expect(maps.map((each) => [each.includes('libsofthsm2'), each.includes('libsoftokn3')]).sort()).toEqual([[false, true], [true, false]]);
    // A client, as the service is one; in a process of its own, since other tests of this one load modules.
    const client = spawnSync(process.execPath, ['--input-type=module', '-e', "await import('#libs/hsm'); process.stdout.write((await import('node:fs')).readFileSync('/proc/self/maps'))"], { encoding: 'utf8' });
    expect([client.status, client.stdout]).toEqual([0, expect.stringContaining('bin/node')]);
    expect(client.stdout).not.toMatch(modules);
    const limits = [rig.supervisor.pid as number, ...agents].map((pid) => /^Max core file size\s+(\S+)\s+(\S+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))?.slice(1));
    expect(limits).toEqual([['0', '0'], ['0', '0'], ['0', '0']]);
  });

  it('no PIN stands in an environment, a command line, a configuration file or the log', async () => {
    const rig = await start();
    const pins = ['general-1', 'diversification-1'].map((name) => readFileSync(join(rig.dir, 'pins', name), 'utf8'));
    const pids = [rig.supervisor.pid as number, ...childrenOf(rig.supervisor.pid as number)];
    const texts = [...pids.flatMap((pid) => [`/proc/${pid}/environ`, `/proc/${pid}/cmdline`]), join(rig.dir, 'hsm.json')].map((file) => readFileSync(file, 'latin1'));
    for (const text of [...texts, rig.log()]) for (const pin of pins) expect(text.includes(pin)).toBe(false);
  });
});

describe('counted under pkcs11-spy', () => {
  it('one C_WrapKey per key load, one C_Sign per signature, one C_Login per device; every temporary is destroyed', async () => {
    const logs = folder();
    const first = await start();
    await first.stop({ keep: true });
    rigs.splice(0);
    const rig = await start({ dir: first.dir, device: spied(logs) });
    const [transport, control] = [newId(), newId()];
    await rig.hsm.importTestTransportKey(NSS, { keyId: transport, label: 'factory' });
    await rig.hsm.generateKey(NSS, { keyId: control, label: 'control', keyClass: 'psamControlRoot', algorithm: '3des2' });
    const before = calls(logs, NSS);
    const factor = (n: number): Uint8Array => Buffer.from(n.toString(16).padStart(16, '0'), 'hex');
    const loads = Array.from({ length: 12 }, (_, n) => ({
      key: { keyId: control, factors: [factor(1), factor(n + 1), factor(3)] },
      controlKey: { keyId: transport, factors: [factor(n + 1)] },
      header: new Uint8Array(8), command: Uint8Array.of(0x84, 0xd4, 1, 0), challenge: new Uint8Array(8).fill(n),
    }));
    expect((await rig.hsm.protectForCard(NSS, loads)).length).toBe(12);
    const after = calls(logs, NSS);
    expect(after('C_WrapKey') - before('C_WrapKey')).toBe(12);
    expect(after('C_Login')).toBe(1);
    expect(after('C_Decrypt') + after('C_GetOperationState')).toBe(0);
    const derived = after('C_DeriveKey') - before('C_DeriveKey');
    // Each session derives the region level once; each card has its serial level and six keys of its own.
    expect([1, 2].map((sessions) => sessions + 12 + 12 * 6)).toContain(derived);
    expect(after('C_DestroyObject') - before('C_DestroyObject')).toBe(derived);

    for (const algorithm of ['p256', 'rsa2048'] as const) {
      for (const device of [SOFTHSM, NSS]) {
        const keyId = newId();
        await rig.hsm.generateKeyPair(device, { keyId, label: 'ca', keyClass: 'caSigning', algorithm });
        const earlier = calls(logs, device)('C_Sign');
        await rig.hsm.sign(device, Array.from({ length: 9 }, (_, n) => ({ keyId, purpose: 'tbsCertificate' as const, bytes: tbsCertificate(n) })));
        expect(calls(logs, device)('C_Sign') - earlier).toBe(9);
      }
    }
    expect(calls(logs, SOFTHSM)('C_Login')).toBe(1);
    const balance = (device: string): number => {
      const count = calls(logs, device);
      return count('C_CreateObject') + count('C_DeriveKey') - count('C_DestroyObject');
    };
    const [general, diversification] = [balance(SOFTHSM), balance(NSS)];
    await rig.hsm.knownAnswers(SOFTHSM);
    await rig.hsm.knownAnswers(NSS);
    expect([balance(SOFTHSM), balance(NSS)]).toEqual([general, diversification]);
  });

  it('a refused PIN is tried once and then by nobody, until the latch is taken away', async () => {
    const logs = folder();
    const first = await start();
    await first.stop({ keep: true });
    rigs.splice(0);
    folders.push(first.dir);
    const pinFile = join(first.dir, 'pins', SOFTHSM);
    const pin = readFileSync(pinFile, 'utf8');
    rmSync(pinFile);
    writeFileSync(pinFile, 'not-the-pin', { mode: 0o400 });

    const options = { dir: first.dir, device: spied(logs) };
    for (const round of [1, 2]) {
      const rig = await startTestHsm(options);
      if (round === 1) {
        // Another PIN file than the one that the token was made with: it waits to be told that no other host was refused.
        expect((await stateOf(rig, SOFTHSM)).state).toBe('starting');
        expect(calls(logs, SOFTHSM)('C_Login')).toBe(0);
        await givePinLeave(rig.hsm);
        await until('latched', 10, async () => (await stateOf(rig, SOFTHSM)).state === 'pinLatched');
      }
      const status = await stateOf(rig, SOFTHSM);
      expect([round, status.state]).toEqual([round, 'pinLatched']);
      await expect(rig.hsm.inventory(SOFTHSM)).rejects.toMatchObject({ code: 'PIN_REFUSED', details: { device: SOFTHSM, latch: join(first.dir, 'state', 'general-1.pin-latched') } });
      expect(await codeOf(rig.hsm.inventory(NSS))).toBe('ok');
      expect(calls(logs, SOFTHSM)('C_Login')).toBe(1);
      await rig.stop({ keep: true });
    }
    const rig = await start(options);
    rmSync(pinFile);
    writeFileSync(pinFile, pin, { mode: 0o400 });
    expect((await stateOf(rig, SOFTHSM)).state).toBe('pinLatched');
    rmSync(join(first.dir, 'state', 'general-1.pin-latched'));
    await givePinLeave(rig.hsm);
    await comesUp(rig, SOFTHSM);
    expect(calls(logs, SOFTHSM)('C_Login')).toBe(2);
  });
});

describe('when something is wrong', () => {
  it('a missing token is named, is not made anew, and comes back', async () => {
    const first = await start();
    const keyId = newId();
    await first.hsm.generateKey(NSS, { keyId, label: 'x', keyClass: 'dataRoot', algorithm: '3des2' });
    await first.stop({ keep: true });
    rigs.splice(0);
    const place = join(first.dir, 'tokens', NSS);
    renameSync(place, `${place}.away`);
    const rig = await start({ dir: first.dir });
    expect((await stateOf(rig, NSS)).state).toBe('missing');
    await expect(rig.hsm.inventory(NSS)).rejects.toMatchObject({ code: 'TOKEN_MISSING', details: { device: NSS } });
    expect(await codeOf(rig.hsm.inventory(SOFTHSM))).toBe('ok');
    expect(existsSync(place)).toBe(false);
    renameSync(`${place}.away`, place);
    await comesUp(rig, NSS);
    expect((await rig.hsm.inventory(NSS)).map((object) => object.keyId)).toEqual([keyId]);
  });

  it.each<[string, Partial<DeviceConfig>, DeviceStatus['state']]>([
    ['a module that is not there', { module: '/nowhere/libpkcs11.so' }, 'missing'],
    ['a serial number of another token', { tokenSerial: 'ffffffffffffffff' }, 'missing'],
    ['a slot that is not there', { slot: 7 }, 'missing'],
  ])('%s: the device says so, the other works', async (_, change, state) => {
    const first = await start();
    await first.stop({ keep: true });
    rigs.splice(0);
    const rig = await start({ dir: first.dir, device: (device) => (device.device === SOFTHSM ? { ...device, ...change } : device) });
    const status = await stateOf(rig, SOFTHSM);
    expect([status.state, status.reason.length > 5]).toEqual([state, true]);
    expect(await codeOf(rig.hsm.inventory(SOFTHSM))).toBe('TOKEN_MISSING');
    expect(await codeOf(rig.hsm.inventory(NSS))).toBe('ok');
  });

  it('a PIN file that others can read is not used', async () => {
    const first = await start();
    await first.stop({ keep: true });
    rigs.splice(0);
    chmodSync(join(first.dir, 'pins', SOFTHSM), 0o444);
    const rig = await start({ dir: first.dir });
    expect((await stateOf(rig, SOFTHSM)).reason).toContain('chmod 0400');
    expect(await codeOf(rig.hsm.inventory(SOFTHSM))).toBe('HSM_DEVICE_DOWN');
  });

  it('an agent that is killed comes back by itself; the other device does not notice', async () => {
    const rig = await start();
    const keyId = newId();
    await rig.hsm.generateKey(SOFTHSM, { keyId, label: 'x', keyClass: 'dataRoot', algorithm: '3des2' });
    const other = agentOf(rig, 'libsoftokn3');
    process.kill(agentOf(rig, 'libsofthsm2'), 'SIGKILL');
    await until('down', 5, async () => (await stateOf(rig, SOFTHSM)).state !== 'up');
    expect(await codeOf(rig.hsm.inventory(SOFTHSM))).toMatch(/^(HSM_DEVICE_DOWN|ok)$/);
    expect(await codeOf(rig.hsm.inventory(NSS))).toBe('ok');
    await comesUp(rig, SOFTHSM);
    expect((await rig.hsm.inventory(SOFTHSM)).map((object) => object.keyId)).toEqual([keyId]);
    expect(agentOf(rig, 'libsoftokn3')).toBe(other);
  });

  it('an agent that hangs is killed at the deadline; what waited behind it is refused, then it works again', async () => {
    const rig = await start({ deadlineSeconds: 1 });
    const hung = agentOf(rig, 'libsoftokn3');
    process.kill(hung, 'SIGSTOP');
    // A key that is being made has the watchdog wait, and the deadline comes first.
    const making = rig.hsm.generateKey(NSS, { keyId: 'AC'.repeat(16), label: 'x', keyClass: 'dataRoot', algorithm: '3des2' });
    await new Promise((next) => setTimeout(next, 300));
    expect(await Promise.all([codeOf(making), codeOf(rig.hsm.inventory(NSS))])).toEqual(['HSM_TIMEOUT', 'HSM_DEVICE_DOWN']);
    expect(await codeOf(rig.hsm.inventory(SOFTHSM))).toBe('ok');
    await comesUp(rig, NSS);
    expect(alive(hung)).toBe(false);
  });

  it('kill -9 of the supervisor takes its agents along, also a stopped one; the next start finds the dead sockets', async () => {
    const rig = await start();
    const agents = childrenOf(rig.supervisor.pid as number);
    process.kill(agentOf(rig, 'libsoftokn3'), 'SIGSTOP');
    const waiting = codeOf(rig.hsm.inventory(NSS));
    await new Promise((next) => setTimeout(next, 100));
    rig.supervisor.kill('SIGKILL');
    expect(await waiting).toBe('HSM_UNREACHABLE');
    await until('agents dead', 5, () => !agents.some(alive));
    expect(await codeOf(rig.hsm.devices())).toBe('HSM_UNREACHABLE');
    const again = await start({ dir: rig.dir });
    expect((await rig.hsm.devices()).map(({ state }) => state)).toEqual(['up', 'up']);
    expect(again.supervisor.pid).not.toBe(rig.supervisor.pid);
  });

  it('two supervisors never share sockets', async () => {
    const rig = await start();
    const { code, log } = await run(join(rig.dir, 'hsm.json'));
    expect([code, log.includes('ALREADY_RUNNING')]).toEqual([1, true]);
    expect(await codeOf(rig.hsm.devices())).toBe('ok');
  });

  it.each([
    ['no file', undefined],
    ['an unknown field', { extra: 1 }],
    ['no device', { devices: [] }],
    ['two devices of one name', { devices: [0, 0].map((at) => testDevices('/tmp/x')[at]) }],
    ['a real HSM to be initialised', { devices: [{ ...testDevices('/tmp/x')[0], profile: 'generic' }] }],
  ])('a bad configuration ends the start: %s', async (_, change) => {
    const file = join(folder(), 'hsm.json');
    const good = { socketDir: '/tmp/x/run', stateDir: '/tmp/x/state', clients: ['service'], devices: testDevices('/tmp/x') };
    if (change !== undefined) writeFileSync(file, JSON.stringify({ ...good, ...change }));
    const { code, log } = await run(file);
    expect([code, log.includes('CONFIG_INVALID')]).toEqual([1, true]);
    expect(existsSync('/tmp/x')).toBe(false);
  });

  it('two objects under one id are not used; destroy takes both', async () => {
    const first = await start();
    const keyId = newId();
    await first.hsm.generateKey(SOFTHSM, { keyId, label: 'x', keyClass: 'dataRoot', algorithm: '3des2' });
    await first.stop({ keep: true });
    rigs.splice(0);
    const token = join(first.dir, 'tokens', SOFTHSM);
    const [slot] = readdirSync(token) as [string];
    const object = readdirSync(join(token, slot)).find((name) => name.endsWith('.object') && name !== 'token.object') as string;
    const lock = object.replace('.object', '.lock');
    for (const file of [object, lock]) copyFileSync(join(token, slot, file), join(token, slot, `x${file.slice(1)}`));
    const rig = await start({ dir: first.dir });
    const key = { keyId, factors: [] };
    await expect(rig.hsm.checkValues(SOFTHSM, [{ key, method: 'zero3' }])).rejects.toMatchObject({ code: 'KEY_ID_AMBIGUOUS', details: { count: 2 } });
    expect(await codeOf(rig.hsm.transfer({ keyId, from: SOFTHSM, to: NSS }))).toBe('KEY_ID_AMBIGUOUS');
    expect(await rig.hsm.destroy(SOFTHSM, keyId)).toBe(2);
  });

  it('a client that sends rubbish loses its connection and nobody else does', async () => {
    const rig = await start();
    for (const rubbish of [Buffer.alloc(64, 0xff), Buffer.of(0, 0, 0, 1, 0xf6), Buffer.of(0, 0, 0, 0)]) {
      const socket = connect(join(rig.socketDir, 'service.sock'));
      const closed = new Promise<void>((done) => socket.on('close', () => done()));
      socket.on('error', () => undefined);
      socket.write(rubbish);
      await closed;
    }
    expect(await codeOf(rig.hsm.devices())).toBe('ok');
  });
});

describe('kill -9 while tokens are made', () => {
  it.each([30, 150, 300, 450, 600, 800])('after %i ms: no token or a whole one, and the next start is good', async (ms) => {
    const dir = folder();
    const config = join(dir, 'hsm.json');
    writeFileSync(config, JSON.stringify({ socketDir: join(dir, 'run'), stateDir: join(dir, 'state'), clients: ['service'], devices: testDevices(dir) }));
    const { child } = spawned(config);
    await new Promise((next) => setTimeout(next, ms));
    const agents = childrenOf(child.pid as number);
    child.kill('SIGKILL');
    await until('all dead', 5, () => ![child.pid as number, ...agents].some(alive));
    for (const device of testDevices(dir)) if (existsSync(device.tokenDir as string)) expect(existsSync(device.pinFile)).toBe(true);
    const rig = await start({ dir });
    expect((await rig.hsm.devices()).map(({ state }) => state)).toEqual(['up', 'up']);
    expect(readdirSync(join(dir, 'tokens')).sort()).toEqual([NSS, SOFTHSM]);
  });
});

function spawned(configFile: string): { child: ChildProcess; log: () => string } {
  const child = spawn(process.execPath, ['--disable-sigusr1', resolve('dist/apps/hsm/src/main.js')], {
    env: childEnvironment({ HUFU_CONFIG: configFile }),
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr?.on('data', (piece: Buffer) => (log += piece.toString()));
  return { child, log: () => log };
}

async function run(configFile: string): Promise<{ code: number | null; log: string }> {
  const { child, log } = spawned(configFile);
  const code = await new Promise<number | null>((done) => child.on('close', done));
  return { code, log: log() };
}
