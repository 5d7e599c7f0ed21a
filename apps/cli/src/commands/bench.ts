import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { childEnvironment } from '#libs/platform';
import { AppError } from '#libs/platform/domain';
import { type Invocation, parseArguments } from '../command.js';
import { withTestServer } from '../test-server.js';

/** Programs of test/load that measure; each prints one JSON object a figure and exits non-zero when a goal is missed. */
const BENCHES: Readonly<Record<string, Bench>> = {
  verify: { program: 'bench-verify.js', needsDatabase: true, minutes: 1 },
  hsm: { program: 'bench-hsm.js', needsDatabase: false, minutes: 5 },
  journal: { program: 'bench-journal.js', needsDatabase: true, minutes: 5 },
};

interface Bench {
  readonly program: string;
  readonly needsDatabase: boolean;
  readonly minutes: number;
}

interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly reference: number;
  /** Null: the value itself must stay below the goal. */
  readonly ratio: number | null;
  readonly goal: number;
  readonly ok: boolean;
}

/** `bench NAME [--json] [-- OPTION …]`: what follows `--` goes to the program. With --json stdout holds the figures alone, one JSON object a line. */
export async function run({ args, checkout, state, terminal }: Invocation): Promise<number> {
  const cut = args.includes('--') ? args.indexOf('--') : args.length;
  const { values, positionals } = parseArguments({ args: args.slice(0, cut), options: { json: { type: 'boolean', default: false } }, allowPositionals: true });
  const [name = '', ...rest] = positionals;
  const bench = Object.hasOwn(BENCHES, name) && rest.length === 0 ? BENCHES[name] : undefined;
  if (bench === undefined) throw new AppError('COMMAND_INVALID', { reason: `bench ${positionals.join(' ')}: ${Object.keys(BENCHES).join(', ')}` });
  const { program, needsDatabase, minutes } = bench;
  terminal.warn(`测量中，约 ${minutes} 分钟`, `measuring, about ${minutes} min`);
  const run = (environment: Record<string, string>): Promise<number> =>
    measure(join(checkout, 'dist', 'test', 'load', program), args.slice(cut + 1), environment, (line) => terminal.line(values.json ? line : shown(line)));
  return needsDatabase ? withTestServer(state, checkout, (url) => run({ HUFU_TEST_DATABASE_URL: url })) : run({});
}

/** Runs the program to its end and hands on its lines; its exit code is the bench's. */
function measure(program: string, options: readonly string[], environment: Record<string, string>, onLine: (line: string) => void): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...options], {
      env: childEnvironment(environment),
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.on('data', (piece: Buffer) => {
      const lines = (text + piece.toString()).split('\n');
      text = lines.pop() ?? '';
      lines.forEach(onLine);
    });
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
}

function shown(line: string): string {
  const { name, value, unit, reference, ratio, goal, ok } = JSON.parse(line) as Figure;
  const mark = ok ? '✓' : '✗';
  if (ratio === null) return `${mark} ${name}  ${short(value)} ${unit} (≤ ${goal})${reference === 0 ? '' : `, reference ${short(reference)}`}`;
  return `${mark} ${name}  ${short(value)} ${unit}, reference ${short(reference)}  ×${ratio.toFixed(2)} (goal ${goal})`;
}

function short(value: number): string {
  return value >= 100 ? String(Math.round(value)) : String(Math.round(value * 100) / 100);
}
