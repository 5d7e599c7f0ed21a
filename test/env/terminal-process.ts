import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** A program at a pseudo-terminal (script(1)), typed to by the test as a person would. */
export class TerminalProcess {
  #shown = '';
  #seen = 0;
  readonly ended: Promise<number>;

  private constructor(private readonly child: ChildProcessWithoutNullStreams) {
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (this.#shown += text));
    child.stdin.on('error', () => undefined);
    this.ended = new Promise((settle) => child.once('close', (code) => settle(code ?? -1)));
  }

  /** `command`: program and arguments without quotes or blanks in them. */
  static start(command: readonly string[], env: Readonly<Record<string, string>>): TerminalProcess {
    if (command.some((word) => /[\s'"$`\\]/.test(word))) throw new Error('a word that a shell would read otherwise');
    // Ends with the test, also when that is killed; the program then loses its terminal.
    return new TerminalProcess(spawn('setpriv', ['--pdeathsig=KILL', 'script', '-qefc', `exec ${command.join(' ')}`, '/dev/null'], { env: { ...env, TERM: 'dumb' } }));
  }

  /** Everything that was on the screen. */
  get shown(): string {
    return this.#shown;
  }

  /** Waits until the screen shows it, after what was waited for before; returns what came since. */
  async until(wanted: RegExp, seconds = 20): Promise<string> {
    for (const start = Date.now(); ; await new Promise((settle) => setTimeout(settle, 20))) {
      const found = wanted.exec(this.#shown.slice(this.#seen));
      if (found !== null) {
        const since = this.#shown.slice(this.#seen, this.#seen + found.index + found[0].length);
        this.#seen += since.length;
        return since;
      }
      if (Date.now() - start > seconds * 1000 || this.child.exitCode !== null) throw new Error(`the screen never showed ${wanted}: ${this.#shown.slice(this.#seen)}`);
    }
  }

  type(text: string): void {
    this.child.stdin.write(text);
  }

  /** Of the program, not of script(1). */
  get pid(): number {
    const pid = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).find((name) => {
      try {
        return Number(readFileSync(`/proc/${name}/stat`, 'latin1').replace(/^.*\) /s, '').split(' ')[1]) === this.child.pid;
      } catch {
        // It ended while it was looked at.
        return false;
      }
    });
    if (pid === undefined) throw new Error('the program has ended');
    return Number(pid);
  }

  async stop(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGTERM');
    await this.ended;
  }
}
