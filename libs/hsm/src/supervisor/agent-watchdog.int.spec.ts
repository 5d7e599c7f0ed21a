import { spawn } from 'node:child_process';
import { describe, expect, it } from '@jest/globals';
import { AgentWatchdog } from './agent-watchdog.js';

const PING_MS = 250;

/** A watchdog whose clock and process are the test's; it answers pings unless `silent`. */
function watched({ state = 'S', running = false, slow = false, callMs = 0, silent = false } = {}) {
  let now = 0;
  const said: string[] = [];
  const dog: AgentWatchdog = new AgentWatchdog({
    pid: 1, pingMs: PING_MS, callDeadlineMs: 600, slowMs: 30_000,
    isSlow: () => slow,
    ping: () => {
      if (silent) return;
      dog.heard();
      dog.pong({ ms: callMs, running });
    },
    hung: (reason) => said.push(reason),
    now: () => now,
    stateOf: () => (state === '-' ? undefined : state),
  });
  return {
    said,
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
  it('and waits in one call is hung within a second', () => {
    const { pass, said } = watched({ silent: true });
    expect([pass(5000), said]).toEqual([1000, ['silent for 1000 ms']]);
  });
  it.each([['runs or waits for a processor', { state: 'R' }], ['makes a key', { slow: true }]])('and %s is given the time for it', (_, doing) => {
    expect(watched({ silent: true, ...doing }).pass(29_900)).toBeUndefined();
    expect(watched({ silent: true, ...doing }).pass(31_000)).toBe(30_250);
  });
  it('and is stopped is hung too', () => expect(watched({ silent: true, state: 'T' }).pass(5000)).toBe(1000));
  it('where nothing can be seen is given 10 s', () => expect(watched({ silent: true, state: '-' }).pass(20_000)).toBe(10_250));
  it('is not judged by a supervisor that was late itself', () => expect(watched({ silent: true }).pass(20_000, 600)).toBeUndefined());
});

describe('a call that does not return', () => {
  it('is hung when it is older than its deadline', () => {
    expect(watched({ callMs: 601 }).pass(1000)).toBe(PING_MS);
    expect(watched({ callMs: 599 }).pass(1000)).toBeUndefined();
  });
  it('and whose thread runs or waits for a processor has four times as long', () => {
    expect(watched({ callMs: 2399, running: true }).pass(1000)).toBeUndefined();
    expect(watched({ callMs: 2401, running: true }).pass(1000)).toBe(PING_MS);
  });
});

it('says it once', () => {
  const { pass, said } = watched({ callMs: 5000 });
  pass(1000);
  pass(1000);
  expect(said).toHaveLength(1);
});

describe('what the kernel says of a process', () => {
  /** A child that is silent; what the watchdog says of it within 2 s. */
  const saidOf = async (program: string): Promise<string[]> => {
    const child = spawn(process.execPath, ['-e', program], { stdio: 'ignore' });
    const said: string[] = [];
    const dog = new AgentWatchdog({ pid: child.pid as number, pingMs: PING_MS, callDeadlineMs: 600, slowMs: 30_000, isSlow: () => false, ping: () => undefined, hung: (reason) => said.push(reason) });
    dog.start();
    await new Promise((next) => setTimeout(next, 2000));
    dog.stop();
    child.kill('SIGKILL');
    return said;
  };
  it.each<[string, string, RegExp[]]>([
    ['a wait', 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10_000)', [/^silent for \d+ ms$/]],
    ['computation', 'for (;;);', []],
  ])('%s', async (_, program, expected) => expect(await saidOf(program)).toEqual(expected.map((each) => expect.stringMatching(each))));
});
