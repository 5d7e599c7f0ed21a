import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { childEnvironment } from '#libs/platform';

export interface DemoRow {
  readonly name: string;
  readonly expected: string;
  readonly actual: string;
  readonly source: string;
}

export interface CliEnd {
  readonly code: number | null;
  readonly text: string;
}

/** Runs the built cli as `./hufu` would, in a state folder of the test's own. */
export function runCli(home: string, args: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<CliEnd> {
  return new Promise((done, reject) => {
    let text = '';
    const child = spawn(process.execPath, ['--disable-sigusr1', resolve('dist/apps/cli/src/main.js'), ...args], {
      env: childEnvironment({ HUFU_HOME: home, ...environment }),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece: Buffer) => void (text += piece.toString()));
    child.once('error', reject);
    child.once('close', (code) => done({ code, text }));
  });
}

/** A whole demo; rows are those of its demo.json. */
export async function runDemo(home: string, ...args: string[]): Promise<CliEnd & { rows: DemoRow[]; failed: string[] }> {
  const end = await runCli(home, ['demo', ...args]);
  const rows = JSON.parse(readFileSync(join(home, 'demo.json'), 'utf8')) as DemoRow[];
  return { ...end, rows, failed: rows.filter((row) => row.expected !== row.actual).map((row) => row.name) };
}
