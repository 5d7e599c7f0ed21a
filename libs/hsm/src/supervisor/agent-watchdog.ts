import { readFileSync } from 'node:fs';
import type { OldestCall } from '../ipc.js';

/** An agent answers within this, whatever its device does: calls that may take long run in the executor's threads. */
const SILENT_MS = 500;
/** A host that shows no state of its processes (no /proc): silence alone cannot tell a starved agent from a hung one. */
const SILENT_UNSEEN_MS = 10_000;
/** Looks in a row at which a silent agent must be seen waiting. */
const LOOKS = 2;
/** A call whose thread computes or waits for a processor gets this many times its deadline: the host is overloaded, not the device. */
const RUNNING_FACTOR = 4;

export interface WatchdogOptions {
  readonly pid: number;
  readonly pingMs: number;
  /** A call of a batch or signature that takes longer hangs. */
  readonly callDeadlineMs: number;
  /** An agent may be silent so long while it makes or moves a key, or computes. */
  readonly slowMs: number;
  /** Whether a recipe runs that blocks the agent while the device makes or moves a key. */
  readonly isSlow: () => boolean;
  readonly ping: (seq: number) => void;
  /** Called once. */
  readonly hung: (reason: string) => void;
  readonly now?: () => number;
  /** State of the main thread as in proc(5) (`R`, `S`, `D`, …); undefined = cannot be seen. */
  readonly stateOf?: (pid: number) => string | undefined;
}

/**
 * Finds out that an agent or its device hangs, and does not take a starved one for it: an agent that waits for a processor or
 * computes is R, one that waits in a call of its module is S or D.
 */
export class AgentWatchdog {
  readonly #now: () => number;
  readonly #stateOf: (pid: number) => string | undefined;
  #seq = 0;
  #heardMs: number;
  #tickMs: number;
  #waitingLooks = 0;
  #timer: NodeJS.Timeout | undefined;
  #extra: NodeJS.Timeout | undefined;
  #over = false;

  constructor(private readonly options: WatchdogOptions) {
    this.#now = options.now ?? (() => performance.now());
    this.#stateOf = options.stateOf ?? mainThreadState;
    this.#heardMs = this.#tickMs = this.#now();
  }

  start(): void {
    this.#timer = setInterval(() => this.tick(), this.options.pingMs);
  }

  stop(): void {
    this.#over = true;
    clearInterval(this.#timer);
    clearTimeout(this.#extra);
  }

  /** Whatever it says shows that it lives. */
  heard(): void {
    this.#heardMs = this.#now();
    this.#waitingLooks = 0;
  }

  pong({ ms, running }: OldestCall): void {
    const left = this.options.callDeadlineMs * (running ? RUNNING_FACTOR : 1) - ms;
    if (left < 0) return this.#end(`a call hangs for ${Math.round(ms)} ms`);
    clearTimeout(this.#extra);
    // Looked at when it is overdue: the next ping would be late for those who wait.
    if (ms > 0 && left < this.options.pingMs && !this.#over) this.#extra = setTimeout(() => this.#ping(), left + 1);
  }

  /** Every `pingMs`. */
  tick(): void {
    const now = this.#now();
    // A supervisor that was late itself has perhaps not read what the agent said.
    const late = now - this.#tickMs > 2 * this.options.pingMs;
    this.#tickMs = now;
    const silentMs = now - this.#heardMs;
    if (silentMs > SILENT_MS && this.#isHung(silentMs, late)) return this.#end(`silent for ${Math.round(silentMs)} ms`);
    this.#ping();
  }

  #isHung(silentMs: number, late: boolean): boolean {
    const { isSlow, slowMs, pid } = this.options;
    if (silentMs > slowMs) return true;
    if (isSlow()) return false;
    const state = this.#stateOf(pid);
    if (state === undefined) return silentMs > SILENT_UNSEEN_MS;
    this.#waitingLooks = state === 'R' || late ? 0 : this.#waitingLooks + 1;
    return this.#waitingLooks >= LOOKS;
  }

  #ping(): void {
    if (!this.#over) this.options.ping(++this.#seq);
  }

  #end(reason: string): void {
    if (this.#over) return;
    this.stop();
    this.options.hung(reason);
  }
}

function mainThreadState(pid: number): string | undefined {
  try {
    // The name in parentheses may hold anything.
    return readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\) /s, '').charAt(0);
  } catch {
    return undefined;
  }
}
