import { readdirSync, readFileSync } from 'node:fs';

/** Proportional set size of a process and all its children, in MiB (proc(5), smaps_rollup): pages they share count once. */
export function familyMiB(parent: number): number {
  const family = [parent, ...childrenOf(parent)];
  const kibibytes = family.map((pid) => Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]));
  return kibibytes.reduce((sum, each) => sum + each, 0) / 1024;
}

function childrenOf(parent: number): number[] {
  return readdirSync(`/proc/${parent}/task`).flatMap((thread) =>
    readFileSync(`/proc/${parent}/task/${thread}/children`, 'utf8').trim().split(' ').filter((pid) => pid !== '').map(Number),
  );
}
