import koffi from 'koffi';

/** prctl(2), setrlimit(2). */
const PR_SET_PDEATHSIG = 1;
const PR_SET_DUMPABLE = 4;
const RLIMIT_CORE = 4;
const SIGKILL = 9;

/**
 * No core dump of this process, and with `undumpable` no debugger and no /proc/<pid>/mem either (simulators stay visible, so
 * that tests can look at their maps). With `dieWithParent` the kernel kills this process when its parent ends, even while
 * it is stuck in a vendor module and cannot see that its channel closed. Linux only; elsewhere nothing happens.
 */
export function harden(options: { readonly undumpable: boolean; readonly dieWithParent: boolean }): void {
  if (process.platform !== 'linux') return;
  const libc = koffi.load(null);
  const prctl = libc.func('prctl', 'int', ['int', 'ulong', 'ulong', 'ulong', 'ulong']);
  const setrlimit = libc.func('setrlimit', 'int', ['int', 'void *']);
  setrlimit(RLIMIT_CORE, Buffer.alloc(16));
  if (options.undumpable) prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  if (options.dieWithParent) prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
}
