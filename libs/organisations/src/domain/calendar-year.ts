import { z } from 'zod';
import { isWeekend } from './day.js';

const day = z.iso.date();

/**
 * Holidays and make-up days of one year, as the State Council gives them out. A notice may speak of the end of the year
 * before (that of 2012 made 2011-12-31 a working day).
 */
export const CalendarYear = z
  .strictObject({
    year: z.int().min(2000).max(2100),
    /** Title and number of the notice. */
    source: z.string().min(1).max(200),
    /** Whether somebody has compared it with the notice. */
    confirmed: z.boolean(),
    holidays: z.array(z.strictObject({ name: z.strictObject({ zh: z.string().min(1), en: z.string().min(1) }), from: day, to: day })).min(1).max(30),
    /** 调休: Saturdays and Sundays that are worked. */
    makeUpDays: z.array(day).max(30),
  })
  .superRefine(({ year, holidays, makeUpDays }, context) => {
    const refuse = (message: string): void => context.addIssue({ code: 'custom', message });
    const [first, last] = [`${year - 1}-12-01`, `${year}-12-31`];
    for (const each of [...holidays.flatMap(({ from, to }) => [from, to]), ...makeUpDays]) if (each < first || each > last) refuse(`${each} is not of ${year}`);
    for (const { from, to } of holidays) if (to < from) refuse(`${from} to ${to}`);
    for (const each of makeUpDays) {
      if (!isWeekend(each)) refuse(`${each} is no weekend day`);
      if (holidays.some(({ from, to }) => from <= each && each <= to)) refuse(`${each} is both holiday and make-up day`);
    }
    if (new Set(makeUpDays).size !== makeUpDays.length) refuse('a make-up day twice');
  });
export type CalendarYear = z.infer<typeof CalendarYear>;
