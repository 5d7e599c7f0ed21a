import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { ALL_KEY_CLASSES, loadProfiles, type VendorProfile } from '#libs/hsm';
import { type AgentOrder, type AgentReport, type ItemFields, packBatch, type PackedRecipe, readAnswers, type TokenDescription, type TokenPlace } from '#libs/hsm/agent';
import { AppError, type ErrorCode, toHex } from '#libs/platform/domain';
import { libraryPath } from './library-path.js';

const PIN = '246810-test-pin';
const SO_PIN = '135791-test-so';

type Report<K extends AgentReport['kind']> = Extract<AgentReport, { kind: K }>;

export interface ReleasedToken {
  readonly dir: string;
  readonly module: string;
  readonly serial: string;
  /** What the module reads. */
  readonly environment: Readonly<Record<string, string>>;
  readonly pin: string;
}

/** One agent of dist/ without a supervisor, on an embedded token in a folder of its own. */
export class TestAgent {
  #next = 1;
  readonly reports: AgentReport[] = [];
  readonly #waiting = new Set<(report: AgentReport) => boolean>();

  private constructor(
    readonly device: string,
    readonly child: ChildProcess,
    readonly token: TokenDescription,
    readonly profile: VendorProfile,
    private readonly dir: string,
    private readonly setting: { place: TokenPlace; environment: Record<string, string> },
  ) {
    child.setMaxListeners(0);
    child.on('message', (report: AgentReport) => {
      this.reports.push(report);
      for (const ask of this.#waiting) if (ask(report)) this.#waiting.delete(ask);
    });
  }

  /** `lines`: of the hsm-sim configuration beyond label, serial and dir. */
  static async start(profileName: string, options: { lines?: Record<string, string>; fingerprints?: Record<string, string>; tuning?: Partial<VendorProfile['tuning']> } = {}): Promise<TestAgent> {
    const known = loadProfiles('libs/hsm/profiles').get(profileName);
    if (known === undefined) throw new Error(`no profile ${profileName}`);
    const profile = { ...known, tuning: { ...known.tuning, ...options.tuning } };
    const dir = mkdtempSync(join(tmpdir(), 'hufu-agent-'));
    const setting = tokenSetting(profile, dir, options.lines ?? {});
    await once(setting, { kind: 'initialise', place: setting.place, profile, label: profileName, soPin: Buffer.from(SO_PIN), pin: Buffer.from(PIN) }, 'initialised');
    return TestAgent.#launch(profile, dir, setting, options.fingerprints ?? {});
  }

  /** Another agent on the same token, as after a crash. */
  async restart(fingerprints: Record<string, string> = {}): Promise<TestAgent> {
    await this.#end();
    return TestAgent.#launch(this.profile, this.dir, this.setting, fingerprints);
  }

  /** The security officer enters these keys, and the agent starts again. */
  async trust(keys: readonly { algorithm: 'rsaOaep' | 'sm2'; publicKey: Uint8Array }[], soPin: string = SO_PIN): Promise<TestAgent> {
    await this.#end();
    const place = { ...this.setting.place, label: this.profile.name };
    await once(this.setting, { kind: 'trust', place, profile: this.profile, soPin: Buffer.from(soPin), latchFile: join(this.dir, 'so-latched'), keys }, 'trusted');
    return TestAgent.#launch(this.profile, this.dir, this.setting, {});
  }

  static async #launch(profile: VendorProfile, dir: string, setting: { place: TokenPlace; environment: Record<string, string> }, fingerprints: Record<string, string>): Promise<TestAgent> {
    const child = forked(setting.environment);
    const place = { ...setting.place, label: profile.name };
    const order: AgentOrder = { kind: 'start', place, profile, testKeys: true, latchFile: join(dir, 'latched'), identityNonce: randomBytes(32), fingerprints };
    const found = await ordered(child, order, ['token', 'missing', 'failed']);
    const up = (found.kind === 'token' ? await sent(child, { kind: 'login', pin: Buffer.from(PIN) }, ['up', 'pinLatched', 'failed']) : found) as Report<'up'> | Exclude<AgentReport, { kind: 'up' }>;
    if (up.kind !== 'up') throw new Error(`${up.kind}: ${'reason' in up ? up.reason : ''}`);
    return new TestAgent(place.device, child, up.token, profile, dir, setting);
  }

  async run(recipe: string, request: unknown, online = true): Promise<unknown> {
    const id = this.#next++;
    const answer = this.#report((report): report is Report<'done'> | Report<'refused'> => (report.kind === 'done' || report.kind === 'refused') && report.id === id);
    this.child.send({ kind: 'run', id, recipe, request, classes: ALL_KEY_CLASSES, online } satisfies AgentOrder);
    const report = await answer;
    if (report.kind === 'refused') throw new AppError(report.code as ErrorCode, report.details);
    return report.result;
  }

  /** Answers in hex. */
  async batch(recipe: PackedRecipe, items: readonly ItemFields[], online = true): Promise<string[]> {
    const answers = (await this.run(recipe, { batch: packBatch(recipe, items) }, online)) as Uint8Array;
    return readAnswers(this.device, answers, items.length).map(toHex);
  }

