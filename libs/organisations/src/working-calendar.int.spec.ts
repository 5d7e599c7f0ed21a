import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { Journal } from '#libs/journal';
import { FixedClock, openDataSource } from '#libs/platform';
import { createTestDatabase, type TestDatabase } from '../../../test/env/test-database.js';
import { CalendarFiles } from './calendar-files.js';
import { WorkingCalendar } from './index.js';

describe('the calendar of working days', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  let calendar: WorkingCalendar;
  const clock = new FixedClock(new Date('2026-11-24T02:00:00Z'));
  const storm = { day: '2026-11-25', working: false, by: 'operator-7', reason: '市政府通知：台风停工' };

  beforeAll(async () => {
    database = await createTestDatabase();
    dataSource = await openDataSource({ url: database.url, role: 'hufu_service' });
    calendar = new WorkingCalendar(dataSource, new Journal(clock), clock, CalendarFiles.load('libs/organisations/calendars'));
  });

  afterAll(async () => {
    await dataSource.destroy();
    await database.drop();
  });

  it('is corrected by hand, with who and why in the journal, and again', async () => {
    const deadline = async (): Promise<string> => (await calendar.days()).deadline(clock.now(), 1).toISOString();
    expect(await deadline()).toBe('2026-11-25T16:00:00.000Z');
    await calendar.correct(storm);
    expect(await deadline()).toBe('2026-11-26T16:00:00.000Z');
    await calendar.correct({ ...storm, working: true, reason: '台风停工取消' });
    expect(await deadline()).toBe('2026-11-25T16:00:00.000Z');
    const rows: { body: Buffer }[] = await dataSource.query(`SELECT body FROM journal_stage WHERE kind = 'calendar.correct' AND subject = '2026-11-25' ORDER BY recorded_at`);
    expect(rows.map(({ body }) => (JSON.parse(body.toString()) as { data: unknown }).data)).toEqual([
      { working: false, by: 'operator-7', reason: storm.reason },
      { working: true, by: 'operator-7', reason: '台风停工取消' },
    ]);
    expect(await calendar.years()).toMatchObject([{ year: 2026, confirmed: false, corrections: [{ ...storm, recordedAt: clock.now() }, { working: true }] }]);
  });

  it('refuses a correction that says nothing new, nobody, no reason, or a year without a file, and writes nothing', async () => {
    const before = await calendar.years();
    for (const change of [{ working: true }, { by: '' }, { reason: ' ' }, { day: '2026-02-30' }]) {
      await expect(calendar.correct({ ...storm, ...change })).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
    }
    await expect(calendar.correct({ ...storm, day: '2027-01-01' })).rejects.toMatchObject({ code: 'CALENDAR_YEAR_MISSING', details: { year: 2027 } });
    expect(await calendar.years()).toEqual(before);
  });

  it('lets one of two equal corrections at once win', async () => {
    const both = await Promise.allSettled([1, 2].map((n) => calendar.correct({ ...storm, day: '2026-11-27', by: `operator-${n}` })));
    expect(both.map((each) => each.status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  it('keeps corrections for ever', async () => {
    await expect(dataSource.query('UPDATE working_day_correction SET working = true')).rejects.toThrow(/permission denied/);
  });

  it('starts only with files that it understands, and names the faulty one', () => {
    const folder = mkdtempSync(join(tmpdir(), 'hufu-calendars-'));
    try {
      expect(CalendarFiles.load(folder).years).toEqual([]);
      const faults: [string, string, RegExp][] = [
        ['2027.yaml', 'year: 2026\nsource: s\nconfirmed: true\nholidays: [{name: {zh: 节, en: x}, from: 2026-01-01, to: 2026-01-01}]\nmakeUpDays: []\n', /year: 2026/],
        ['2027.yaml', 'year: [', /./],
        ['2027.yaml', 'year: 2027\nholidays: []\n', /source/],
        ['notes.txt', '', /not <year>/],
      ];
      for (const [name, text, reason] of faults) {
        writeFileSync(join(folder, name), text);
        expect(() => CalendarFiles.load(folder)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', details: { file: join(folder, name), reason: expect.stringMatching(reason) } }));
        rmSync(join(folder, name));
      }
      expect(() => CalendarFiles.load(join(folder, 'absent'))).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
