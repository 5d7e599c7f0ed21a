import { ckrName, isFatal } from '../domain/pkcs11-errors.js';
import type { OldestCall } from '../ipc.js';
import type { Executor } from './executor.js';

/** Looks whether the device is there while nothing else does, and reads the watchdog. */
export class Probe {
  #asking = false;

  constructor(
    private readonly executor: Executor,
    /** The device, its session or the login is gone. */
    private readonly gone: (ckr: string) => void,
  ) {}

  /** One call at a time: a device that hangs is seen by the age of that call. */
  ask(): void {
    if (this.#asking) return;
    this.#asking = true;
    this.executor.probe().then(
      (rv) => {
        this.#asking = false;
        const ckr = ckrName(rv);
        if (rv !== 0 && isFatal(ckr)) this.gone(ckr);
      },
      () => {
        this.#asking = false;
      },
    );
  }

  figures(): { oldestCall: OldestCall; sessionsOpen: number; errors: Record<string, number> } {
    const { sessions, errors } = this.executor.counts();
    const named = Object.entries(errors).map(([rv, count]) => [ckrName(Number(rv)), count] as const);
    return { oldestCall: this.executor.oldestCall(), sessionsOpen: sessions, errors: Object.fromEntries(named) };
  }
}
