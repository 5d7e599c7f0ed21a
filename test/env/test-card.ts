import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Fault } from '../psam-card/faults.js';

export interface TestCard {
  readonly chipSerial: string;
  readonly socket: string;
  readonly process: ChildProcess;
  /** kill -9, as a card that is torn out of the reader. */
  tear(): Promise<void>;
  stop(): Promise<void>;
}

export interface TestCardOptions {
  readonly fault?: Fault;
  /** 32 hex digits; the published factory key diversified by the chip serial when absent. */
  readonly transportKey?: string;
  readonly state?: string;
}

/** Starts one built virtual PSAM (dist/) in a process of its own. `chipSerial`: 16 hex digits. */
export async function startTestCard(chipSerial: string, options: TestCardOptions = {}): Promise<TestCard> {
  const dir = mkdtempSync(join(tmpdir(), 'hufu-card-'));
  const socket = join(dir, 'card.sock');
  const args = ['--socket', socket, '--chip-serial', chipSerial, '--fault', options.fault ?? 'none'];
  if (options.state !== undefined) args.push('--state', options.state);
  if (options.transportKey !== undefined) {
    const file = join(dir, 'transport-key');
    writeFileSync(file, options.transportKey, { mode: 0o600 });
    args.push('--transport-key-file', file);
  }
  const card = spawn(process.execPath, [resolve('dist/test/psam-card/main.js'), ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  await ready(card);
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const exit = new Promise<void>((done) => (card.exitCode === null && card.signalCode === null ? card.once('exit', () => done()) : done()));
    card.kill(signal);
    await exit;
    rmSync(dir, { recursive: true, force: true });
  };
  return { chipSerial, socket, process: card, tear: () => end('SIGKILL'), stop: () => end('SIGTERM') };
}

function ready(card: ChildProcess): Promise<void> {
  return new Promise((done, reject) => {
    let said = '';
    card.stdout?.on('data', (piece: Buffer) => (piece.toString().includes('ready') ? done() : undefined));
    card.stderr?.on('data', (piece: Buffer) => void (said += piece.toString()));
    card.on('exit', (code) => reject(new Error(`psam-card ended with ${code}: ${said}`)));
    card.on('error', reject);
  });
}
