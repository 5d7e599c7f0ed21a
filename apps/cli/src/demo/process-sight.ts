import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { processIds, seeProcess } from '../process-table.js';

/** This process and everything below it, by /proc/<pid>/stat (proc(5), field 4 is the parent). */
export function familyOf(root: number): number[] {
  const parents = new Map<number, number>();
  for (const pid of processIds()) {
    const parent = parentOf(pid);
    if (parent !== undefined) parents.set(pid, parent);
  }
  const family = new Set([root]);
  for (let grew = true; grew; ) {
    grew = false;
    for (const [pid, parent] of parents) {
      if (!family.has(pid) && family.has(parent)) {
        family.add(pid);
        grew = true;
      }
    }
  }
  return [...family];
}

function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}

/** Proportional set size of processes together, in MiB; one that ends meanwhile counts nothing. */
export function pssMiB(pids: readonly number[]): number {
  let kib = 0;
  for (const pid of pids) {
    try {
      kib += Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0);
    } catch {
      continue;
    }
  }
  return kib / 1024;
}

const PKCS11_MODULE = /(softhsm2|softokn3|hsm-sim|pkcs11-spy)[^/]*\.so/;

/** Names of the programs in which a PKCS#11 module is mapped. */
export function holdersOfPkcs11(pids: readonly number[]): string[] {
  const holders = pids.filter((pid) => {
    try {
      return PKCS11_MODULE.test(readFileSync(`/proc/${pid}/maps`, 'utf8'));
    } catch {
      return false;
    }
  });
  return [...new Set(holders.map(programName))].sort();
}

/** `hsm/agent` for node dist/apps/hsm/src/agent.js, else the program's own name. */
function programName(pid: number): string {
  const args = seeProcess(pid)?.arguments ?? [];
  const script = args.find((each) => /apps\/[a-z]+\/src\/[a-z-]+\.js$/.test(each));
  const match = script === undefined ? undefined : /apps\/([a-z]+)\/src\/([a-z-]+)\.js$/.exec(script);
  return match === undefined || match === null ? basename(args[0] ?? String(pid)) : `${match[1]}/${match[2]}`;
}

/** Looks at the family's memory now and then; `stop` gives the highest sum seen. */
export class MemoryWatch {
  private peak = 0;
  private readonly timer: NodeJS.Timeout;

  constructor(private readonly root: number, everyMs = 1_000) {
    this.timer = setInterval(() => this.look(), everyMs);
    this.timer.unref();
  }

  private look(): void {
    this.peak = Math.max(this.peak, pssMiB(familyOf(this.root)));
  }

  stop(): number {
    clearInterval(this.timer);
    this.look();
    return this.peak;
  }
}
