import type { FleetStatus } from '../domain/fleet-status.js';

/** Entries of the list that an operator sees. */
const LISTED_MOST = 1000;
/** Kept for a device that gives no known answers; the oldest half is dropped then. */
const KEPT_MOST = 200_000;

/**
 * Answers that no sibling computed too go out at once; whether the device told the truth is known at its next right known answer.
 * What a device gave since the last one is kept, and listed when it turns out to have lied.
 */
export class UnprovenAnswers {
  readonly #byDevice = new Map<string, { atMs: number; recipe: string; at: string; keyIds: readonly string[] }[]>();
  #doubtful: FleetStatus['doubtful'] = [];

  constructor(private readonly now: () => Date) {}

  /** For somebody to look at again. */
  get doubtful(): FleetStatus['doubtful'] {
    return this.#doubtful;
  }

  add(device: string, recipe: string, keyIds: readonly string[]): void {
    const answers = this.#byDevice.get(device) ?? [];
    if (answers.length >= KEPT_MOST) answers.splice(0, KEPT_MOST / 2);
    answers.push({ atMs: performance.now(), recipe, at: this.now().toISOString(), keyIds });
    this.#byDevice.set(device, answers);
  }

  /** The device gave right known answers; they were asked at `sinceMs`. */
  proven(device: string, sinceMs: number): void {
    this.#byDevice.set(device, (this.#byDevice.get(device) ?? []).filter(({ atMs }) => atMs >= sinceMs));
  }

  /** The device lied; `sinceMs`: when its last right known answers were asked. */
  doubt(device: string, sinceMs: number): void {
    const answers = (this.#byDevice.get(device) ?? []).filter(({ atMs }) => atMs >= sinceMs);
    this.#doubtful = [...this.#doubtful, ...answers.map(({ recipe, at, keyIds }) => ({ device, recipe, at, keyIds }))].slice(-LISTED_MOST);
    this.#byDevice.delete(device);
  }
}
