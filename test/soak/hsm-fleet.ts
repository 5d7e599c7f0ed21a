import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { FleetStatus } from '#libs/hsm';
import { seededRandom } from '../../apps/cli/src/soak/random.js';
import { FleetLoad, makeFleetKeys } from '../builders/fleet-load.js';
import { simDevice, SimControl } from '../builders/hsm-sim.js';
import { agentOf } from '../env/agent-of.js';
import { startTestHsm, type TestHsm } from '../env/test-hsm.js';

/**
 * `soak hsm-fleet`: 25 simulators of which two are always failing in some way, a load with an assertion on every answer.
 *
 *   hsm-fleet [--minutes 5] [--seed N] [--devices 25]
 *
 * Failures are the load's (an error, a wrong answer that the fleet does not list) and a device that does not return by itself.
 * The last line is `N passed, N failed`; exit code 1 when one failed. The same seed gives the same faults in the same order.
 */
const AT_ONCE = 2;
const KNOWN_ANSWER_SECONDS = 5;
/** The longest pause of a device that crashes again and again (60 s), a start and the known answers. */
const RETURN_SECONDS_MOST = 90;
const SHOWN_MOST = 20;

interface Fault {
  readonly name: string;
  /** Line of the control file; none = kill -9 of the agent. */
  readonly line?: string;
  /** How long it lasts at least and at most. */
  readonly seconds: readonly [least: number, most: number];
}

const LIE = 'lie';
const FAULTS: readonly Fault[] = [
  { name: 'kill -9', seconds: [1, 3] },
  { name: 'hang', line: '* hang', seconds: [2, 6] },
  { name: 'removed', line: '* remove', seconds: [1, 8] },
  { name: 'sessions gone', line: '* sessions-gone', seconds: [1, 2] },
  { name: 'fails', line: 'C_DeriveKey ckr=CKR_FUNCTION_FAILED', seconds: [2, 6] },
  { name: 'fails at times', line: 'C_DeriveKey ckr=CKR_DEVICE_ERROR every=7', seconds: [2, 6] },
  { name: 'slow', line: '* latency=5 jitter=20', seconds: [2, 5] },
  { name: LIE, line: 'C_DeriveKey flip', seconds: [KNOWN_ANSWER_SECONDS + 2, KNOWN_ANSWER_SECONDS + 4] },
];

interface Lie {
  readonly device: string;
  readonly fromMs: number;
  /** When it was over or found. */
  untilMs: number;
}

class Soak {
  readonly #random: () => number;
  readonly #busy = new Set<string>();
  readonly #returning = new Set<Promise<void>>();
  readonly lies: Lie[] = [];
  readonly failures: string[] = [];
  readonly counts: Record<string, number> = {};
  returned = 0;

  constructor(
    private readonly rig: TestHsm,
    private readonly controls: ReadonlyMap<string, SimControl>,
    seed: number,
  ) {
    this.#random = seededRandom(seed);
  }

