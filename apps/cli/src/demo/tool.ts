import { spawn } from 'node:child_process';
import { childEnvironment } from '#libs/platform';

export interface ToolResult {
  readonly code: number | null;
  /** stdout and stderr as they came, together. */
  readonly text: string;
}

/** Runs another program (openssl, pdftotext, …) to its end. A program that is missing is code null and says so. */
export function runTool(program: string, args: readonly string[], options: { cwd?: string } = {}): Promise<ToolResult> {
  return new Promise((resolve) => {
    let text = '';
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: childEnvironment({ LC_ALL: 'C.UTF-8' }), ...options });
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
    child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
    child.on('error', (error) => resolve({ code: null, text: `${text}${error.message}` }));
    child.on('close', (code) => resolve({ code, text }));
  });
}

/** One line that an operator can read: what OpenSSL said last, without its error stack. */
export function verdictLine(result: ToolResult, pattern: RegExp): string {
  return result.text.split('\n').find((line) => pattern.test(line))?.trim() ?? `exit ${result.code}: ${result.text.trim().slice(0, 100)}`;
}
