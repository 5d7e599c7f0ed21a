import { Clock, SystemClock } from './clock.js';
import { AppError } from './domain/app-error.js';
import { type ClockFault, type ClockReading, type ClockWitness, TimeGuard } from './domain/time-guard.js';
import type { Bilingual } from './domain/error-texts.js';

/** What NTP mends by slewing stays far below; certificates, approvals and tickets are judged by minutes. */
const TOLERANCE_MS = 2_000;

const WITNESSES: Readonly<Record<ClockWitness, Bilingual>> = {
  monotonic: { zh: '单调时钟', en: 'the monotonic clock' },
  latest: { zh: '已使用或已记录的最晚时间', en: 'the latest time that was used or recorded' },
  database: { zh: '数据库时钟', en: 'the clock of the database' },
};

/**
 * The clock of every process that authorises: it says a time that can be believed, or nothing. What asks it (journal entry, key,
 * certificate, OCSP answer, CRL, checkpoint, approval) stops by name until the clocks agree again. `now` never goes back.
 */
export class GuardedClock extends Clock {
  private readonly guard = new TimeGuard(TOLERANCE_MS);

  constructor(
    private readonly wall: Clock = new SystemClock(),
    private readonly monotonicMs: () => number = () => performance.now(),
  ) {
    super();
  }

  /** Throws CLOCK_STEPPED_BACK, CLOCK_DIFFERS. */
  override now(): Date {
    const reading = this.read();
    const fault = this.guard.look(reading);
    if (fault !== undefined) throw clockError(fault);
    return new Date(this.guard.use(reading));
  }

  fault(): ClockFault | undefined {
    return this.guard.look(this.read());
  }

  /** A time that was certainly reached before: of a record, or of this process before it was started anew. */
  raise(at: Date): void {
    this.guard.raise(at.getTime());
  }

  /** Asks a second clock. Its answer counts give or take the time that it took. Throws what `ask` throws; then nothing changes. */
  async compare(ask: () => Promise<Date>): Promise<void> {
    const from = this.monotonicMs();
    const other = await ask();
    const reading = this.read();
    this.guard.compare(reading, other.getTime(), reading.afterMs - from);
  }

  /** The time by the monotonic clock: to record a fault with. */
  steady(): Date {
    return new Date(this.guard.steadyMs(this.read()));
  }

  private read(): ClockReading {
    const beforeMs = this.monotonicMs();
    const wallMs = this.wall.now().getTime();
    return { wallMs, beforeMs, afterMs: this.monotonicMs() };
  }
}

export function clockError({ code, witness, offMs }: ClockFault): AppError {
  const { zh, en } = WITNESSES[witness];
  return new AppError(code, { seconds: (Math.abs(offMs) / 1000).toFixed(1), thanZh: zh, thanEn: en });
}
