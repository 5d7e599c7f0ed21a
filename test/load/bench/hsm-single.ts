import type { SupervisorHsm } from '#libs/hsm';
import { startTestHsm } from '../../env/test-hsm.js';
import type { BenchOptions } from '../bench-hsm.js';
import { runLoop } from './c-loop.js';
import { type BenchDevice, deviceConfig } from './devices.js';
import { type Figure, limitFigure, median, percentile } from './figures.js';
import { SteadyLoad } from './steady-load.js';
import { batchRate, cards, makeRoots, protectForCard } from './work.js';

const GOAL_MS = 3;
const SINGLES = 10_000;
const GROUP = '@diversification';
/** Batches keep this share of what the group can do at most. */
const BATCH_SHARE = 0.5;
const ITEMS_A_BATCH = 1000;

/**
 * The 99th percentile of single online requests, one after the other, while batches run, less that of the same calls in a bare
 * loop. Taken in rounds, so that what disturbs the machine disturbs both; the percentile is of all samples together.
 */
export async function singleFigure({ rounds, seconds, loop }: BenchOptions): Promise<Figure> {
  const devices: BenchDevice[] = [1, 2].map((n) => ({ device: `bench-${n}`, module: 'hsm-sim' }));
  const rig = await startTestHsm({ devices: (dir) => devices.map((device) => deviceConfig(dir, device)) });
  try {
    await makeRoots(rig.hsm, devices.map(({ device }) => device));
    const full = (): Promise<number> => batchRate(rig.hsm, protectForCard, GROUP, { items: ITEMS_A_BATCH, atOnce: 4, seconds });
    await full();
    const group = await full();
    const load = await SteadyLoad.start(rig, GROUP, ITEMS_A_BATCH, (group * BATCH_SHARE) / ITEMS_A_BATCH);
    const samples: number[] = [];
    const references: number[] = [];
    const shares: number[] = [];
    // The first round warms both processes up: a service and a batch job have run for hours, not for a second.
    for (let round = 0; round <= rounds; round++) {
      const { p99Ms } = await runLoop(loop, rig, devices[0] as BenchDevice, 'protectForCard', 0.1, true);
      load.run();
      const taken = await singles(rig.hsm, round === 0 ? SINGLES : Math.ceil(SINGLES / rounds));
      const share = (await load.rest()) / group;
      if (round === 0) continue;
      samples.push(...taken);
      shares.push(share);
      references.push(p99Ms);
    }
    await load.stop();
    // A figure beside batches that did not run would say nothing.
    if (median(shares) < BATCH_SHARE * 0.8) throw new Error(`the batches reached ${Math.round(median(shares) * 100)} % of the group, not ${BATCH_SHARE * 100} %`);
    return limitFigure('hsm.single_p99_ms', 'ms', [percentile(samples, 0.99) - median(references)], median(references), GOAL_MS);
  } finally {
    await rig.stop();
  }
}

async function singles(hsm: SupervisorHsm, count: number): Promise<number[]> {
  const card = cards(1);
  const took: number[] = [];
  for (let i = 0; i < count; i++) {
    const started = performance.now();
    await protectForCard(hsm, GROUP, card);
    took.push(performance.now() - started);
  }
  return took;
}
