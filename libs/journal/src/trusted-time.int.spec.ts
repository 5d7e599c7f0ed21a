import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { type Clock, GuardedClock, Logger, openDataSource, SystemClock } from '#libs/platform';
import { enterLogKey, LocalSigner } from '../../../test/builders/local-log.js';
import { createTestDatabase, type TestDatabase } from '../../../test/env/test-database.js';
import { Journal, Sequencer, TrustedTime } from './index.js';

const HOUR = 3_600_000;

/** The wall clock of a process, set off from that of the database by hand. */
class ShiftedClock implements Clock {
  shiftMs = 0;
  now(): Date {
    return new Date(Date.now() + this.shiftMs);
  }
}

describe('the clock of a process beside a database', () => {
  let database: TestDatabase;
  let owner: DataSource;
  let service: DataSource;
  beforeAll(async () => {
    database = await createTestDatabase();
    owner = await openDataSource({ url: database.url });
    service = await openDataSource({ url: database.url, role: 'hufu_service' });
  });
  afterAll(async () => {
    await owner.destroy();
    await service.destroy();
    await database.drop();
  });

  const lines: string[] = [];
  /** A process that starts now. */
  const started = (wall: ShiftedClock): { clock: GuardedClock; time: TrustedTime; journal: Journal } => {
    const clock = new GuardedClock(wall);
    return { clock, time: new TrustedTime(service, clock, new Logger('test', (line) => lines.push(line))), journal: new Journal(clock) };
  };
  const record = (journal: Journal): Promise<string> => service.transaction((tx) => journal.record(tx, { kind: 'test.one', subject: 's', data: {} }));
  const told = async (): Promise<unknown[]> => {
    const rows: { body: Buffer }[] = await owner.query("SELECT body FROM journal_stage WHERE kind = 'platform.clock' ORDER BY xid, id");
    return rows.map(({ body }) => (JSON.parse(body.toString('utf8')) as { data: unknown }).data);
  };

  it('set back an hour: nothing is recorded or signed until it is right again, and both are entries', async () => {
    const wall = new ShiftedClock();
    const { clock, time, journal } = started(wall);
    expect(await time.check()).toBeUndefined();
    const signer = new LocalSigner();
    await enterLogKey(owner, new SystemClock(), signer.make());
    await record(journal);
    const dataSource = await openDataSource({ url: database.url, role: 'hufu_journal', poolSize: 1 });
    const log = new Sequencer(dataSource, signer, clock);
    wall.shiftMs = -HOUR;
    await expect(record(journal)).rejects.toMatchObject({ code: 'CLOCK_STEPPED_BACK' });
    await expect(log.runOnce()).rejects.toMatchObject({ code: 'CLOCK_STEPPED_BACK' });
    expect(await owner.query('SELECT count(*)::int AS n FROM journal_checkpoint')).toEqual([{ n: 0 }]);
    expect(await time.check()).toMatchObject({ code: 'CLOCK_STEPPED_BACK' });
    expect(await time.check()).toMatchObject({ code: 'CLOCK_STEPPED_BACK' });
    wall.shiftMs = 0;
    expect(await time.check()).toBeUndefined();
    await record(journal);
    expect(await log.runOnce()).toBeGreaterThan(0);
    await dataSource.destroy();
    expect(await told()).toEqual([expect.objectContaining({ agrees: false, code: 'CLOCK_STEPPED_BACK', witness: 'latest' }), { agrees: true }]);
    expect(lines.filter((line) => line.includes('clock not believed'))).toHaveLength(1);
  });

  it('an hour ahead of the database at its start: CLOCK_DIFFERS until they agree', async () => {
    const wall = new ShiftedClock();
    wall.shiftMs = HOUR;
    const { time, journal } = started(wall);
    expect(await time.check()).toMatchObject({ code: 'CLOCK_DIFFERS', witness: 'database' });
    await expect(record(journal)).rejects.toMatchObject({ code: 'CLOCK_DIFFERS', details: { thanEn: 'the clock of the database', seconds: expect.stringMatching(/^3(600|599)\.\d$/) } });
    wall.shiftMs = 0;
    await time.check();
    expect(await time.check()).toBeUndefined();
    await record(journal);
  });

  it('a second ahead or behind is what NTP mends: nothing stops', async () => {
    for (const shiftMs of [1000, -1000]) {
      const wall = new ShiftedClock();
      wall.shiftMs = shiftMs;
      const { time, journal } = started(wall);
      expect(await time.check()).toBeUndefined();
      await record(journal);
    }
  });

  it('started anew on a host whose clock and database were set back: not before what the journal has', async () => {
    const before = await told();
    // As a database that went an hour ahead until now would have stamped it.
    const [{ id }] = (await owner.query("SELECT id FROM journal_stage WHERE kind = 'test.one' LIMIT 1")) as [{ id: string }];
    await owner.query(
      `INSERT INTO journal_stage (id, recorded_at, kind, subject, body, leaf_hash) SELECT gen_random_uuid(), clock_timestamp() + interval '1 hour', kind, subject, body, leaf_hash FROM journal_stage WHERE id = $1`,
      [id],
    );
    const { time, journal } = started(new ShiftedClock());
    expect(await time.check()).toMatchObject({ code: 'CLOCK_STEPPED_BACK', witness: 'latest', offMs: expect.closeTo(-HOUR, -4) });
    await expect(record(journal)).rejects.toMatchObject({ code: 'CLOCK_STEPPED_BACK' });
    expect((await told()).length).toBe(before.length + 1);
  });
});
