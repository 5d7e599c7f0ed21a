import { readdirSync, readFileSync } from 'node:fs';
import type { TestHsm } from './test-hsm.js';

/** Pid of the agent of an hsm-sim device: the child of the supervisor whose environment names the device's configuration. */
export function agentOf(rig: TestHsm, device: string): number {
  const pid = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).find((each) => {
    try {
      const parent = readFileSync(`/proc/${each}/stat`, 'latin1').replace(/^.*\) /s, '').split(' ')[1];
      return Number(parent) === rig.supervisor.pid && readFileSync(`/proc/${each}/environ`, 'latin1').includes(`/${device}.hsm-sim.conf`);
    } catch {
      // It ended while it was looked at.
      return false;
    }
  });
  if (pid === undefined) throw new Error(`no agent of ${device}`);
  return pid;
}
