import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type ClockReading, TimeGuard } from './time-guard.js';

const TOLERANCE = 2_000;
const HOUR = 3_600_000;
const START = Date.parse('2026-06-01T08:00:00Z');

/** Two clocks that tests move. */
class Clocks {
  wallMs = START;
  monotonicMs = 50;
  pass(ms: number): this {
    this.wallMs += ms;
    this.monotonicMs += ms;
    return this;
  }
  step(ms: number): this {
    this.wallMs += ms;
    return this;
  }
  read(asleepMs = 0): ClockReading {
    const beforeMs = this.monotonicMs;
    this.monotonicMs += asleepMs;
    const { wallMs } = this;
    return { wallMs, beforeMs, afterMs: this.monotonicMs };
  }
}

function begun(): { guard: TimeGuard; clocks: Clocks } {
  const [guard, clocks] = [new TimeGuard(TOLERANCE), new Clocks()];
  expect(guard.look(clocks.read())).toBeUndefined();
  guard.use(clocks.read());
  return { guard, clocks };
}

describe('TimeGuard', () => {
  it('refuses a clock set back an hour until it has come back, or time has passed', () => {
    const { guard, clocks } = begun();
    clocks.pass(HOUR);
    guard.use(clocks.read());
    clocks.step(-HOUR);
    expect(guard.look(clocks.read())).toEqual({ code: 'CLOCK_STEPPED_BACK', witness: 'latest', offMs: -HOUR });
    clocks.step(HOUR);
    expect(guard.look(clocks.read())).toBeUndefined();
  });

  it('finds a step back also where no time was used since', () => {
    const { guard, clocks } = begun();
    clocks.pass(2 * HOUR).step(-HOUR);
    expect(guard.look(clocks.read())).toEqual({ code: 'CLOCK_STEPPED_BACK', witness: 'monotonic', offMs: -HOUR });
    // A second clock that was set with it (the same host) changes nothing about what was used before.
    guard.raise(START + 2 * HOUR);
    guard.compare(clocks.read(), clocks.wallMs, 0);
    expect(guard.look(clocks.read())).toMatchObject({ code: 'CLOCK_STEPPED_BACK', witness: 'latest' });
    clocks.pass(HOUR);
    expect(guard.look(clocks.read())).toBeUndefined();
  });

  it('waits with a step forward until a second clock says the same', () => {
    const { guard, clocks } = begun();
    clocks.pass(1000).step(HOUR);
    expect(guard.look(clocks.read())).toEqual({ code: 'CLOCK_DIFFERS', witness: 'monotonic', offMs: HOUR });
    guard.compare(clocks.read(), clocks.wallMs - HOUR, 10);
    expect(guard.look(clocks.read())).toBeDefined();
    guard.compare(clocks.read(), clocks.wallMs + 500, 10);
    expect(guard.look(clocks.read())).toBeUndefined();
  });

  it('refuses while a second clock differs by more than tolerance and uncertainty', () => {
    const { guard, clocks } = begun();
    guard.compare(clocks.read(), clocks.wallMs + TOLERANCE + 90, 100);
    expect(guard.look(clocks.read())).toBeUndefined();
    guard.compare(clocks.read(), clocks.wallMs + TOLERANCE + 110, 100);
    expect(guard.look(clocks.read())).toEqual({ code: 'CLOCK_DIFFERS', witness: 'database', offMs: -(TOLERANCE + 110) });
    guard.compare(clocks.read(), clocks.wallMs, 100);
    expect(guard.look(clocks.read())).toBeUndefined();
  });

  it('small steps add up: a clock that is held back a little each second is found', () => {
    const { guard, clocks } = begun();
    const faultAfter = Array.from({ length: 20 }, () => {
      clocks.pass(1000).step(-500);
      const fault = guard.look(clocks.read());
      if (fault === undefined) guard.use(clocks.read());
      return fault?.code;
    }).findIndex((code) => code !== undefined);
    expect(faultAfter).toBe(4);
  });

  it('a process put to sleep between the two clocks is no step', () => {
    const { guard, clocks } = begun();
    expect(guard.look(clocks.read(60_000))).toBeUndefined();
    expect(guard.look({ ...clocks.read(), wallMs: clocks.wallMs + 60_000 })).toBeUndefined();
  });

  it('whatever the clocks do, the time in use never goes back, and slewing is never refused', () => {
    const move = fc.oneof(
      fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 10_000 }) }),
      fc.record({ kind: fc.constant('step' as const), ms: fc.integer({ min: -HOUR, max: HOUR }) }),
      fc.record({ kind: fc.constant('compare' as const), ms: fc.integer({ min: -HOUR, max: HOUR }) }),
    );
    fc.assert(
      fc.property(fc.array(move, { maxLength: 60 }), (moves) => {
        const { guard, clocks } = begun();
        let [last, stepped] = [START, false];
        for (const { kind, ms } of moves) {
          if (kind === 'compare') guard.compare(clocks.read(), clocks.wallMs + ms, 0);
          else clocks[kind](ms);
          stepped ||= kind !== 'pass';
          const fault = guard.look(clocks.read());
          if (!stepped) expect(fault).toBeUndefined();
          if (fault !== undefined) continue;
          const used = guard.use(clocks.read());
          expect(used).toBeGreaterThanOrEqual(last);
          expect(used - clocks.wallMs).toBeLessThanOrEqual(TOLERANCE);
          last = used;
        }
      }),
      { numRuns: 500 },
    );
  });
});
