import { z } from 'zod';
import { CalendarCorrection, Day, WorkingCalendar } from '#libs/organisations';
import { command, type Command } from './command.js';
import { instant } from './fields.js';

export const CALENDAR_COMMANDS: Readonly<Record<string, Command>> = {
  'calendar.years': command(z.strictObject({}), async (app) =>
    (await app.get(WorkingCalendar).years()).map((year) => ({ ...year, corrections: year.corrections.map((each) => ({ ...each, recordedAt: each.recordedAt.toISOString() })) })),
  ),
  'calendar.isWorkingDay': command(z.strictObject({ day: Day }), async (app, { day }) => (await app.get(WorkingCalendar).days()).isWorkingDay(day)),
  'calendar.addWorkingDays': command(z.strictObject({ day: Day, count: z.int().min(0) }), async (app, { day, count }) =>
    (await app.get(WorkingCalendar).days()).addWorkingDays(day, count),
  ),
  'calendar.workingDaysBetween': command(z.strictObject({ from: Day, to: Day }), async (app, { from, to }) =>
    (await app.get(WorkingCalendar).days()).workingDaysBetween(from, to),
  ),
  'calendar.deadline': command(z.strictObject({ from: instant, count: z.int().min(0) }), async (app, { from, count }) =>
    (await app.get(WorkingCalendar).days()).deadline(from, count).toISOString(),
  ),
  'calendar.correct': command(CalendarCorrection, async (app, correction) => {
    await app.get(WorkingCalendar).correct(correction);
    return null;
  }),
};
