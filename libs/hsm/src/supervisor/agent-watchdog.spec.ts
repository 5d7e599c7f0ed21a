import { describe, expect, it } from '@jest/globals';
import { AgentWatchdog } from './agent-watchdog.js';

const PING_MS = 250;

/** A watchdog whose clock and process are the test's; it answers pings unless `silent`. */
function watched({ state = 'S', slow = false, oldestCallMs = 0, pongDelayMs = 0, silent = false } = {}) {
  let now = 0;
  const said: string[] = [];
  const settings = { state, slow, oldestCallMs, pongDelayMs, silent };
  const dog: AgentWatchdog = new AgentWatchdog({
    pid: 1, pingMs: PING_MS, callDeadlineMs: 900, slowMs: 30_000,
    isSlow: () => settings.slow,
    ping: (seq) => {
      if (settings.silent) return;
      now += settings.pongDelayMs;
      dog.heard();
      dog.pong(seq, settings.oldestCallMs);
    },
    hung: (reason) => said.push(reason),
    now: () => now,
    stateOf: () => (settings.state === '-' ? undefined : settings.state),
  });
  return {
    settings, said,
    /** Ticks until `ms` have gone by; returns at how many milliseconds it was found hung. */
    pass(ms: number, everyMs = PING_MS): number | undefined {
      for (const end = now + ms; now < end && said.length === 0; ) {
        now += everyMs;
        dog.tick();
      }
      dog.stop();
      return said.length === 0 ? undefined : now;
    },
  };
}

describe('an agent that says nothing', () => {
  it('and waits in a call is hung within 1.5 s', () => {
    const { pass, said } = watched({ silent: true });
    expect([pass(5000), said]).toEqual([1500, ['silent for 1500 ms']]);
  });
  it('and is stopped is hung too', () => expect(watched({ silent: true, state: 'T' }).pass(5000)).toBe(1500));
  it('and runs or waits for a processor is not, for long', () => {
    expect(watched({ silent: true, state: 'R' }).pass(29_900)).toBeUndefined();
    expect(watched({ silent: true, state: 'R' }).pass(31_000)).toBe(30_250);
  });
  it('and makes a key is given the time for it', () => {
    expect(watched({ silent: true, slow: true }).pass(29_900)).toBeUndefined();
    expect(watched({ silent: true, slow: true }).pass(31_000)).toBe(30_250);
  });
  it('where no state can be seen is given 10 s', () => expect(watched({ silent: true, state: '-' }).pass(20_000)).toBe(10_250));
  it('is not judged by a supervisor that was late itself', () => expect(watched({ silent: true }).pass(20_000, 600)).toBeUndefined());
});

describe('a call that does not return', () => {
  it('is hung when it is older than its deadline', () => {
    expect(watched({ oldestCallMs: 901 }).pass(1000)).toBe(PING_MS);
    expect(watched({ oldestCallMs: 899 }).pass(1000)).toBeUndefined();
  });
  it('on an overloaded host has four times as long', () => {
    expect(watched({ oldestCallMs: 3599, pongDelayMs: 300 }).pass(1000)).toBeUndefined();
    expect(watched({ oldestCallMs: 3601, pongDelayMs: 300 }).pass(1000)).toBe(550);
    expect(watched({ oldestCallMs: 3599 }).pass(1800, 600)).toBeUndefined();
    expect(watched({ oldestCallMs: 3599 }).pass(1000)).toBe(PING_MS);
  });
});

it('says it once', () => {
  const { pass, said } = watched({ oldestCallMs: 5000 });
  pass(1000);
  pass(1000);
  expect(said).toHaveLength(1);
});
