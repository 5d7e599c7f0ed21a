import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { AskingAuthoriser, type DeviceConfig, type HsmConfig, SupervisorHsm } from '#libs/hsm';
import { childEnvironment } from '#libs/platform';
import type { SignedPolicy } from '#libs/signature';
import { RehearsalQuorum } from '../../apps/cli/src/approver/rehearsal-quorum.js';
import { libraryPath } from './library-path.js';

export { libraryPath };

export interface TestHsm {
  /** A client `service`. */
  readonly hsm: SupervisorHsm;
  readonly socketDir: string;
  /** Everything of this supervisor: tokens, PINs, state, configuration. */
  readonly dir: string;
  readonly supervisor: ChildProcess;
  readonly config: HsmConfig;
  /** From the supervisor's first instruction to its line `ready`. */
  readonly readySeconds: number;
  /** The approvers whose signatures the clients of this rig bring. */
  readonly quorum: RehearsalQuorum;
  /** Brings approvals and tickets of that quorum, for clients that are made otherwise. */
  authoriser(client: string): AskingAuthoriser;
  /** What the supervisor and its agents have logged so far. */
  log(): string;
  /** A client; `service` brings approvals and tickets, unless `bare`. */
  client(name: 'service' | 'worker' | 'journal' | 'doctor', options?: { bare: boolean }): SupervisorHsm;
  /** Ends the supervisor, and removes `dir` unless `keep`. */
  stop(options?: { keep: boolean }): Promise<void>;
}

export interface TestHsmOptions {
  /** A folder of an earlier supervisor (tokens are kept). */
  readonly dir?: string;
  /** Changes the configuration of a device. */
  readonly device?: (device: DeviceConfig) => DeviceConfig;
  readonly deadlineSeconds?: number;
  /** The approvers are not processes of this rig: whoever signs does it elsewhere, and `hsm` brings nothing. */
  readonly policy?: SignedPolicy;
  /** Other devices than the two embedded tokens. */
  readonly devices?: (dir: string) => DeviceConfig[];
  readonly settings?: Partial<Pick<HsmConfig, 'knownAnswerSeconds' | 'pingMs' | 'profilesDir' | 'mode'>>;
}

/** The two embedded tokens: `general-1` (SoftHSM) and `diversification-1` (NSS softoken), test keys allowed. */
export function testDevices(dir: string): DeviceConfig[] {
  const both = { initialise: true, testKeys: true, env: {}, simulator: {}, site: 'test' };
  return [
    { ...both, device: 'general-1', group: 'general', profile: 'softhsm', module: libraryPath('libsofthsm2.so'), tokenDir: join(dir, 'tokens', 'general-1'), pinFile: join(dir, 'pins', 'general-1') },
    { ...both, device: 'diversification-1', group: 'diversification', profile: 'nss', module: libraryPath('libsoftokn3.so'), tokenDir: join(dir, 'tokens', 'diversification-1'), pinFile: join(dir, 'pins', 'diversification-1') },
  ];
}

/** Starts the built supervisor (dist/) with its own fresh tokens and waits until the devices have come up or failed. */
export async function startTestHsm(options: TestHsmOptions = {}): Promise<TestHsm> {
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'hufu hsm '));
  const config: HsmConfig = {
    mode: 'rehearsal',
    socketDir: join(dir, 'run'),
    stateDir: join(dir, 'state'),
    profilesDir: resolve('libs/hsm/profiles'),
    policyDir: join(dir, 'policy'),
    knownAnswerSeconds: 10,
    pingMs: 250,
    clients: ['service', 'worker', 'journal', 'doctor'],
    deadlineSeconds: options.deadlineSeconds ?? 60,
    devices: (options.devices ?? testDevices)(dir).map(options.device ?? ((device) => device)),
    ...options.settings,
  };
  const configFile = join(dir, 'hsm.json');
  for (const folder of ['tokens', 'pins']) mkdirSync(join(dir, folder), { recursive: true, mode: 0o700 });
  writeFileSync(configFile, JSON.stringify(config), { mode: 0o600 });
  const rehearsal = options.policy === undefined ? await RehearsalQuorum.start({ keysDir: join(dir, 'approvers'), policyDir: config.policyDir, program: resolve('dist/apps/cli/src/approver/main.js') }) : undefined;
  if (options.policy !== undefined) {
    mkdirSync(config.policyDir, { mode: 0o700 });
    writeFileSync(join(config.policyDir, '1.json'), JSON.stringify(options.policy));
  }
  const quorum = (): RehearsalQuorum => {
    if (rehearsal === undefined) throw new Error('the approvers of this rig are elsewhere');
    return rehearsal;
  };
  const spawnedMs = performance.now();
  const supervisor = spawn(process.execPath, ['--disable-sigusr1', resolve('dist/apps/hsm/src/main.js')], {
    env: childEnvironment({ HUFU_CONFIG: configFile }),
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  const log = await readyLine(supervisor).catch((error: unknown) => {
    rehearsal?.stop();
    throw error;
  });
  const readySeconds = (performance.now() - spawnedMs) / 1000;
  const clients: SupervisorHsm[] = [];
  const authoriser = (name: string): AskingAuthoriser => new AskingAuthoriser({ client: name, ticketCount: 100_000, ticketHours: 1, requestMinutes: 5 }, (subject) => quorum().approve(subject));
  const client = (name: string, { bare } = { bare: false }): SupervisorHsm => {
    const made = new SupervisorHsm(join(config.socketDir, `${name}.sock`), { authoriser: bare || rehearsal === undefined ? undefined : authoriser(name) });
    clients.push(made);
    return made;
  };
  return {
    hsm: client('service'),
    socketDir: config.socketDir,
    dir,
    supervisor,
    config,
    readySeconds,
    get quorum() {
      return quorum();
    },
    authoriser,
    log,
    client,
    async stop({ keep } = { keep: false }) {
      for (const each of clients) each.close();
      rehearsal?.stop();
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
