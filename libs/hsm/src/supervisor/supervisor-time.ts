import { existsSync, readFileSync } from 'node:fs';
import { AppError, type ClockFault } from '#libs/platform/domain';
import { clockError, type GuardedClock, type Logger, writeFileAtomic } from '#libs/platform/host';

/** So much may a restart give back of the time that a ticket or an approval had left. */
const WRITTEN_EVERY_MS = 5_000;

/**
 * The time by which approvals and tickets are judged. The latest time of this host is on disk: setting the clock back and starting
 * the supervisor anew does not make what has expired good again. The database, which the supervisor does not see, is no witness
 * here; a clock that runs ahead is a fault of the service's.
 */
export class SupervisorTime {
  #writtenMs = Number.NEGATIVE_INFINITY;
  #told: string | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** Throws CONFIG_INVALID when the file is there and holds no time: it must not be forgotten by damaging it. */
  constructor(
    private readonly file: string,
    private readonly clock: GuardedClock,
    private readonly log: Logger,
  ) {
    if (!existsSync(file)) return;
    const latest = new Date(readFileSync(file, 'utf8').trim());
    if (Number.isNaN(latest.getTime())) throw new AppError('CONFIG_INVALID', { file, reason: '不是时间 / not a time' });
    clock.raise(latest);
  }

  /** Throws CLOCK_STEPPED_BACK, CLOCK_DIFFERS. */
  now(): Date {
    const at = this.clock.now();
    if (at.getTime() - this.#writtenMs >= WRITTEN_EVERY_MS) {
      writeFileAtomic(this.file, `${at.toISOString()}\n`, 0o600);
      this.#writtenMs = at.getTime();
    }
    return at;
  }

  /** Keeps the file near the clock while nobody asks, and says when the clock cannot be believed. */
  start(): void {
    this.#timer = setInterval(() => {
      try {
        this.#tell(this.clock.fault());
        if (this.#told === undefined) this.now();
      } catch (error) {
        this.log.error('time not written', error);
      }
    }, WRITTEN_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #tell(fault: ClockFault | undefined): void {
    if (fault?.code === this.#told) return;
    if (fault === undefined) this.log.info('clocks agree again');
    else this.log.error('clock not believed', clockError(fault));
    this.#told = fault?.code;
  }
}
