import { native } from './native.js';

/**
 * No core dump of this process, and with `undumpable` no debugger and no /proc/<pid>/mem either (simulators stay visible, so
 * that tests can look at their maps). With `dieWithParent` the kernel kills this process when its parent ends, even while
 * it is stuck in a vendor module and cannot see that its channel closed. Linux only; elsewhere nothing happens.
 */
export function harden(options: { readonly undumpable: boolean; readonly dieWithParent: boolean }): void {
  native.harden(options);
}
