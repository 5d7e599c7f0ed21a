import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { AppError } from '#libs/platform/domain';
import { childEnvironment } from '#libs/platform';
import { freePort } from './free-port.js';
import { guardedCommand } from './guarded-command.js';
import { fileSize, lastLines, readFrom } from './log-file.js';
import { type ClusterPlace, initialiseCluster, serverFailure, stopProcessesOf, SUPERUSER } from './postgres-cluster.js';
import { seeProcess } from './process-table.js';

export interface PostgresOptions extends ClusterPlace {
  /** Only for tests that want a certain one; default any free port. */
  readonly port?: number;
  readonly maxConnections?: number;
}

/** Crash recovery of a cluster that was killed may take a while; an empty one starts in 50 ms. */
const START_MILLISECONDS = 120_000;
const STOP_MILLISECONDS = 20_000;
const PORT_ATTEMPTS = 5;

/**
 * A PostgreSQL of our own on 127.0.0.1, no Unix socket, scram passwords, dying with this process (guardedCommand). A
 * `DATABASE_URL` makes it unnecessary.
 */
export class EmbeddedPostgres {
  private stopping = false;

  private constructor(
    private readonly child: ChildProcess,
    private readonly options: PostgresOptions,
    readonly port: number,
    private readonly password: string,
  ) {}

  /** Throws POSTGRES_FAILED with the end of its log, PORT_IN_USE only when a port was asked for. */
  static async start(options: PostgresOptions): Promise<EmbeddedPostgres> {
    await initialiseCluster(options);
    await stopProcessesOf(options.dataFolder);
    const password = readFileSync(options.passwordFile, 'utf8');
    for (let attempt = 1; ; attempt++) {
      const port = options.port ?? (await freePort());
      const logged = fileSize(options.logFile);
      const server = new EmbeddedPostgres(launch(options, port), options, port, password);
      const reason = await server.untilReady(logged);
      if (reason === undefined) return server;
      await stopProcessesOf(options.dataFolder);
      if (!reason.includes('Address already in use')) throw serverFailure(reason, options);
      if (options.port !== undefined || attempt === PORT_ATTEMPTS) throw new AppError('PORT_IN_USE', { port });
    }
  }

  /** For the owner of everything: migrations, logins. Programs get logins of their own. */
  url(database: string): string {
    return this.urlFor(SUPERUSER, this.password, database);
  }

  urlFor(user: string, password: string, database: string): string {
    return `postgres://${user}:${encodeURIComponent(password)}@127.0.0.1:${this.port}/${database}`;
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Calls back when it ends without `stop`, with the end of its log. */
  onUnexpectedEnd(call: (reason: string) => void): void {
    const ended = (): void => {
      if (!this.stopping) call(lastLines(this.options.logFile, 5));
    };
    if (this.hasEnded) ended();
    else this.child.once('exit', ended);
  }

  /** Fast shutdown (SIGINT): open transactions roll back, nothing needs recovery at the next start. */
  async stop(): Promise<void> {
    this.stopping = true;
    if (!this.hasEnded) {
      const ended = new Promise((resolve) => this.child.once('exit', resolve));
      this.child.kill('SIGINT');
      await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, STOP_MILLISECONDS).unref())]);
    }
    await stopProcessesOf(this.options.dataFolder);
  }

  private get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Undefined when it answers; else why it does not. */
  private async untilReady(logged: number): Promise<string | undefined> {
    const until = Date.now() + START_MILLISECONDS;
    while (Date.now() < until) {
      if (this.hasEnded) return readFrom(this.options.logFile, logged).trim() || `exit ${this.child.exitCode ?? this.child.signalCode}`;
      // Another program may have taken the port and speak PostgreSQL too: only our own data folder counts.
      if ((await this.answers()) && seeProcess(this.pid) !== undefined) return undefined;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    return 'start timed out';
  }

  private async answers(): Promise<boolean> {
    const client = new pg.Client({ connectionString: this.url('postgres'), connectionTimeoutMillis: 2_000 });
    client.on('error', () => undefined);
    try {
      await client.connect();
      const { rows } = await client.query<{ folder: string }>("SELECT current_setting('data_directory') AS folder");
      return rows[0]?.folder === this.options.dataFolder;
    } catch {
      return false;
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}

function launch(options: PostgresOptions, port: number): ChildProcess {
  const settings: Record<string, string | number> = {
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: '',
    max_connections: options.maxConnections ?? 60,
    logging_collector: 'off',
    log_line_prefix: '%m [%p] ',
    timezone: 'UTC',
    log_timezone: 'UTC',
    ...(options.durable ? {} : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
  };
  const [program, ...rest] = guardedCommand({
    leader: process.pid,
    // Immediate shutdown: the postmaster ends its children and leaves; the next start recovers from the log.
    onDeath: 'QUIT',
    asDatabaseUser: process.getuid?.() === 0,
    command: [
      join(options.binaries, 'postgres'),
      '-D',
      options.dataFolder,
      ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
  });
  const log = openSync(options.logFile, 'a', 0o600);
  try {
    // A session of its own: ^C at the terminal must not reach it before the programs that use it have stopped.
    const stdio: StdioOptions = ['ignore', log, log];
    return spawn(program, rest, { cwd: options.dataFolder, env: childEnvironment({ LC_ALL: 'C' }), stdio, detached: true });
  } finally {
    closeSync(log);
  }
}
