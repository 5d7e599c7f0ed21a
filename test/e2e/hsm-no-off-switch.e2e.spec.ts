import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CLIENTS, type DeviceConfig, HsmConfig, loadProfiles, POLICY_RULES } from '#libs/hsm';
import { childEnvironment } from '#libs/platform';
import { newId } from '../builders/authorisations.js';
import { simulatedPair } from '../builders/hsm-sim.js';
import { RawHsmClient } from '../builders/raw-hsm-client.js';
import { signPolicy, testApprover, testPolicy } from '../builders/quorum.js';
import { libraryPath, startTestHsm, type TestHsm } from '../env/test-hsm.js';

/*
 * "No setting, profile or environment variable turns the check off": one installation, and a supervisor started on a copy of it under
 * every setting that exists, every profile and every variable one might try. Each time it refuses a privileged act for want of
 * approvals, or does not start.
 */
let rig: TestHsm;
const folders: string[] = [];
beforeAll(async () => {
  rig = await startTestHsm({ devices: simulatedPair });
  await rig.stop({ keep: true });
  folders.push(rig.dir);
});
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

interface Trial {
  readonly config?: (config: HsmConfig) => object;
  readonly device?: (device: DeviceConfig) => object;
  readonly environment?: Readonly<Record<string, string>>;
  readonly argv?: readonly string[];
  readonly nodeFlags?: readonly string[];
  readonly files?: (dir: string) => void;
}

