/** The wall clock, and the monotonic clock before and after it was read: a process may be put to sleep between the two. Milliseconds. */
export interface ClockReading {
  readonly wallMs: number;
  readonly beforeMs: number;
  readonly afterMs: number;
}

/** Against what the wall clock is wrong. */
export type ClockWitness = 'monotonic' | 'latest' | 'database';

export interface ClockFault {
  readonly code: 'CLOCK_STEPPED_BACK' | 'CLOCK_DIFFERS';
  readonly witness: ClockWitness;
  /** How far the wall clock is off, signed; behind = negative. */
  readonly offMs: number;
}

/**
 * Whether the wall clock can be believed. Slewing moves wall and monotonic clock alike (clock_gettime(2)), so whatever moves one
 * against the other is a step: back, it would make what has expired good again; forward, it waits until a second clock says the
 * same. Nothing is believed that lies before a time that was used or recorded already.
 */
export class TimeGuard {
  /** Wall minus monotonic when both were last believed. */
  #offsetMs: number | undefined;
  #latestMs = Number.NEGATIVE_INFINITY;
  #differsMs: number | undefined;

  constructor(readonly toleranceMs: number) {}

  /** No time before this one, less the tolerance, is believed. */
  raise(latestMs: number): void {
    this.#latestMs = Math.max(this.#latestMs, latestMs);
  }

  look({ wallMs, beforeMs, afterMs }: ClockReading): ClockFault | undefined {
    this.#offsetMs ??= wallMs - afterMs;
    const sinceLatest = wallMs - this.#latestMs;
    if (sinceLatest < -this.toleranceMs) return { code: 'CLOCK_STEPPED_BACK', witness: 'latest', offMs: sinceLatest };
    const most = wallMs - beforeMs - this.#offsetMs;
    if (most < -this.toleranceMs) return { code: 'CLOCK_STEPPED_BACK', witness: 'monotonic', offMs: most };
    const least = wallMs - afterMs - this.#offsetMs;
    if (least > this.toleranceMs) return { code: 'CLOCK_DIFFERS', witness: 'monotonic', offMs: least };
    return this.#differsMs === undefined ? undefined : { code: 'CLOCK_DIFFERS', witness: 'database', offMs: this.#differsMs };
  }

  /** A believed reading: the time to use, never before one that was used. */
  use({ wallMs }: ClockReading): number {
    this.raise(wallMs);
    return this.#latestMs;
  }

  /** What a second clock said during the reading, give or take. When both say the same, a step was put right or was right. */
  compare(reading: ClockReading, otherMs: number, uncertaintyMs: number): void {
    const offMs = reading.wallMs - otherMs;
    this.#differsMs = Math.abs(offMs) > this.toleranceMs + uncertaintyMs ? offMs : undefined;
    if (this.#differsMs === undefined) this.#offsetMs = reading.wallMs - reading.afterMs;
  }

  /** Where the time would be by the monotonic clock: for a record of the fault itself, which has no better. */
  steadyMs(reading: ClockReading): number {
    return Math.max(this.#latestMs, (this.#offsetMs ?? reading.wallMs - reading.afterMs) + reading.afterMs);
  }
}
