import { readdirSync, readFileSync, statSync } from 'node:fs';

/** What Linux tells about processes under /proc (proc(5)). A process that ends while it is looked at is just not there. */
export interface SeenProcess {
  readonly pid: number;
  /** In clock ticks since boot; with the pid it names one process for ever. */
  readonly startTicks: string;
  readonly arguments: readonly string[];
}

export function seeProcess(pid: number): SeenProcess | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in brackets may hold anything, so count from its closing bracket: field 3 is the state, field 22 the start.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    const parts = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
    return { pid, startTicks: fields[19] ?? '', arguments: parts };
  } catch {
    return undefined;
  }
}

export function processIds(): number[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number);
}

/** Live processes whose working directory is `folder` (compared by device and inode, so names and chroots don't matter). */
export function processesIn(folder: string): SeenProcess[] {
  const wanted = inode(folder);
  if (wanted === undefined) return [];
  return processIds()
    .filter((pid) => pid !== process.pid && inode(`/proc/${pid}/cwd`) === wanted)
    .map(seeProcess)
    .filter((seen) => seen !== undefined);
}

function inode(path: string): string | undefined {
  try {
    const stat = statSync(path, { bigint: true });
    return `${stat.dev}:${stat.ino}`;
  } catch {
    return undefined;
  }
}

/** Sends a signal; a process that is gone already is what was wanted. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Waits until `look` finds nothing; false when it still finds something after the time. */
export async function waitUntilNone(look: () => readonly unknown[], milliseconds: number): Promise<boolean> {
  const until = Date.now() + milliseconds;
  while (look().length > 0) {
    if (Date.now() > until) return false;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return true;
}
