import { join } from 'node:path';
import { startTestHsm } from '../../env/test-hsm.js';
import type { BenchOptions } from '../bench-hsm.js';
import { type LoopItem, runLoop } from './c-loop.js';
import { type BenchDevice, deviceConfig, type Module, profilesWithSessions } from './devices.js';
import { type Figure, ratioFigure } from './figures.js';
import { batchRate, checkValues, makeRoots, protectForCard, type Recipe } from './work.js';

/** SoftHSM has no CONCATENATE_* and no 3DES wrap, so its part is the diversification with the check value of the child. */
const RECIPES: Readonly<Record<Module, { name: string; recipe: Recipe; item: LoopItem; goal: number }>> = {
  softhsm: { name: 'hsm.recipes.softhsm', recipe: checkValues, item: 'checkValues', goal: 0.75 },
  nss: { name: 'hsm.recipes.nss', recipe: protectForCard, item: 'protectForCard', goal: 0.6 },
  'hsm-sim': { name: 'hsm.recipes.sim', recipe: protectForCard, item: 'protectForCard', goal: 0.6 },
};
const BATCH = { items: 1000, atOnce: 4 };

/** Client → supervisor → one agent with one session, against a bare C loop with one session on the same token. */
export async function recipesFigure(module: Module, { rounds, seconds, loop, folder }: BenchOptions): Promise<Figure> {
  const { name, recipe, item, goal } = RECIPES[module];
  const device: BenchDevice = { device: `bench-${module}`, module, profile: `${module}-1` };
  const profilesDir = profilesWithSessions(join(folder, `profiles-${module}`), [{ profile: module, sessions: 1 }]);
  const rig = await startTestHsm({ devices: (dir) => [deviceConfig(dir, device)], settings: { profilesDir } });
  try {
    await makeRoots(rig.hsm, [device.device]);
    await batchRate(rig.hsm, recipe, '@diversification', { ...BATCH, seconds: seconds / 4 });
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let round = 0; round < rounds; round++) {
      ours.push(await batchRate(rig.hsm, recipe, '@diversification', { ...BATCH, seconds }));
      theirs.push((await runLoop(loop, rig, device, item, seconds)).perSecond);
    }
    return ratioFigure(name, 'items/s', ours, theirs, goal);
  } finally {
    await rig.stop();
  }
}
