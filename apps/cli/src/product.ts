import { rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { DeviceStatus } from '#libs/hsm';
import { environment, writeFileAtomic } from '#libs/platform';
import { AppError, isAppError } from '#libs/platform/domain';
import { ApprovalRound } from './approver/approval-round.js';
import { RehearsalQuorum } from './approver/rehearsal-quorum.js';
import { CommandClient } from './command-client.js';
import { type Database, migrateAll, openDatabase } from './database.js';
import { fence } from './fence.js';
import { type FolderLock, takeLock } from './folder-lock.js';
import { requireFreePort } from './free-port.js';
import { processesIn, signal, waitUntilNone } from './process-table.js';
import { Program, type ReadyLine } from './program.js';
import { anchorFolder, devices, nameKey, pagesFolder, SOCKETS, writeConfigs, writeHsmConfig } from './setup-config.js';
import type { StateFolder } from './state-folder.js';
import type { Terminal } from './terminal.js';

export interface ProductOptions {
  readonly state: StateFolder;
  readonly checkout: string;
  readonly terminal: Terminal;
  /** 0: any free one. */
  readonly httpPort: number;
  /** Empty the state first (not the runtime). */
  readonly clean?: boolean;
  /** Throw unless every device is up; otherwise say so and go on with the others. */
  readonly requireDevices: boolean;
}

const READY_SECONDS = 90;
const LATE_DEVICES_SECONDS = 20;
/** Reports are rendered with a font of the system. */
const FONTS = '/usr/share/fonts/*';

/** The running product: database, HSM supervisor with its agents, service, worker. One per state folder. */
export class Product {
  readonly programs: Program[] = [];
  /** Flags under which the worker runs: what it cannot open. */
  workerFlags: readonly string[] = [];
  httpUrl = '';
  /** Stands in for the people who approve, in demonstration and rehearsal. */
  quorum: RehearsalQuorum | undefined;
  round: ApprovalRound | undefined;
  private failures: ((error: AppError) => void)[] = [];
  private failure: AppError | undefined;

  private constructor(
    private readonly options: ProductOptions,
    private readonly lock: FolderLock,
    readonly database: Database,
  ) {}

  /** Throws ALREADY_RUNNING, and whatever kept a part from starting; then nothing is left running. */
  static async start(options: ProductOptions): Promise<Product> {
    const { state, checkout, terminal } = options;
    const lock = lockState(state);
    try {
      await endLeftovers(state, checkout);
      if (options.clean === true) state.clean();
      state.prepare();
      if (options.httpPort !== 0) await requireFreePort(options.httpPort);
      const asked = environment();
      terminal.say('启动数据库', 'starting the database');
      const product = new Product(options, lock, await openDatabase(state, checkout, asked.databaseUrl));
      try {
        await product.startPrograms(asked.hsmConfig);
      } catch (error) {
        await product.stopParts();
        throw error;
      }
      return product;
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  get commandSocket(): string {
    return SOCKETS.command(this.options.state);
  }

  /** Calls back once when a part ends by itself. */
  onFailure(call: (error: AppError) => void): void {
    if (this.failure !== undefined) call(this.failure);
    else this.failures.push(call);
  }

  async stop(): Promise<void> {
    await this.stopParts();
    this.lock.release();
  }

  private async startPrograms(hsmConfigFile: string | undefined): Promise<void> {
    const { state, checkout, terminal, httpPort } = this.options;
    this.database.server?.onUnexpectedEnd((reason) =>
      this.failed(new AppError('PROGRAM_ENDED', { program: 'postgres', reason, log: state.file('logs', 'postgres.log') })),
    );
    await migrateAll(this.database.ownerUrl);
    const nameKeyFile = nameKey(state);
    const files = writeConfigs(state, {
      checkout,
      serviceDatabaseUrl: await this.database.urlFor('service'),
      workerDatabaseUrl: await this.database.urlFor('worker'),
      nameKeyFile,
      httpPort,
      threads: Math.min(availableParallelism(), 16),
    });
    terminal.say('启动密码机代理、服务与工作进程', 'starting HSM agents, service and worker');
    this.quorum = await startQuorum(state, checkout);
    const hsm = this.keep(await startHsm(state, checkout, hsmConfigFile));
    this.lookAtDevices(Object.entries(hsm.ready));
    // Before the service is ready: what it settles at its start may need a ticket.
    this.round = new ApprovalRound(this.commandSocket, this.quorum).start();
    const evidence = `${state.folder('evidence')}/*`;
    const serviceFlags = fence({ checkout, read: [files.service, nameKeyFile, join(checkout, 'certs', 'profiles', '*'), join(checkout, 'libs', 'organisations', 'calendars', '*'), join(pagesFolder(checkout), '*'), `${state.folder('inbox')}/*`, FONTS], write: [evidence, SOCKETS.command(state)], threads: false });
    this.workerFlags = fence({ checkout, read: [files.worker, FONTS], write: [evidence, `${anchorFolder(state)}/*`], threads: true });
    const [service] = await settled([
      this.startProgram('service', files.service, serviceFlags),
      this.startProgram('worker', files.worker, this.workerFlags),
    ]);
    await this.lookAtLateDevices(Object.keys(hsm.ready).filter((device) => hsm.ready[device] === 'starting'));
    this.httpUrl = String(service?.ready['url'] ?? '');
    await this.establishLogKey();
    writeFileAtomic(state.file('run', 'product.json'), JSON.stringify({ pid: process.pid, databaseUrl: this.database.ownerUrl, httpUrl: this.httpUrl }));
  }

  /** The first start of all makes the key that signs the journal; the approvers of the rehearsal sign for it. Later ones find it. */
  private async establishLogKey(): Promise<void> {
    const { terminal, requireDevices } = this.options;
    const client = await CommandClient.open(this.commandSocket);
    try {
      await client.call('journal.establish');
    } catch (error) {
      if (requireDevices || !isAppError(error)) throw error;
      terminal.error(error);
    } finally {
      client.close();
    }
  }

  private async startProgram(name: string, configFile: string, nodeFlags: readonly string[]): Promise<Program> {
    return this.keep(await startProgram(this.options.state, this.options.checkout, name, configFile, nodeFlags));
  }

  private keep(program: Program): Program {
    this.programs.push(program);
    program.onUnexpectedEnd((error) => this.failed(error));
    return program;
  }

  /** The supervisor's ready line names each device and its state. */
  private lookAtDevices(devices: readonly (readonly [device: string, state: unknown])[]): void {
    const { state, terminal, requireDevices } = this.options;
    const latch = state.file('hsm', 'state');
    for (const [device, value] of devices) {
      const error =
        value === 'pinLatched' ? new AppError('PIN_REFUSED', { device, latch })
        : value === 'moduleChanged' ? new AppError('MODULE_CHANGED', { device, reason: 'hsm.log' })
        : value === 'tokenReplaced' ? new AppError('TOKEN_REPLACED', { device, reason: 'hsm.log', pin: state.file('hsm', 'state', 'devices', `${device}.token.json`) })
        : value === 'missing' || value === 'down' ? new AppError('TOKEN_MISSING', { device })
        : undefined;
      if (error === undefined) continue;
      if (requireDevices) throw error;
      terminal.error(error);
    }
  }

  /** A device whose PIN is new to this host logs in when the service has said so. */
  private async lookAtLateDevices(late: readonly string[]): Promise<void> {
    if (late.length === 0) return;
    const commands = await CommandClient.open(this.commandSocket);
    try {
      const look = async (): Promise<DeviceStatus[]> => (await commands.call<DeviceStatus[]>('hsm.devices')).filter(({ device }) => late.includes(device));
      const end = performance.now() + LATE_DEVICES_SECONDS * 1000;
      let devices = await look();
      while (devices.some(({ state }) => state === 'starting') && performance.now() < end) {
        await new Promise((next) => setTimeout(next, 200));
        devices = await look();
      }
      this.lookAtDevices(devices.map(({ device, state }) => [device, state]));
    } finally {
      commands.close();
    }
  }

  private failed(error: AppError): void {
    if (this.failure !== undefined) return;
    this.failure = error;
    for (const call of this.failures) call(error);
  }

  /** In the reverse of the order in which they lean on each other. */
  private async stopParts(): Promise<void> {
    this.failure ??= new AppError('PROGRAM_ENDED', { program: 'hufu', reason: 'stopped', log: '' });
    await this.round?.stop();
    const last = this.programs.filter(({ options }) => options.name === 'hsm');
    await Promise.all(this.programs.filter((program) => !last.includes(program)).map((program) => program.stop()));
    await Promise.all(last.map((program) => program.stop()));
    this.quorum?.stop();
    await this.database.stop();
    rmSync(this.options.state.file('run', 'product.json'), { force: true });
  }
}

/** The rehearsal approvers and, at the first start, the policy that they sign. */
export function startQuorum(state: StateFolder, checkout: string): Promise<RehearsalQuorum> {
  const program = join(checkout, 'dist', 'apps', 'cli', 'src', 'approver', 'main.js');
  return RehearsalQuorum.start({ keysDir: state.file('hsm', 'approvers'), policyDir: state.file('hsm', 'policy'), program });
}

/** The HSM supervisor alone, with the devices of HUFU_HSM_CONFIG or the embedded ones. */
export function startHsm(state: StateFolder, checkout: string, hsmConfigFile: string | undefined): Promise<Program> {
  return startProgram(state, checkout, 'hsm', writeHsmConfig(state, checkout, devices(state, hsmConfigFile)), []);
}

function startProgram(state: StateFolder, checkout: string, name: string, configFile: string, nodeFlags: readonly string[]): Promise<Program> {
  return Program.start({
    name,
    entry: join(checkout, 'dist', 'apps', name, 'src', 'main.js'),
    nodeFlags,
    configFile,
    cwd: state.home,
    logFile: state.file('logs', `${name}.log`),
    readySeconds: READY_SECONDS,
  });
}

/** The lock of a state folder, which is made when it is not there. Throws ALREADY_RUNNING. */
export function lockState(state: StateFolder): FolderLock {
  state.create();
  return takeLock(state.lockFile);
}

/** Ends programs of this checkout that an earlier, killed start left behind in this state folder. */
export async function endLeftovers(state: StateFolder, checkout: string): Promise<void> {
  const programs = ['hsm', 'service', 'worker'].map((name) => join(checkout, 'dist', 'apps', name, '/'));
  const look = () => processesIn(state.home).filter((seen) => seen.arguments.some((argument) => programs.some((path) => argument.startsWith(path))));
  if (await waitUntilNone(look, 1_500)) return;
  for (const seen of look()) signal(seen.pid, 'SIGKILL');
  await waitUntilNone(look, 5_000);
}

/** All or the first error, but never one error while the other still starts. */
async function settled<T>(work: Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(work);
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}
