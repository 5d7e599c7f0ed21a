import { execFile, spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { childEnvironment } from '#libs/platform';
import { countTests, type JestReport, type TestCount } from './closing-line.js';
import { guardedCommand } from './guarded-command.js';

export interface JestRun {
  /** Root of the checkout, or of a project that a test made. */
  readonly folder: string;
  readonly checkout: string;
  readonly config: string;
  readonly patterns: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Where Jest writes its report; removed first. */
  readonly reportFile: string;
}

/** A test that left something open keeps Jest from ending; then it is ended, and that counts as a failure. */
const LINGER_MILLISECONDS = 30_000;
const LIST_BYTES_MOST = 16 * 2 ** 20;

/** Runs Jest with all its own output on stderr, and counts. */
export async function runJest(run: JestRun): Promise<TestCount> {
  rmSync(run.reportFile, { force: true });
  const listed = await listSuites(run);
  if (listed.length === 0) return { passed: 0, failed: 1 };
  const exitCode = await runToEnd(run);
  return countTests(listed, readReport(run.reportFile), exitCode);
}

function jestCommand(run: JestRun, ...flags: string[]): string[] {
  return [
    process.execPath,
    '--experimental-vm-modules',
    '--disable-warning=ExperimentalWarning',
    join(run.checkout, 'node_modules', 'jest', 'bin', 'jest.js'),
    `--config=${run.config}`,
    ...flags,
    ...run.patterns,
  ];
}

async function listSuites(run: JestRun): Promise<string[]> {
  const [program = '', ...rest] = jestCommand(run, '--listTests', '--json');
  const { stdout } = await promisify(execFile)(program, rest, { cwd: run.folder, env: childEnvironment(run.environment), maxBuffer: LIST_BYTES_MOST });
  return JSON.parse(stdout) as string[];
}

function runToEnd(run: JestRun): Promise<number | null> {
  const [program, ...rest] = guardedCommand({
    leader: process.pid,
    onDeath: 'KILL',
    command: jestCommand(run, '--json', `--outputFile=${run.reportFile}`),
  });
  return new Promise((resolve, reject) => {
    const child = spawn(program, rest, { cwd: run.folder, env: childEnvironment(run.environment), stdio: ['ignore', 2, 2] });
    let reported: number | undefined;
    const look = setInterval(() => {
      if (reported === undefined && existsSync(run.reportFile)) reported = Date.now();
      if (reported !== undefined && Date.now() - reported > LINGER_MILLISECONDS) child.kill('SIGKILL');
    }, 500);
    child.once('error', reject);
    child.once('exit', (code) => {
      clearInterval(look);
      resolve(code);
    });
  });
}

/** Undefined when there is none, or only half of one. */
function readReport(file: string): JestReport | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as JestReport;
  } catch {
    return undefined;
  }
}
