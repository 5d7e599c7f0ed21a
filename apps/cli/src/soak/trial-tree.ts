import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { childEnvironment, networkEnvironment } from '#libs/platform';
import { processIds, type SeenProcess, seeProcess } from '../process-table.js';

/**
 * A copy of the checkout's files with a state folder of its own. Everything started in it has a TMPDIR that nothing else
 * has: childEnvironment hands TMPDIR on, so whatever process lives on can be found by it.
 */
export class TrialTree {
  readonly folder = mkdtempSync(join(tmpdir(), 'hufu-soak-'));
  readonly checkout = join(this.folder, 'hufu');
  readonly home = join(this.folder, 'state');
  private readonly temporary = join(this.folder, 'tmp');

  constructor(checkout: string) {
    for (const folder of [this.checkout, this.temporary]) mkdirSync(folder, { mode: 0o700 });
    execFileSync('sh', ['-c', 'cd "$1" && git ls-files -co --exclude-standard -z | xargs -0 ls -d 2>/dev/null | tar -cf - -T - | tar -xf - -C "$2"', 'copy', checkout, this.checkout]);
  }

  /** Starts `./hufu` as the leader of a process group; `onText` gets what it prints. */
  start(args: readonly string[], onText: (text: string) => void): { pid: number; ended: Promise<number | null> } {
    const child = spawn(join(this.checkout, 'hufu'), args, {
      cwd: this.checkout,
      env: childEnvironment({ ...networkEnvironment(), HUFU_HOME: this.home, TMPDIR: this.temporary }),
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => onText(chunk.toString('utf8')));
    return { pid: child.pid ?? 0, ended: new Promise((resolve, reject) => child.once('error', reject).once('exit', resolve)) };
  }

  /** Processes that were started in here and live. */
  living(): SeenProcess[] {
    const mark = `TMPDIR=${this.temporary}\0`;
    return processIds().filter((pid) => pid !== process.pid && environmentOf(pid).includes(mark)).map(seeProcess).filter((seen) => seen !== undefined);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8');
  } catch {
    return '';
  }
}
