import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { DeviceChoice } from '#libs/hsm';
import { SimControl, simDevice } from '../../builders/hsm-sim.js';
import { startTestHsm, type TestHsm } from '../../env/test-hsm.js';
import type { BenchOptions } from '../bench-hsm.js';
import { type Figure, limitFigure, ratioFigure } from './figures.js';
import { SLOW_CALLS } from './hsm-sessions.js';
import { familyMiB } from './process-memory.js';
import { checkValues, makeRoots, steadyRate } from './work.js';

const START_GOAL_S = 5;
const MEMORY_GOAL_MIB = 700;
/** Of 45 devices, at least 40 times one. */
const SCALE_GOAL_SHARE = 40 / 45;
/** Small batches, several for each device, so that a known-answer run of a device makes nobody wait but its own. */
const ITEMS_A_BATCH = 16;
const BATCHES_A_DEVICE = 6;
const STEADY_SECONDS = 6;

/** As many devices as a province has: how fast they are up, what they hold of memory, and how their work adds up. */
export async function fleetFigures({ rounds, devices: count, folder }: BenchOptions): Promise<readonly Figure[]> {
  const dir = join(folder, 'fleet');
  mkdirSync(dir);
  const devices = Array.from({ length: count }, (_, i) => ({ device: `bench-${i + 1}`, control: new SimControl(join(dir, `control-${i + 1}`)) }));
  const start = (): Promise<TestHsm> =>
    startTestHsm({ dir, devices: (at) => devices.map(({ device, control }) => simDevice(at, device, { control, lines: { serial_device: 'yes' } })) });
  // The first start makes the tokens; those after it are what an operator waits for.
  let rig = await start();
  try {
    await makeRoots(rig.hsm, devices.map(({ device }) => device));
    const seconds: number[] = [];
    const mebibytes: number[] = [];
    for (let round = 0; round < Math.min(3, rounds); round++) {
      await rig.stop({ keep: true });
      rig = await start();
      const up = (await rig.hsm.devices()).filter(({ state }) => state === 'up').length;
      if (up !== count) throw new Error(`${up} of ${count} devices are up`);
      seconds.push(rig.readySeconds);
      mebibytes.push(familyMiB(rig.supervisor.pid as number));
    }
    for (const { control } of devices) control.set(SLOW_CALLS);
    const ours: number[] = [];
    const one: number[] = [];
    for (let round = 0; round < Math.min(3, rounds); round++) {
      const steady = (device: DeviceChoice, share: number): Promise<number> =>
        steadyRate(rig.hsm, checkValues, device, { items: ITEMS_A_BATCH, atOnce: BATCHES_A_DEVICE * share, seconds: STEADY_SECONDS });
      const alone = (): Promise<number> => steady(devices[0]?.device as string, 1);
      // Before and after: the machine is not the same all the while.
      const before = await alone();
      ours.push(await steady('@diversification', count));
      one.push((before + (await alone())) / 2);
    }
    return [
      limitFigure(`hsm.start${count}_s`, 's', seconds, 0, START_GOAL_S),
      limitFigure(`hsm.start${count}_mib`, 'MiB', mebibytes, 0, MEMORY_GOAL_MIB),
      ratioFigure(`hsm.scale${count}`, 'items/s', ours, one, SCALE_GOAL_SHARE * count),
    ];
  } finally {
    for (const { control } of devices) control.set();
    await rig.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}