  /** Faults until `endMs`, AT_ONCE of them at a time; resolves when every device is back. */
  async run(endMs: number): Promise<void> {
    const lane = async (): Promise<void> => {
      while (performance.now() < endMs) await this.#fault();
    };
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
    await Promise.all(this.#returning);
  }

  async #fault(): Promise<void> {
    const free = [...this.controls.keys()].filter((device) => !this.#busy.has(device));
    const device = free[Math.floor(this.#random() * free.length)];
    const fault = FAULTS[Math.floor(this.#random() * FAULTS.length)] as Fault;
    const [least, most] = fault.seconds;
    const seconds = least + this.#random() * (most - least);
    if (device === undefined) return pause(100);
    this.#busy.add(device);
    this.counts[fault.name] = (this.counts[fault.name] ?? 0) + 1;
    const control = this.controls.get(device) as SimControl;
    const quarantines = await this.#quarantines(device);
    const lie = fault.name === LIE ? { device, fromMs: performance.now(), untilMs: Infinity } : undefined;
    if (lie !== undefined) this.lies.push(lie);
    if (fault.line === undefined) this.#killAgent(device);
    else control.set(fault.line);
    await pause(seconds * 1000);
    if (lie !== undefined && (await this.#quarantines(device)) === quarantines) this.failures.push(`${device}: a lie was not found in ${seconds.toFixed(1)} s`);
    control.set();
    if (lie !== undefined) lie.untilMs = performance.now();
    const back = this.#comesBack(device, fault).finally(() => {
      this.#busy.delete(device);
      this.#returning.delete(back);
    });
    this.#returning.add(back);
  }

  #killAgent(device: string): void {
    try {
      process.kill(agentOf(this.rig, device), 'SIGKILL');
    } catch {
      // It is being started anew just now, which is as good.
    }
  }

  async #quarantines(device: string): Promise<number> {
    return deviceOf(await this.rig.hsm.fleet(), device).counters.quarantines;
  }

  async #comesBack(device: string, fault: Fault): Promise<void> {
    const fromMs = performance.now();
    for (;;) {
      const { state, figures, reason } = deviceOf(await this.rig.hsm.fleet(), device);
      if (state === 'up' && figures.breaker === 'closed') break;
      if (performance.now() - fromMs > RETURN_SECONDS_MOST * 1000) {
        this.failures.push(`${device} did not return after: ${fault.name} (${state} ${reason})`);
        return;
      }
      await pause(100);
    }
    this.returned++;
  }
}

const pause = (ms: number): Promise<void> => new Promise((next) => setTimeout(next, ms));
const deviceOf = (fleet: FleetStatus, device: string): FleetStatus['devices'][number] => fleet.devices.find((each) => each.device === device) as FleetStatus['devices'][number];

/** A wrong answer is right to have been given only by a device that lied just then, alone, and if the fleet lists it. */
function unexcused(load: FleetLoad, lies: readonly Lie[], { doubtful }: FleetStatus): string[] {
  const bad = load.wrong.filter(({ paired, askedMs, endedMs }) => paired || !lies.some(({ fromMs, untilMs }) => endedMs >= fromMs && askedMs <= untilMs));
  const unlisted = ['checkValues', 'commandMacs', 'purchaseMacs'].flatMap((recipe) => {
    const [wrong, listed] = [load.wrong.filter(({ kind }) => kind === recipe).length, doubtful.filter((each) => each.recipe === recipe).length];
    return wrong > listed ? [`${wrong} wrong answers of ${recipe}, ${listed} listed as doubtful`] : [];
  });
  return [...bad.map((event) => `wrong answer ${JSON.stringify(event)}`), ...unlisted];
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { minutes: { type: 'string', default: '5' }, seed: { type: 'string', default: '1' }, devices: { type: 'string', default: '25' } } });
  const [minutes, seed, count] = [values.minutes, values.seed, values.devices].map(Number) as [number, number, number];
  const names = Array.from({ length: count }, (_, i) => `soak-${i + 1}`);
  const controls = new Map<string, SimControl>();
  const control = (at: string, name: string): SimControl => {
    const made = new SimControl(join(at, 'faults', name));
    controls.set(name, made);
    return made;
  };
  const rig = await startTestHsm({ settings: { knownAnswerSeconds: KNOWN_ANSWER_SECONDS }, devices: (at) => names.map((name) => simDevice(at, name, { control: control(at, name) })) });
  try {
    const keys = await makeFleetKeys(rig.hsm, names);
    console.log(`${count} devices, seed ${seed}, ${minutes} min`);
    const soak = new Soak(rig, controls, seed);
    const load = new FleetLoad(rig.hsm, keys, { seed, inFlight: 8 });
    const progress = setInterval(() => console.log(`${load.right} right, ${load.failed.length} failed, ${load.wrong.length} wrong; ${JSON.stringify(soak.counts)}`), 30_000);
    await soak.run(performance.now() + minutes * 60_000);
    clearInterval(progress);
    await load.stop();
    const failed = [...load.failed.map((event) => `request ${JSON.stringify(event)}`), ...unexcused(load, soak.lies, await rig.hsm.fleet()), ...soak.failures];
    for (const line of failed.slice(0, SHOWN_MOST)) console.log(line);
    console.log(`faults ${JSON.stringify(soak.counts)}, ${soak.returned} returns, ${load.wrong.length} answers of liars; slowest request ${Math.round(load.slowestMs)} ms`);
    console.log(`${load.right + soak.returned} passed, ${failed.length} failed`);
    return failed.length === 0 ? 0 : 1;
  } finally {
    await rig.stop();
  }
}

process.exitCode = await main();
