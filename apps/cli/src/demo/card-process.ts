import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { childEnvironment } from '#libs/platform';

/** A virtual PSAM in its reader: a process of its own (test/psam-card), reached through a Unix socket by APDUs only. */
export class CardProcess {
  private constructor(
    readonly socket: string,
    private readonly child: ChildProcess,
  ) {}

  static async insert(options: { checkout: string; folder: string; chipSerial: string; fault: string | undefined }): Promise<CardProcess> {
    const socket = join(options.folder, `${options.chipSerial}.sock`);
    const program = join(options.checkout, 'dist', 'test', 'psam-card', 'main.js');
    const child = spawn(process.execPath, [program, '--socket', socket, '--chip-serial', options.chipSerial, '--fault', options.fault ?? 'none'], {
      env: childEnvironment(),
      // Its stdin is our pipe: the card is gone when we are.
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    await new Promise<void>((resolve, reject) => {
      let said = '';
      child.stdout?.on('data', (piece: Buffer) => (piece.includes('ready') ? resolve() : undefined));
      child.stderr?.on('data', (piece: Buffer) => void (said += piece.toString()));
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`psam-card ended with ${code}: ${said}`)));
    });
    return new CardProcess(socket, child);
  }

  async remove(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => this.child.once('exit', () => resolve()));
    this.child.stdin?.end();
    this.child.kill('SIGTERM');
    await ended;
  }
}
