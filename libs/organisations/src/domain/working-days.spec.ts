import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { CalendarFiles } from '../calendar-files.js';
import { CalendarYear } from './calendar-year.js';
import { isWeekend, plusDays } from './day.js';
import { WorkingDays } from './working-days.js';

const shipped = CalendarFiles.load('libs/organisations/calendars');
const vectors = JSON.parse(readFileSync('test/vectors/working-day-2026.json', 'utf8')) as { day: string; working: boolean; source: string }[];
const refused = (code: string, details: object) => expect.objectContaining({ code, details: expect.objectContaining(details) });
const year = (of: number, change: object = {}): CalendarYear => CalendarYear.parse({ year: of, source: 'test', confirmed: true, holidays: [{ name: { zh: '元旦', en: 'New Year' }, from: `${of}-01-01`, to: `${of}-01-01` }], makeUpDays: [], ...change });

describe('the calendar of 2026', () => {
  const days = new WorkingDays(shipped.years, []);

  it.each(vectors)('$day: $working ($source)', ({ day, working }) => expect(days.isWorkingDay(day)).toBe(working));

  it('has 248 working days: 261 from Monday to Friday, 19 of them holidays, 6 made up', () => {
    expect(Array.from({ length: 365 }, (_, n) => plusDays('2026-01-01', n)).filter((day) => days.isWorkingDay(day))).toHaveLength(248);
  });

  it('waits for somebody to compare it', () => expect(shipped.years.find((each) => each.year === 2026)).toMatchObject({ confirmed: false, source: expect.stringContaining('国办发明电〔2025〕7号') }));

  it.each([
    ['2026-02-13T10:00:00+08:00', 1, '2026-02-14T16:00:00.000Z'],
    ['2026-02-13T10:00:00+08:00', 2, '2026-02-24T16:00:00.000Z'],
    ['2026-09-30T23:59:59+08:00', 5, '2026-10-13T16:00:00.000Z'],
    // 1 October in China already, though not in UTC.
    ['2026-09-30T16:00:00Z', 1, '2026-10-08T16:00:00.000Z'],
    ['2026-03-06T00:00:00+08:00', 0, '2026-03-06T16:00:00.000Z'],
  ])('a deadline from %s, %i working days, ends at %s', (from, n, end) => {
    expect(days.deadline(new Date(from), n).toISOString()).toBe(end);
  });

  it('refuses a year without a file by name, on either side and when a deadline runs into it', () => {
    for (const day of ['2025-12-31', '2027-01-01']) expect(() => days.isWorkingDay(day)).toThrow(refused('CALENDAR_YEAR_MISSING', { year: Number(day.slice(0, 4)) }));
    expect(days.addWorkingDays('2026-12-30', 1)).toBe('2026-12-31');
    expect(() => days.addWorkingDays('2026-12-30', 2)).toThrow(refused('CALENDAR_YEAR_MISSING', { year: 2027 }));
    expect(() => days.workingDaysBetween('2026-12-30', '2027-01-04')).toThrow(refused('CALENDAR_YEAR_MISSING', { year: 2027 }));
    for (const n of [-1, 0.5, 100_000, Number.NaN]) expect(() => days.addWorkingDays('2026-03-02', n)).toThrow(refused('REQUEST_INVALID', {}));
  });

  it('gives way to a correction, the last one of a day', () => {
    const corrected = new WorkingDays(shipped.years, [{ day: '2026-11-24', working: false }, { day: '2026-11-28', working: false }, { day: '2026-11-28', working: true }]);
    expect([corrected.isWorkingDay('2026-11-24'), corrected.isWorkingDay('2026-11-28')]).toEqual([false, true]);
    expect(corrected.addWorkingDays('2026-11-23', 4)).toBe('2026-11-28');
  });
});

describe('a yearly file', () => {
  it.each([
    ['a make-up day in the week', { makeUpDays: ['2026-03-04'] }],
    ['a make-up day in a holiday', { holidays: [{ name: { zh: '节', en: 'x' }, from: '2026-01-01', to: '2026-01-05' }], makeUpDays: ['2026-01-04'] }],
    ['a make-up day twice', { makeUpDays: ['2026-03-07', '2026-03-07'] }],
    ['a day of another year', { makeUpDays: ['2027-01-02'] }],
    ['a holiday that ends before it begins', { holidays: [{ name: { zh: '节', en: 'x' }, from: '2026-01-05', to: '2026-01-01' }] }],
    ['a day that does not exist', { makeUpDays: ['2026-02-30'] }],
    ['no source', { source: '' }],
    ['no holidays', { holidays: [] }],
  ])('with %s is refused', (_what, change) => expect(() => year(2026, change)).toThrow());

  it('may speak of the last December, but not against that year\'s own file', () => {
    const next = year(2012, { makeUpDays: ['2011-12-31'] });
    expect(new WorkingDays([year(2011), next], []).isWorkingDay('2011-12-31')).toBe(true);
    const own = year(2011, { holidays: [{ name: { zh: '节', en: 'x' }, from: '2011-12-31', to: '2011-12-31' }] });
    expect(() => new WorkingDays([own, next], [])).toThrow(refused('CALENDAR_YEARS_DIFFER', { day: '2011-12-31' }));
  });
});

describe('any calendar', () => {
  const dayIn2030 = fc.nat(364).map((n) => plusDays('2030-01-01', n));
  const corrections = fc.array(fc.record({ day: fc.nat(1_400).map((n) => plusDays('2029-01-01', n)), working: fc.boolean() }), { maxLength: 200 });
  const calendar = corrections.map((list) => new WorkingDays([2029, 2030, 2031, 2032].map((each) => year(each)), list));
  const count = fc.nat(200);

  it('counts back what it added, and lands on a working day', () => {
    fc.assert(
      fc.property(calendar, dayIn2030, fc.integer({ min: 1, max: 200 }), (days, day, n) => {
        const end = days.addWorkingDays(day, n);
        expect(days.workingDaysBetween(day, end)).toBe(n);
        expect(days.workingDaysBetween(end, day)).toBe(-n);
        expect(days.isWorkingDay(end)).toBe(true);
      }),
    );
  });

  it('never ends sooner for a later day or for more working days', () => {
    fc.assert(
      fc.property(calendar, dayIn2030, dayIn2030, count, count, (days, a, b, m, n) => {
        const [first, last] = [a, b].sort() as [string, string];
        expect(days.addWorkingDays(first, n) <= days.addWorkingDays(last, n)).toBe(true);
        if (m < n) expect(days.addWorkingDays(a, m) < days.addWorkingDays(a, n)).toBe(true);
      }),
    );
  });

  it('adds up over any day between', () => {
    fc.assert(
      fc.property(calendar, fc.tuple(dayIn2030, dayIn2030, dayIn2030), (days, three) => {
        const [a, b, c] = [...three].sort() as [string, string, string];
        expect(days.workingDaysBetween(a, c)).toBe(days.workingDaysBetween(a, b) + days.workingDaysBetween(b, c));
      }),
    );
  });

  it('counts a made-up Saturday as any other day, and no other Saturday', () => {
    fc.assert(
      fc.property(dayIn2030.filter(isWeekend), (day) => {
        const before = plusDays(day, -1);
        const [plain, made] = [new WorkingDays([year(2029), year(2030)], []), new WorkingDays([year(2029), year(2030, { makeUpDays: [day] })], [])];
        expect([plain, made].map((days) => days.workingDaysBetween(before, day))).toEqual([0, 1]);
        expect(made.addWorkingDays(before, 1)).toBe(day);
      }),
    );
  });
});
