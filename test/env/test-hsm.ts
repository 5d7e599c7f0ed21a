import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type DeviceConfig, type HsmConfig, SupervisorHsm } from '#libs/hsm';
import { childEnvironment } from '#libs/platform';

export interface TestHsm {
  /** A client `service`. */
  readonly hsm: SupervisorHsm;
  readonly socketDir: string;
  /** Everything of this supervisor: tokens, PINs, state, configuration. */
  readonly dir: string;
  readonly supervisor: ChildProcess;
  readonly config: HsmConfig;
  /** What the supervisor and its agents have logged so far. */
  log(): string;
  client(name: 'service' | 'worker' | 'doctor'): SupervisorHsm;
  /** Ends the supervisor, and removes `dir` unless `keep`. */
  stop(options?: { keep: boolean }): Promise<void>;
}

export interface TestHsmOptions {
  /** A folder of an earlier supervisor (tokens are kept). */
  readonly dir?: string;
  /** Changes the configuration of a device. */
  readonly device?: (device: DeviceConfig) => DeviceConfig;
  readonly deadlineSeconds?: number;
}

const LIBRARY_FOLDERS = [
  '/usr/lib/softhsm', '/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu',
  '/usr/lib/x86_64-linux-gnu/softhsm', '/usr/lib/aarch64-linux-gnu/softhsm', '/usr/lib64', '/usr/lib',
];

export function libraryPath(file: string): string {
  const found = LIBRARY_FOLDERS.map((folder) => join(folder, file)).find((path) => existsSync(path));
  if (found === undefined) throw new Error(`${file} is not installed: run the tests with ./hufu test`);
  return found;
}

/** The two embedded tokens: `general-1` (SoftHSM) and `diversification-1` (NSS softoken), test keys allowed. */
export function testDevices(dir: string): DeviceConfig[] {
  const both = { initialise: true, testKeys: true, env: {} } as const;
  return [
    { ...both, device: 'general-1', profile: 'softhsm', module: libraryPath('libsofthsm2.so'), tokenDir: join(dir, 'tokens', 'general-1'), pinFile: join(dir, 'pins', 'general-1') },
    { ...both, device: 'diversification-1', profile: 'nss', module: libraryPath('libsoftokn3.so'), tokenDir: join(dir, 'tokens', 'diversification-1'), pinFile: join(dir, 'pins', 'diversification-1') },
  ];
}

/** Starts the built supervisor (dist/) with its own fresh tokens and waits until the devices have come up or failed. */
export async function startTestHsm(options: TestHsmOptions = {}): Promise<TestHsm> {
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'hufu hsm '));
  const config: HsmConfig = {
    socketDir: join(dir, 'run'),
    stateDir: join(dir, 'state'),
    clients: ['service', 'worker', 'doctor'],
    deadlineSeconds: options.deadlineSeconds ?? 60,
    devices: testDevices(dir).map(options.device ?? ((device) => device)),
  };
  const configFile = join(dir, 'hsm.json');
  for (const folder of ['tokens', 'pins']) mkdirSync(join(dir, folder), { recursive: true, mode: 0o700 });
  writeFileSync(configFile, JSON.stringify(config), { mode: 0o600 });
  const supervisor = spawn(process.execPath, ['--disable-sigusr1', resolve('dist/apps/hsm/src/main.js')], {
    env: childEnvironment({ HUFU_CONFIG: configFile }),
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  const log = await readyLine(supervisor);
  const clients: SupervisorHsm[] = [];
  const client = (name: string): SupervisorHsm => {
    const made = new SupervisorHsm(join(config.socketDir, `${name}.sock`));
    clients.push(made);
    return made;
  };
  return {
    hsm: client('service'),
    socketDir: config.socketDir,
    dir,
    supervisor,
    config,
    log,
    client,
    async stop({ keep } = { keep: false }) {
      for (const each of clients) each.close();
      await ended(supervisor);
      if (!keep) rmSync(dir, { recursive: true, force: true });
    },
  };
}

function readyLine(supervisor: ChildProcess): Promise<() => string> {
  return new Promise((resolvePromise, reject) => {
    let log = '';
    supervisor.stderr?.on('data', (piece: Buffer) => {
      log += piece.toString();
      if (log.includes('"event":"ready"')) resolvePromise(() => log);
    });
    supervisor.on('exit', (code) => reject(new Error(`hsm supervisor ended with ${code}:\n${log}`)));
    supervisor.on('error', reject);
  });
}

async function ended(supervisor: ChildProcess): Promise<void> {
  if (supervisor.exitCode !== null || supervisor.signalCode !== null) return;
  const exit = new Promise<void>((resolvePromise) => supervisor.once('exit', () => resolvePromise()));
  supervisor.kill('SIGTERM');
  await exit;
}
