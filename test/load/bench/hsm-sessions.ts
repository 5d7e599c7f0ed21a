import { join } from 'node:path';
import { SimControl, simDevice } from '../../builders/hsm-sim.js';
import { startTestHsm } from '../../env/test-hsm.js';
import type { BenchOptions } from '../bench-hsm.js';
import { profilesWithSessions } from './devices.js';
import { type Figure, ratioFigure } from './figures.js';
import { checkValues, jobRate, makeRoots } from './work.js';

const GOAL = 6;
const SESSIONS = 8;
/** A networked HSM's answer time. */
export const SLOW_CALLS = '* latency=4';
/** The same share of work for each session: whole parts of a batch. */
const ITEMS_A_SESSION = 128;

/** One device whose every call takes 4 ms: with eight sessions against with one. */
export async function sessionsFigure({ rounds, folder }: BenchOptions): Promise<Figure> {
  const dir = join(folder, 'sessions');
  const profilesDir = profilesWithSessions(join(dir, 'profiles'), [{ profile: 'hsm-sim', sessions: 1 }, { profile: 'hsm-sim', sessions: SESSIONS }]);
  const devices = [1, SESSIONS].map((sessions) => ({ sessions, device: `bench-${sessions}`, control: new SimControl(join(dir, `control-${sessions}`)) }));
  const rig = await startTestHsm({
    devices: (at) => devices.map(({ sessions, device, control }) => simDevice(at, device, { profile: `hsm-sim-${sessions}`, control })),
    settings: { profilesDir },
  });
  try {
    await makeRoots(rig.hsm, devices.map(({ device }) => device));
    for (const { control } of devices) control.set(SLOW_CALLS);
    const rates: number[][] = [[], []];
    for (let round = 0; round < Math.min(3, rounds); round++) {
      for (const [i, { device, sessions }] of devices.entries()) rates[i]?.push(await jobRate(rig.hsm, checkValues, device, ITEMS_A_SESSION * sessions));
    }
    return ratioFigure('hsm.sessions8', 'items/s', rates[1] as number[], rates[0] as number[], GOAL);
  } finally {
    for (const { control } of devices) control.set();
    await rig.stop();
  }
}
