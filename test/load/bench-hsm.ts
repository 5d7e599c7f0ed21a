import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { isAppError } from '#libs/platform/domain';
import { compileLoop } from './bench/c-loop.js';
import type { Figure } from './bench/figures.js';
import { fleetFigures } from './bench/hsm-fleet.js';
import { recipesFigure } from './bench/hsm-recipes.js';
import { sessionsFigure } from './bench/hsm-sessions.js';
import { singleFigure } from './bench/hsm-single.js';

/**
 * `bench hsm`: what the HSM room keeps of what a module can do, and what it gains from sessions and siblings. Ratios are
 * medians over rounds in which ours and the reference take turns, since a shared machine changes its speed while one looks.
 *
 *   bench-hsm [--only recipes|sessions|single|fleet] [--rounds 5] [--seconds 2] [--devices 45]
 *
 * Prints one JSON object a line; exit code 1 when a goal is missed. Needs the built hsm-sim and executor, cc, and no database.
 */
export interface BenchOptions {
  readonly rounds: number;
  /** Length of one measurement. */
  readonly seconds: number;
  readonly devices: number;
  /** The compiled bare loop. */
  readonly loop: string;
  /** A folder of this run, removed at its end. */
  readonly folder: string;
}

type Part = (options: BenchOptions) => Promise<readonly Figure[]>;

const PARTS: Readonly<Record<string, Part>> = {
  recipes: async (options) => [await recipesFigure('softhsm', options), await recipesFigure('nss', options), await recipesFigure('hsm-sim', options)],
  sessions: async (options) => [await sessionsFigure(options)],
  single: async (options) => [await singleFigure(options)],
  fleet: fleetFigures,
};

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', multiple: true, default: Object.keys(PARTS) },
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '2' },
      devices: { type: 'string', default: '45' },
    },
  });
  // dist/test/load: the programs and modules are found from the checkout.
  process.chdir(join(import.meta.dirname, '../../..'));
  const folder = mkdtempSync(join(tmpdir(), 'hufu-bench-hsm-'));
  try {
    const options: BenchOptions = { rounds: Number(values.rounds), seconds: Number(values.seconds), devices: Number(values.devices), loop: compileLoop(folder), folder };
    let good = true;
    for (const name of values.only) {
      const part = PARTS[name];
      if (part === undefined) throw new Error(`--only ${name}: ${Object.keys(PARTS).join(', ')}`);
      for (const figure of await part(options)) {
        process.stdout.write(`${JSON.stringify(figure)}\n`);
        good &&= figure.ok;
      }
    }
    process.exitCode = good ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`bench hsm: ${String((error as Error).stack ?? error)}${isAppError(error) ? ` ${JSON.stringify(error.details)}` : ''}\n`);
  process.exit(1);
});