  async ping(seq: number): Promise<Report<'pong'>> {
    const pong = this.#report((report): report is Report<'pong'> => report.kind === 'pong' && report.seq === seq);
    this.child.send({ kind: 'ping', seq } satisfies AgentOrder);
    return pong;
  }

  fingerprints(): Record<string, string> {
    return Object.fromEntries(this.reports.filter((report) => report.kind === 'fingerprint').map(({ keyId, value }) => [keyId, value]));
  }

  async stop(): Promise<void> {
    await this.#end();
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** Ends the agent and leaves its token to another program: a person's UKey is made this way. */
  async release(): Promise<ReleasedToken> {
    await this.#end();
    return { dir: this.dir, module: this.setting.place.module, serial: this.token.serial, environment: this.setting.environment, pin: PIN };
  }

  async #end(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exit = new Promise((settle) => this.child.once('exit', settle));
    if (this.child.connected) this.child.disconnect();
    await exit;
  }

  #report<R extends AgentReport>(wanted: (report: AgentReport) => report is R): Promise<R> {
    return new Promise((settle, reject) => {
      const exited = (): void => reject(new Error('the agent ended'));
      this.child.once('exit', exited);
      this.#waiting.add((report) => {
        if (!wanted(report)) return false;
        this.child.off('exit', exited);
        settle(report);
        return true;
      });
    });
  }
}

export const keyIdOf = (n: number): string => toHex(Uint8Array.from({ length: 16 }, (_, i) => (i === 15 ? n & 0xff : i === 14 ? n >> 8 : 0xa0)));

export function tokenSetting(profile: VendorProfile, dir: string, lines: Record<string, string>): { place: TokenPlace; environment: Record<string, string> } {
  const tokens = join(dir, 'token');
  mkdirSync(tokens, { mode: 0o700 });
  const place = { device: `test-${profile.name}`, moduleSha256: undefined, libraryParameters: '', label: undefined, serial: undefined, slot: undefined };
  switch (profile.initialisation) {
    case 'softhsm':
      writeFileSync(join(dir, 'softhsm2.conf'), `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n`);
      return { place: { ...place, module: libraryPath('libsofthsm2.so') }, environment: { ...profile.environment, SOFTHSM2_CONF: join(dir, 'softhsm2.conf') } };
    case 'nss': {
      const libraryParameters = `configdir='sql:${tokens}' certPrefix='' keyPrefix='' secmod='' dbTokenDescription='${profile.name}' flags=`;
      return { place: { ...place, module: libraryPath('libsoftokn3.so'), libraryParameters }, environment: { ...profile.environment } };
    }
    case 'hsm-sim': {
      const personality = profile.name === 'hsm-sim' ? {} : { personality: profile.name.slice('hsm-sim-'.length) };
      const settings = { label: profile.name, serial: `TEST${toHex(randomBytes(6))}`, dir: tokens, ...personality, ...lines };
      writeFileSync(join(dir, 'hsm-sim.conf'), Object.entries(settings).map(([key, value]) => `${key} = ${value}\n`).join(''));
      return { place: { ...place, module: resolve('hsm-sim/build/libhsm-sim.so') }, environment: { ...profile.environment, HUFU_SIM_CONF: join(dir, 'hsm-sim.conf') } };
    }
    case 'none':
      throw new Error(`${profile.name} has no embedded token`);
  }
}

function forked(environment: Record<string, string>): ChildProcess {
  return fork(resolve('dist/apps/hsm/src/agent.js'), [], { env: environment, execArgv: [], serialization: 'advanced', stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
}

async function once(setting: { environment: Record<string, string> }, order: AgentOrder, kind: AgentReport['kind']): Promise<void> {
  const child = forked(setting.environment);
  const exit = new Promise((settle) => child.once('exit', settle));
  const report = await ordered(child, order, [kind, 'failed', 'pinLatched']);
  await exit;
  if (report.kind !== kind) throw new Error(JSON.stringify(report));
}

/** The first order of an agent, once it is awake. */
async function ordered(child: ChildProcess, order: AgentOrder, kinds: readonly AgentReport['kind'][]): Promise<AgentReport> {
  await heard(child, ['awake']);
  return sent(child, order, kinds);
}

function sent(child: ChildProcess, order: AgentOrder, kinds: readonly AgentReport['kind'][]): Promise<AgentReport> {
  const answer = heard(child, kinds);
  child.send(order);
  return answer;
}

function heard(child: ChildProcess, kinds: readonly AgentReport['kind'][]): Promise<AgentReport> {
  return new Promise((settle, reject) => {
    const exited = (code: number | null, signal: string | null): void => reject(new Error(`the agent ended: ${signal ?? code}`));
    child.once('exit', exited);
    child.on('message', function hear(report: AgentReport) {
      if (!kinds.includes(report.kind)) return;
      child.off('message', hear);
      child.off('exit', exited);
      settle(report);
    });
  });
}
