import { AppError, equalBytes, fromHex } from '#libs/platform/domain';
import type { Logger } from '#libs/platform/host';
import { ALL_KEY_CLASSES } from '../domain/class-rules.js';
import { packBatch, readAnswers } from '../domain/batch.js';
import type { KnownAnswer } from '../hsm.js';
import type { DeviceAgent } from './device-agent.js';
import type { FingerprintRecord } from './fingerprint-record.js';

/** Keys of a device that are fingerprinted in one run; the next run takes the next ones. */
const KEYS_A_RUN = 8;
/** The share of its interval in which a device's turn comes round: what is left is for the run itself. */
const CYCLE_SHARE = 0.8;
/** Right runs in a row after which a device that lied is believed again. */
const RUNS_FOR_RELEASE = 3;

/** Asks every device for known answers, again and again. A wrong one is worse than none: the device is quarantined at once. */
export class KnownAnswerWatch {
  readonly #lastGoodMs = new Map<string, number>();
  readonly #looking = new Map<DeviceAgent, Promise<boolean>>();
  readonly #turn = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly agents: ReadonlyMap<string, DeviceAgent>,
    private readonly record: FingerprintRecord,
    private readonly log: Logger,
    private readonly seconds: number,
    private readonly onLie: (agent: DeviceAgent) => void,
    /** Right answers that were asked at `sinceMs`. */
    private readonly onTruth: (agent: DeviceAgent, sinceMs: number) => void,
  ) {}

  start(): void {
    // A tenth of the interval apart, so that a lie is found within one interval and not all devices are asked at once.
    let due = 0;
    const agents = [...this.agents.values()];
    this.#timer = setInterval(() => {
      const share = Math.max(1, Math.ceil(agents.length / SHARES));
      for (let i = 0; i < share && agents.length > 0; i++) {
        const agent = agents[due++ % agents.length] as DeviceAgent;
        void this.look(agent);
      }
    }, Math.max(20, (this.seconds * 1000 * CYCLE_SHARE) / Math.max(1, Math.min(agents.length, SHARES))));
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  ageSeconds(device: string): number {
    const at = this.#lastGoodMs.get(device);
    return at === undefined ? -1 : Math.round((performance.now() - at) / 1000);
  }

  lastGoodMs(device: string): number {
    return this.#lastGoodMs.get(device) ?? 0;
  }

  /** One run, or the one that is under way. Returns whether every answer was right. A device that does not answer is not one that lies. */
  look(agent: DeviceAgent): Promise<boolean> {
    const running = this.#looking.get(agent) ?? this.#look(agent).finally(() => this.#looking.delete(agent));
    this.#looking.set(agent, running);
    return running;
  }

  async #look(agent: DeviceAgent): Promise<boolean> {
    const askedMs = performance.now();
    const { state } = agent.status();
    if (state !== 'up' && state !== 'quarantined') return false;
    agent.breaker.trying();
    agent.counts.knownAnswerRuns++;
    try {
      const { asked, wrong } = await this.#ask(agent);
      agent.breaker.tried(wrong === undefined);
      if (wrong !== undefined) return this.#lied(agent, wrong);
      // Nothing asked, nothing proven: such a device stays quarantined until somebody gives it a key that is recorded.
      if (asked === 0) return state === 'up';
    } catch (error) {
      if ((error as AppError).code === 'HSM_ANSWER_WRONG') return this.#lied(agent, String((error as AppError).details['what'] ?? ''));
      agent.breaker.tried(false);
      this.log.warn('known answers not given', { device: agent.name, reason: (error as Error).message });
      return false;
    }
    this.#lastGoodMs.set(agent.name, askedMs);
    this.onTruth(agent, askedMs);
    if (state === 'quarantined') {
      if (++agent.rightRuns >= RUNS_FOR_RELEASE) agent.release();
      else setTimeout(() => void this.look(agent), (this.seconds * 1000) / RUNS_FOR_RELEASE);
    }
    return true;
  }

  #lied(agent: DeviceAgent, what: string): false {
    agent.rightRuns = 0;
    if (agent.isUp) {
      this.onLie(agent);
      agent.quarantine(what);
    }
    return false;
  }

  /** How many answers were asked for, and the name of the first wrong one. */
  async #ask(agent: DeviceAgent): Promise<{ asked: number; wrong?: string }> {
    // Published test keys are entered only where the configuration allows them; elsewhere the device's own keys must do.
    const answers = agent.config.testKeys ? ((await agent.run('knownAnswers', {}, ALL_KEY_CLASSES)) as KnownAnswer[]) : [];
    const wrong = answers.find(({ expected, actual }) => expected !== actual);
    if (wrong !== undefined) return { asked: answers.length, wrong: wrong.name };
    const roots = [...agent.keys].filter((keyId) => this.record.ofRoot(keyId) !== undefined);
    if (roots.length === 0) return { asked: answers.length };
    const turn = this.#turn.get(agent.name) ?? 0;
    this.#turn.set(agent.name, turn + KEYS_A_RUN);
    const asked = Array.from({ length: Math.min(KEYS_A_RUN, roots.length) }, (_, i) => roots[(turn + i) % roots.length] as string);
    const batch = packBatch('fingerprints', asked.map((keyId) => ({ key: { keyId, factors: [] } })));
    const fingerprints = readAnswers(agent.name, (await agent.run('fingerprints', { batch }, ALL_KEY_CLASSES)) as Uint8Array, asked.length);
    const different = asked.find((keyId, i) => !equalBytes(fingerprints[i] as Uint8Array, fromHex(this.record.ofRoot(keyId) as string)));
    return { asked: answers.length + asked.length, ...(different === undefined ? {} : { wrong: `fingerprint of ${different}` }) };
  }
}

const SHARES = 10;