/** `refused` = it ran and wanted approvals for each act; otherwise why it did not start, or the act that it let pass. */
async function outcome(trial: Trial): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'hufu-off-'));
  folders.push(dir);
  cpSync(rig.dir, dir, { recursive: true, preserveTimestamps: true, filter: (from) => !from.endsWith('.sock') });
  trial.files?.(dir);
  const base = JSON.parse(JSON.stringify(rig.config).replaceAll(rig.dir, dir)) as HsmConfig;
  const devices = base.devices.map((device) => ({ ...device, ...trial.device?.(device) }));
  const config = { ...base, devices, ...trial.config?.(base) };
  writeFileSync(join(dir, 'hsm.json'), JSON.stringify(config), { mode: 0o600 });
  const supervisor = spawn(process.execPath, ['--disable-sigusr1', ...(trial.nodeFlags ?? []), resolve('dist/apps/hsm/src/main.js'), ...(trial.argv ?? [])], {
    env: childEnvironment({ HUFU_CONFIG: join(dir, 'hsm.json'), ...trial.environment }),
    cwd: dir,
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  let log = '';
  const ended = new Promise<void>((done) => supervisor.once('close', () => done()));
  const ready = await new Promise<boolean>((settle) => {
    supervisor.stderr.on('data', (piece: Buffer) => {
      log += piece.toString();
      if (log.includes('"event":"ready"')) settle(true);
    });
    void ended.then(() => settle(false));
  });
  try {
    return ready ? await asked(dir) : `not started: ${/CONFIG_INVALID|POLICY_INVALID|POLICY_CHANGED/.exec(log)?.[0] ?? log}`;
  } finally {
    supervisor.kill('SIGTERM');
    await ended;
  }
}

/** Every privileged act, without approvals. A device that did not come up is no answer to whether it is checked. */
async function asked(dir: string): Promise<string> {
  const service = new RawHsmClient(join(dir, 'run'), 'service');
  const [general, diversification] = ['general-1', 'diversification-1'];
  const keyId = newId();
  const acts: readonly (readonly [string, string, object])[] = [
    ['generateKey', diversification as string, { keyId, label: 'x', keyClass: 'dataRoot', algorithm: '3des2' }],
    ['generateKeyPair', general as string, { keyId, label: 'x', keyClass: 'caSigning', algorithm: 'p256' }],
    ['importTestTransportKey', diversification as string, { keyId, label: 'x' }],
    ['transfer', '', { keyId, from: diversification, to: general }],
    ['seal', diversification as string, { keyId }],
    ['destroy', diversification as string, { keyId }],
  ];
  const passed: string[] = [];
  for (const [recipe, device, request] of acts) {
    const { code } = await service.ask(recipe, device, request);
    if (code !== 'APPROVAL_REQUIRED') passed.push(`${recipe} ${code}`);
  }
  const made = (await service.ask('inventory', diversification as string, {})).ok as readonly { keyId: string }[] | undefined;
  service.close();
  if (made?.some((object) => object.keyId === keyId) !== false) passed.push(`inventory ${JSON.stringify(made)}`);
  return passed.length === 0 ? 'refused' : passed.join(', ');
}

describe('as installed', () => {
  it('every privileged act is refused', async () => {
    expect(await outcome({})).toBe('refused');
  });
});

describe('whatever the settings', () => {
  // A setting that is added later stands in neither list: this fails until somebody has tried it here.
  const TRIED: Readonly<Record<string, readonly unknown[]>> = {
    mode: ['rehearsal', 'production', 'test', 'off'],
    knownAnswerSeconds: [1, 3600],
    pingMs: [50, 10_000],
    deadlineSeconds: [1, 3600],
    clients: [['service'], ['service', 'service', 'root']],
  };
  const PLACES = ['socketDir', 'stateDir', 'profilesDir', 'policyDir', 'devices'];
  it('each is known to this test', () => {
    expect([...Object.keys(TRIED), ...PLACES].sort()).toEqual(Object.keys(HsmConfig.shape).sort());
  });
  const STARTS_NOT: readonly string[] = ['mode production', 'mode test', 'mode off', 'clients service,service,root'];
  const trials = Object.entries(TRIED).flatMap(([setting, values]) => values.map((value) => [`${setting} ${String(value)}`, setting, value] as const));
  it.each(trials)('%s', async (name, setting, value) => {
    expect(await outcome({ config: () => ({ [setting]: value }) })).toBe(STARTS_NOT.includes(name) ? 'not started: CONFIG_INVALID' : 'refused');
  });

  it.each(['approvals', 'requireApprovals', 'insecure', 'quorum', 'gate', 'skipApprovals', 'dev', 'test'])('no setting is called %s', async (setting) => {
    for (const value of [false, true]) expect(await outcome({ config: () => ({ [setting]: value }) })).toBe('not started: CONFIG_INVALID');
  });

  const DEVICE_TRIED: Readonly<Record<string, readonly unknown[]>> = {
    initialise: [false], testKeys: [false], site: ['rehearsal'], group: ['general', 'diversification'], env: [{ HUFU_APPROVALS: 'off' }], tokenLabel: [undefined], slot: [0], simulator: [{ pin_tries: '3' }],
    moduleSha256: [createHash('sha256').update(readFileSync('hsm-sim/build/libhsm-sim.so')).digest('hex').toUpperCase()], tokenSerial: [undefined], productCertificate: [{ number: 'TEST', validUntil: '2000-01-01' }],
  };
  it('each of a device is known to this test', () => {
    const shape = HsmConfig.shape.devices.unwrap().shape;
    expect([...Object.keys(DEVICE_TRIED), 'device', 'profile', 'module', 'tokenDir', 'pinFile'].sort()).toEqual(Object.keys(shape).sort());
  });
  it.each(Object.entries(DEVICE_TRIED).flatMap(([setting, values]) => values.map((value) => [`${setting} ${JSON.stringify(value)}`, setting, value] as const)))('of a device: %s', async (_name, setting, value) => {
    expect(await outcome({ device: () => ({ [setting]: value }) })).toBe('refused');
  });

  it('no other client than the four has a socket', () => {
    expect([...CLIENTS].sort()).toEqual(['doctor', 'journal', 'service', 'worker']);
  });
});

describe('whatever the vendor profile', () => {
  const simulators = [...loadProfiles('libs/hsm/profiles').values()].filter(({ initialisation }) => initialisation === 'hsm-sim' || initialisation === 'nss' || initialisation === 'softhsm');
  it.each(simulators.map(({ name, initialisation }) => [name, initialisation] as const))('%s', async (profile, initialisation) => {
    const personality = profile.replace(/^hsm-sim-?/, '');
    const module = initialisation === 'hsm-sim' ? resolve('hsm-sim/build/libhsm-sim.so') : libraryPath(initialisation === 'nss' ? 'libsoftokn3.so' : 'libsofthsm2.so');
    const simulator = initialisation === 'hsm-sim' && personality !== '' ? { personality } : {};
    const files = (dir: string): void => {
      for (const made of ['tokens', 'state', 'state/devices', 'pins']) for (const each of readdirSync(join(dir, made))) if (/^(general|diversification)-1/.test(each)) rmSync(join(dir, made, each), { recursive: true, force: true });
    };
    expect(await outcome({ device: () => ({ profile, module, simulator }), files })).toBe('refused');
  });

  it('and none has a field for it', async () => {
    for (const line of ['approvals: off', 'authority: free', 'quorum: 0']) {
      const files = (dir: string): void => {
        cpSync(resolve('libs/hsm/profiles'), join(dir, 'profiles'), { recursive: true });
        writeFileSync(join(dir, 'profiles', 'hsm-sim.yaml'), `${readFileSync(resolve('libs/hsm/profiles/hsm-sim.yaml'), 'utf8')}\n${line}\n`);
      };
      const profiles = (config: HsmConfig): object => ({ profilesDir: join(config.stateDir, '..', 'profiles') });
      expect(await outcome({ config: profiles, files })).toBe('not started: CONFIG_INVALID');
    }
  });
});

describe('whatever the environment', () => {
  it.each([
    ['names one might hope for', { HUFU_APPROVALS: 'off', HUFU_NO_APPROVALS: '1', HUFU_INSECURE: '1', HUFU_QUORUM: '0', HUFU_SKIP_CHECKS: '1', HUFU_DEBUG: '1', DEBUG: '*' }],
    ['profiles', { HUFU_PROFILE: 'rehearsal', HUFU_ENV: 'test', NODE_ENV: 'test', HUFU_MODE: 'rehearsal' }],
    ['production', { HUFU_PROFILE: 'production', NODE_ENV: 'production' }],
    ['CI', { CI: 'true', JEST_WORKER_ID: '1', NODE_ENV: 'development', HUFU_TEST: '1' }],
  ])('%s', async (_name, environment) => {
    expect(await outcome({ environment })).toBe('refused');
  });

  it('nor an argument', async () => {
    expect(await outcome({ argv: ['--no-approvals', '--insecure', '--dev', '--approvals=off'] })).toBe('refused');
  });

  it('and the sources ask for no other variable', () => {
    const source = readFileSync(resolve('libs/platform/src/config/environment.ts'), 'utf8');
    expect([...source.matchAll(/process\.env\['([A-Z_]+)'\]/g)].map(([, name]) => name)).toEqual(['HUFU_HOME', 'DATABASE_URL', 'HUFU_HSM_CONFIG', 'HUFU_CONFIG']);
  });
});

describe('whatever lies in the folders', () => {
  const policyFile = (dir: string, version = 1): string => join(dir, 'policy', `${version}.json`);
  it('no policy: no start', async () => {
    expect(await outcome({ files: (dir) => rmSync(policyFile(dir)) })).toBe('not started: POLICY_INVALID');
  });
  it('a policy of the attacker’s own, well signed: no start, since another one is pinned', async () => {
    const attacker = testApprover('attacker');
    const rules = Object.fromEntries(POLICY_RULES.map((rule) => [rule, { count: 1, roles: {} }]));
    const own = signPolicy(testPolicy([attacker], rules), [attacker]);
    expect(await outcome({ files: (dir) => writeFileSync(policyFile(dir), JSON.stringify(own)) })).toBe('not started: POLICY_CHANGED');
  });
  it('a second version that nobody of the first has signed: no start', async () => {
    const attacker = testApprover('rehearsal-1');
    const files = (dir: string): void => {
      const first = JSON.parse(readFileSync(policyFile(dir), 'utf8')) as { policy: object };
      const second = { ...first.policy, version: 2, previous: '0'.repeat(64), approvers: [attacker.entry] } as never;
      writeFileSync(policyFile(dir, 2), JSON.stringify(signPolicy(second, [attacker])));
    };
    expect(await outcome({ files })).toBe('not started: POLICY_INVALID');
  });
  it('a count of nothing, or a rule of nothing, in the policy: no start', async () => {
    const edited = (edit: (policy: { rules: Record<string, object> }) => void) => (dir: string): void => {
      const signed = JSON.parse(readFileSync(policyFile(dir), 'utf8')) as { policy: { rules: Record<string, object> } };
      edit(signed.policy);
      writeFileSync(policyFile(dir), JSON.stringify(signed));
    };
    expect(await outcome({ files: edited(({ rules }) => (rules['generateKey'] = { count: 0, roles: {} })) })).toBe('not started: POLICY_INVALID');
    expect(await outcome({ files: edited(({ rules }) => delete rules['generateKey']) })).toBe('not started: POLICY_CHANGED');
    expect(await outcome({ files: edited(({ rules }) => (rules['generateKey'] = { count: 1, roles: {} })) })).toBe('not started: POLICY_CHANGED');
  });
});
