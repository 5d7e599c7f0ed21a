import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { type ClockFault, clockError, GuardedClock, Logger } from '#libs/platform';
import { Journal } from './journal.service.js';

/** Between two comparisons while the clocks agree; while they do not, each call compares. */
const EVERY_MS = 60_000;

/** The database's clock, and the latest time that the journal has. */
export interface DatabaseTimes {
  readonly now: Date;
  /** Of the last head and the last staged entry; undefined in an empty journal. */
  readonly latest: Date | undefined;
}

export async function readDatabaseTimes(db: Pick<EntityManager, 'query'>): Promise<DatabaseTimes> {
  const [row]: { latest: Date | null; now: Date }[] = await db.query(
    `SELECT greatest((SELECT made_at FROM journal_checkpoint ORDER BY shard DESC, size DESC LIMIT 1),
                     (SELECT recorded_at FROM journal_stage ORDER BY xid DESC, id DESC LIMIT 1)) AS latest, clock_timestamp() AS now`,
  );
  if (row === undefined) throw new RangeError('the database says no time');
  return { now: row.now, latest: row.latest ?? undefined };
}

/**
 * Holds this process's clock against the database's, and against the journal: after a restart on a clock that was set back
 * nothing is done at a time before what is recorded. That the clocks parted, and that they met again, is an entry.
 */
@Injectable()
export class TrustedTime {
  private comparedMs = Number.NEGATIVE_INFINITY;
  private told: string | undefined;

  constructor(
    private readonly dataSource: DataSource,
    private readonly clock: GuardedClock,
    private readonly log: Logger,
  ) {}

  /** At start, and then every few seconds. Returns what is wrong with the clock. Throws DATABASE_UNREACHABLE and the like. */
  async check(): Promise<ClockFault | undefined> {
    const before = this.clock.fault();
    const isDue = performance.now() - this.comparedMs > EVERY_MS;
    if (isDue || before !== undefined) {
      let latest: Date | undefined;
      await this.clock.compare(async () => {
        const times = await readDatabaseTimes(this.dataSource);
        latest = times.latest;
        return times.now;
      });
      if (latest !== undefined) this.clock.raise(latest);
      this.comparedMs = performance.now();
    }
    const fault = this.clock.fault();
    // What the comparison has cleared by now was a step all the same.
    if (before !== undefined && this.told === undefined) await this.tell(before);
    if (fault?.code !== this.told) await this.tell(fault);
    return fault;
  }

  private async tell(fault: ClockFault | undefined): Promise<void> {
    if (fault === undefined) this.log.info('clocks agree again');
    else this.log.error('clock not believed', clockError(fault));
    // The entry cannot wait for a good clock: it bears the time of the monotonic one.
    const journal = new Journal({ now: () => this.clock.steady() });
    const data = fault === undefined ? { agrees: true } : { agrees: false, code: fault.code, witness: fault.witness, offMilliseconds: Math.round(fault.offMs) };
    await this.dataSource.transaction((tx) => journal.record(tx, { kind: 'platform.clock', subject: this.log.processName, data }));
    this.told = fault?.code;
  }
}
