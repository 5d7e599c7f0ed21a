import { spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { AppError } from '#libs/platform/domain';
import { seeProcess } from './process-table.js';

export interface FolderLock {
  release(): void;
}

/**
 * Keeps two programs from one state folder. The lock is the kernel's (flock(2) on the open file, taken by flock(1) for
 * us), so it is gone with this process, also after kill -9: a lock file that is left over is never in the way. What the
 * file says (pid and start time) is for people. Node opens files close-on-exec: no child keeps the lock.
 * Throws ALREADY_RUNNING.
 */
export function takeLock(file: string): FolderLock {
  const fd = openSync(file, 'a+', 0o600);
  const taken = spawnSync('flock', ['--nonblock', '3'], { stdio: ['ignore', 'ignore', 'ignore', fd] });
  if (taken.status !== 0) {
    closeSync(fd);
    if (taken.error !== undefined) throw new AppError('TOOL_MISSING', { tool: 'flock', package: 'util-linux' }, { cause: taken.error });
    throw new AppError('ALREADY_RUNNING', { pid: holder(file) });
  }
  ftruncateSync(fd);
  writeSync(fd, `${JSON.stringify({ pid: process.pid, startTicks: seeProcess(process.pid)?.startTicks })}\n`);
  return {
    release: () => {
      ftruncateSync(fd);
      closeSync(fd);
    },
  };
}

function holder(file: string): string {
  return /"pid":(\d+)/.exec(readFileSync(file, 'utf8'))?.[1] ?? '?';
}
