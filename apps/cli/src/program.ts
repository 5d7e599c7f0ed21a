import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { AppError } from '#libs/platform/domain';
import { childEnvironment } from '#libs/platform';
import { guardedCommand } from './guarded-command.js';
import { fileSize, lastLines, readFrom } from './log-file.js';

export interface ProgramOptions {
  /** `hsm`, `service`, `worker`: for messages and the log's name. */
  readonly name: string;
  /** The built main.js. */
  readonly entry: string;
  readonly nodeFlags: readonly string[];
  readonly configFile: string;
  /** The state folder: socket paths may be relative to it (socketPath in platform). */
  readonly cwd: string;
  readonly logFile: string;
  readonly readySeconds: number;
}

/** The fields of a program's log line `ready`. */
export type ReadyLine = Readonly<Record<string, unknown>>;

const STOP_MILLISECONDS = 12_000;
/** Bulk work makes short-lived objects by the million; a large nursery would only hold memory that five processes share. */
const SMALL_YOUNG_GENERATION = '--max-semi-space-size=8';
const POLL_MILLISECONDS = 20;

/**
 * One started program of the product. It dies with this process in two ways: the kernel kills it (guardedCommand), and its
 * stdin ends (onStop in platform). Its log goes straight to its file, so that last words are kept when we die first. It has
 * a session of its own: ^C at the terminal reaches this process alone, which then stops all in order.
 */
export class Program {
  private stopping = false;

  private constructor(
    readonly options: ProgramOptions,
    private readonly child: ChildProcess,
    readonly ready: ReadyLine,
  ) {}

  /** Returns when the program said `ready` in its log. Throws PROGRAM_ENDED, PROGRAM_NOT_READY, TOOL_MISSING. */
  static async start(options: ProgramOptions): Promise<Program> {
    const logged = fileSize(options.logFile);
    const child = launch(options);
    let failure: Error | undefined;
    child.once('error', (error) => (failure = error));
    const until = Date.now() + options.readySeconds * 1_000;
    for (;;) {
      if (failure !== undefined) throw new AppError('TOOL_MISSING', { tool: 'setpriv', package: 'util-linux' }, { cause: failure });
      const ended = hasEnded(child);
      const text = readFrom(options.logFile, logged);
      const ready = ended ? undefined : readyLine(text);
      if (ready !== undefined) return new Program(options, child, ready);
      if (ended) throw endedError(options, child, reasonIn(text));
      if (Date.now() > until) {
        child.kill('SIGKILL');
        throw new AppError('PROGRAM_NOT_READY', { program: options.name, seconds: options.readySeconds, log: options.logFile });
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MILLISECONDS));
    }
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Calls back when it ends without `stop`. */
  onUnexpectedEnd(call: (error: AppError) => void): void {
    const ended = (): void => {
      if (!this.stopping) call(endedError(this.options, this.child, reasonIn(lastLines(this.options.logFile, 20))));
    };
    if (hasEnded(this.child)) ended();
    else this.child.once('exit', ended);
  }

  /** SIGTERM, and after a while SIGKILL. */
  async stop(): Promise<void> {
    this.stopping = true;
    if (hasEnded(this.child)) return;
    const ended = new Promise<void>((resolve) => this.child.once('exit', () => resolve()));
    this.child.stdin?.end();
    this.child.kill('SIGTERM');
    const force = setTimeout(() => this.child.kill('SIGKILL'), STOP_MILLISECONDS);
    await ended;
    clearTimeout(force);
  }
}

function launch(options: ProgramOptions): ChildProcess {
  const [program, ...rest] = guardedCommand({
    leader: process.pid,
    onDeath: 'KILL',
    command: [process.execPath, '--disable-sigusr1', SMALL_YOUNG_GENERATION, ...options.nodeFlags, options.entry],
  });
  const log = openSync(options.logFile, 'a', 0o600);
  try {
    const child = spawn(program, rest, {
      cwd: options.cwd,
      env: childEnvironment({ HUFU_CONFIG: options.configFile }),
      stdio: ['pipe', log, log],
      detached: true,
    });
    child.stdin?.on('error', () => undefined);
    return child;
  } finally {
    closeSync(log);
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** The last log line `{"event":"ready",…}` in the text; a line cut short is not there yet. */
export function readyLine(text: string): ReadyLine | undefined {
  return jsonLines(text).findLast((line) => line['event'] === 'ready');
}

/** Why a program ended, from its log: the last error's code and details, else its last lines as they are. */
export function reasonIn(text: string): string {
  const last = jsonLines(text).findLast((line) => line['level'] === 'error');
  if (last === undefined) return text.trim().split('\n').slice(-5).join('\n');
  const shown = [last['code'], last['details'] ?? last['message']].filter((part) => part !== undefined && part !== '{}');
  return shown.join(' ');
}

function jsonLines(text: string): ReadyLine[] {
  return text.split('\n').slice(0, -1).flatMap((line) => {
    if (!line.startsWith('{')) return [];
    try {
      return [JSON.parse(line) as ReadyLine];
    } catch {
      return [];
    }
  });
}

function endedError(options: ProgramOptions, child: ChildProcess, reason: string): AppError {
  const how = child.signalCode ?? `exit ${child.exitCode}`;
  return new AppError('PROGRAM_ENDED', { program: options.name, reason: reason === '' ? how : `${how}: ${reason}`, log: options.logFile });
}
