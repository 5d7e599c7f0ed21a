import { AppError } from '#libs/platform/domain';
import type { KeyClass } from '../domain/key-class.js';
import { Lanes } from '../domain/lanes.js';
import { Latency } from '../domain/latency.js';
import { TokenBucket } from '../domain/token-bucket.js';

const QUEUE_MOST = 4096;
/** The device is well, and has enough to do. */
export const QUEUE_FULL = 'queue full';
/** Requests that an agent may have at once beyond one for each session: the next is there when a session falls idle. */
const AHEAD = 2;

export interface Work {
  readonly recipe: string;
  readonly request: unknown;
  readonly classes: readonly KeyClass[];
  readonly items: number;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: AppError) => void;
}

interface Running extends Work {
  readonly online: boolean;
  readonly startedMs: number;
  readonly timer: NodeJS.Timeout;
}

export interface WorkTerms {
  readonly device: string;
  /** Sessions that the profile hopes for. */
  readonly sessions: number;
  readonly ratedItemsPerSecond: number;
  /** After this a running recipe counts as hung. */
  readonly deadlineSeconds: number;
  /** Whether the agent takes work now. */
  readonly isOpen: () => boolean;
  readonly send: (id: number, work: Work, online: boolean) => void;
  readonly overdue: (recipe: string) => void;
}

/** What one agent has to do: two lanes in front of it, a rate, and what it has taken and not answered. */
export class AgentWork {
  readonly latency = new Latency();
  readonly #running = new Map<number, Running>();
  readonly #bucket: TokenBucket;
  #lanes: Lanes<Work>;
  #outstandingItems = 0;
  #nextId = 1;

  constructor(private readonly terms: WorkTerms) {
    this.#lanes = new Lanes(terms.sessions + AHEAD);
    this.#bucket = new TokenBucket(terms.ratedItemsPerSecond, performance.now());
  }

  /** Items sent or waiting: a known answer weighs little beside a batch of cards. */
  get outstanding(): number {
    return this.#outstandingItems;
  }

  get requests(): { readonly running: number; readonly waiting: number } {
    return { running: this.#lanes.running, waiting: this.#lanes.waiting };
  }

  runs(recipes: ReadonlySet<string>): boolean {
    return [...this.#running.values()].some(({ recipe }) => recipes.has(recipe));
  }

  /** Rejects with HSM_DEVICE_DOWN when too much waits already, else with what the agent says or what ends it. */
  add(work: Omit<Work, 'resolve' | 'reject'>, online: boolean): Promise<unknown> {
    if (this.#lanes.waiting >= QUEUE_MOST) return Promise.reject(new AppError('HSM_DEVICE_DOWN', { device: this.terms.device, reason: QUEUE_FULL }));
    return new Promise((resolve, reject) => {
      this.#outstandingItems += work.items;
      this.#lanes.add({ ...work, resolve, reject }, online);
      this.pump();
    });
  }

  /** The token may have fewer sessions than the profile hopes for. */
  setSessions(sessions: number): void {
    const before = this.#lanes;
    this.#lanes = new Lanes<Work>(Math.max(1, sessions) + AHEAD);
    for (const work of before.drain()) this.#lanes.add(work, true);
  }

  pump(): void {
    if (!this.terms.isOpen()) return;
    for (let next = this.#lanes.next(); next !== undefined; next = this.#lanes.next()) {
      const { item: work, online } = next;
      const waitMs = this.#bucket.take(work.items, performance.now());
      if (waitMs > 0) {
        this.#lanes.putBack(work, online);
        setTimeout(() => this.pump(), waitMs);
        return;
      }
      this.#send(work, online);
    }
  }

  finish(id: number, settle: (work: Work) => void): void {
    const running = this.#running.get(id);
    if (running === undefined) return;
    this.#running.delete(id);
    clearTimeout(running.timer);
    this.#outstandingItems -= running.items;
    this.latency.add(performance.now() - running.startedMs);
    this.#lanes.ended(running.online);
    settle(running);
    this.pump();
  }

  /** What it owes and what waits. */
  refuseAll(error: AppError): void {
    const running = [...this.#running.values()];
    this.#running.clear();
    for (const { timer } of running) clearTimeout(timer);
    this.#outstandingItems = 0;
    for (const { reject } of [...running, ...this.#lanes.drain()]) reject(error);
  }

  #send(work: Work, online: boolean): void {
    const id = this.#nextId++;
    const timer = setTimeout(() => this.#overdue(id), this.terms.deadlineSeconds * 1000);
    this.#running.set(id, { ...work, online, startedMs: performance.now(), timer });
    this.terms.send(id, work, online);
  }

  #overdue(id: number): void {
    const running = this.#running.get(id);
    if (running === undefined) return;
    running.reject(new AppError('HSM_TIMEOUT', { device: this.terms.device }));
    this.#running.delete(id);
    this.#outstandingItems -= running.items;
    this.terms.overdue(running.recipe);
  }
}
