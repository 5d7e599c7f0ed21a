import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { childEnvironment } from '#libs/platform';
import { AppError } from '#libs/platform/domain';
import { type Invocation, parseArguments } from '../command.js';
import { withTestServer } from '../test-server.js';

/** Programs of test/load that measure; each prints one JSON object a figure and exits non-zero when a goal is missed. */
const BENCHES: Readonly<Record<string, string>> = { verify: 'bench-verify.js' };

interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly reference: number;
  readonly ratio: number | null;
  readonly goal: number;
  readonly ok: boolean;
}

/** `bench NAME [--json]`: with --json stdout holds the figures alone, one JSON object a line. */
export async function run({ args, checkout, state, terminal }: Invocation): Promise<number> {
  const { values, positionals } = parseArguments({ args: [...args], options: { json: { type: 'boolean', default: false } }, allowPositionals: true });
  const [name = '', ...rest] = positionals;
  const program = Object.hasOwn(BENCHES, name) && rest.length === 0 ? BENCHES[name] : undefined;
  if (program === undefined) throw new AppError('COMMAND_INVALID', { reason: `bench ${positionals.join(' ')}: ${Object.keys(BENCHES).join(', ')}` });
  terminal.warn('测量中，约一分钟', 'measuring, about a minute');
  return withTestServer(state, checkout, (url) => measure(join(checkout, 'dist', 'test', 'load', program), url, (line) => terminal.line(values.json ? line : shown(line))));
}

/** Runs the program to its end and hands on its lines; its exit code is the bench's. */
function measure(program: string, databaseUrl: string, onLine: (line: string) => void): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program], {
      env: childEnvironment({ HUFU_TEST_DATABASE_URL: databaseUrl }),
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
  const quotient = ratio === null ? '' : `  ×${ratio.toFixed(2)} (goal ${goal})`;
  return `${ok ? '✓' : '✗'} ${name}  ${Math.round(value)} ${unit}, reference ${Math.round(reference)}${quotient}`;
}
