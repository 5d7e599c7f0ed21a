import { seededRandom } from './random.js';

/** A part of `./hufu demo` that a round aims at. */
export interface Stage {
  readonly name: string;
  /** Removed first (in the checkout or the state folder), so that the part is run again. */
  readonly undo: readonly { readonly from: 'checkout' | 'state'; readonly path: string }[];
  readonly clean: boolean;
  /** Its begin, as the output tells it; it lasts until the next begin that is told, or the end. */
  readonly begins: RegExp;
  /** How often it is chosen. */
  readonly weight: number;
}

export const STAGES: readonly Stage[] = [
  { name: 'runtime', undo: [{ from: 'state', path: 'runtime/.installed' }], clean: false, begins: /installing the Node/, weight: 1 },
  { name: 'npm ci', undo: [{ from: 'checkout', path: 'node_modules/.hufu-installed' }], clean: false, begins: /installing npm packages/, weight: 2 },
  { name: 'build', undo: [{ from: 'checkout', path: 'dist/.hufu-built' }], clean: false, begins: /\/ building/, weight: 2 },
  { name: 'initdb', undo: [], clean: true, begins: /starting the database/, weight: 3 },
  { name: 'token init', undo: [], clean: true, begins: /starting HSM agents/, weight: 3 },
  { name: 'start', undo: [], clean: false, begins: /starting the database/, weight: 2 },
  { name: 'run', undo: [], clean: false, begins: /\[1\/6\]/, weight: 7 },
];

export interface Round {
  readonly stage: Stage;
  /** When the kill comes, as a part of the stage's duration. */
  readonly moment: number;
  readonly whom: 'leader' | 'group';
}

/** How long each stage took in a whole run: from its begin to the next begin or to the end. Both in milliseconds. */
export function stageDurations(begins: ReadonlyMap<string, number>, end: number): Map<string, number> {
  const moments = [...begins.values(), end].sort((a, b) => a - b);
  return new Map([...begins].map(([name, begin]) => [name, (moments.find((moment) => moment > begin) ?? begin) - begin]));
}

/** The last rounds all break into a run, so that the final one must settle what they left. */
const LAST_RUNS = 5;

export function planRounds(seed: number, rounds: number): Round[] {
  const random = seededRandom(seed);
  const lots = STAGES.flatMap((stage) => Array.from({ length: stage.weight }, () => stage));
  return Array.from({ length: rounds }, (_, i) => {
    const drawn = lots[Math.floor(random() * lots.length)] as Stage;
    const stage = i >= rounds - LAST_RUNS ? (STAGES.at(-1) as Stage) : drawn;
    return { stage, moment: random(), whom: random() < 0.5 ? 'leader' : 'group' };
  });
}
