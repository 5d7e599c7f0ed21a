import { execFileSync } from 'node:child_process';
import { read } from 'node:fs';
import { isatty } from 'node:tty';
import { AppError, SecretBytes } from './domain/index.js';

const STDIN = 0;
const SECRET_BYTES_MOST = 128;
const LINE_BYTES_MOST = 1024;
const KEY = { enter: 0x0a, return: 0x0d, backspace: 0x08, delete: 0x7f, endOfText: 0x04, killLine: 0x15 } as const;
/** Reads come back after a tenth of a second with nothing, so that a question can be taken back (termios(3), VMIN and VTIME). */
const QUESTION_MODE = ['-icanon', '-echo', 'min', '0', 'time', '1'];

export interface AskOptions {
  readonly seconds: number;
  /** Takes the question back. */
  readonly signal?: AbortSignal;
}

/**
 * What a person types at the terminal of this process. A pipe is not a person: without a terminal on stdin everything is refused.
 * Bytes are read one by one into memory that is wiped; what is secret never becomes a string, which the runtime would keep until it
 * likes. What was typed before a question was there does not answer it.
 */
export class TerminalInput {
  constructor(private readonly out: (text: string | Uint8Array) => void = (text) => void process.stdout.write(text)) {}

  /** Throws TERMINAL_NEEDED. */
  static open(what: { readonly zh: string; readonly en: string }): TerminalInput {
    if (!isatty(STDIN)) throw new AppError('TERMINAL_NEEDED', { whatZh: what.zh, whatEn: what.en });
    return new TerminalInput();
  }

  /** One line, shown as it is typed. Throws TERMINAL_UNANSWERED; rejects with the signal's reason. */
  async line(prompt: string, options: AskOptions): Promise<string> {
    const typed = await this.typed(prompt, LINE_BYTES_MOST, this.out, options);
    return new TextDecoder().decode(typed).trim();
  }

  /** One line, not shown. The caller wipes it. Throws as `line` does. */
  async secret(prompt: string, options: AskOptions): Promise<SecretBytes> {
    return new SecretBytes(await this.typed(prompt, SECRET_BYTES_MOST, () => undefined, options));
  }

  private async typed(prompt: string, most: number, echo: (text: string | Uint8Array) => void, { seconds, signal }: AskOptions): Promise<Uint8Array> {
    const mode = stty('-g').trim();
    const restore = (): void => void stty(mode);
    process.once('exit', restore);
    try {
      stty(...QUESTION_MODE);
      await discard();
      this.out(prompt);
      const line = await readLine(most, echo, Date.now() + seconds * 1000, signal);
      if (line === undefined) throw new AppError('TERMINAL_UNANSWERED', { seconds });
      return line;
    } finally {
      process.off('exit', restore);
      restore();
      this.out('\n');
    }
  }
}

/** Undefined at the deadline. */
async function readLine(most: number, echo: (text: string | Uint8Array) => void, until: number, signal: AbortSignal | undefined): Promise<Uint8Array | undefined> {
  // Larger than what the runtime keeps inside its own heap and moves about, leaving copies.
  const line = Buffer.alloc(Math.max(most, 128));
  const one = Buffer.alloc(128);
  let length = 0;
  try {
    while (Date.now() < until) {
      signal?.throwIfAborted();
      if ((await readOne(one)) === 0) continue;
      const byte = one[0] as number;
      if (byte === KEY.enter || byte === KEY.return) return line.subarray(0, length);
      if (byte === KEY.endOfText) break;
      if (byte === KEY.backspace || byte === KEY.delete) length = rubOut(line, length, echo);
      else if (byte === KEY.killLine) while (length > 0) length = rubOut(line, length, echo);
      else if (byte >= 0x20 && length < most) {
        line[length++] = byte;
        echo(line.subarray(length - 1, length));
      }
    }
    line.fill(0);
    return undefined;
  } catch (error) {
    line.fill(0);
    throw error;
  } finally {
    one.fill(0);
  }
}

/** The last character, of one byte or several (UTF-8), and its one or two cells. Returns the new length. */
function rubOut(line: Uint8Array, length: number, echo: (text: string) => void): number {
  let left = length;
  let first = 0;
  while (left > 0) {
    first = line[--left] as number;
    line[left] = 0;
    if ((first & 0xc0) !== 0x80) break;
  }
  if (left < length) echo(first >= 0xe0 ? '\b\b  \b\b' : '\b \b');
  return left;
}

/** What was typed ahead. */
async function discard(): Promise<void> {
  const ahead = Buffer.alloc(128);
  while ((await readOne(ahead)) > 0);
  ahead.fill(0);
}

function readOne(into: Uint8Array): Promise<number> {
  return new Promise((resolve, reject) => read(STDIN, into, 0, 1, null, (error, count) => (error === null ? resolve(count) : reject(error))));
}

/** stty(1) over the terminal on our stdin. */
function stty(...settings: string[]): string {
  return execFileSync('stty', settings, { stdio: [STDIN, 'pipe', 'inherit'], encoding: 'utf8', env: {} });
}
