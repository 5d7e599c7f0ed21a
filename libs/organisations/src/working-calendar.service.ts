import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { z } from 'zod';
import { Journal } from '#libs/journal';
import { Clock, zodReason } from '#libs/platform';
import { AppError } from '#libs/platform/domain';
import { CalendarFiles } from './calendar-files.js';
import { Day, yearOf } from './domain/day.js';
import { type DayCorrection, WorkingDays } from './domain/working-days.js';

/** `by`: the id of who corrects. `reason` names the notice or the rule; it stands in the journal as it is. */
export const CalendarCorrection = z.strictObject({ day: Day, working: z.boolean(), by: z.string().min(1).max(64), reason: z.string().trim().min(1).max(500) });
export type CalendarCorrection = z.infer<typeof CalendarCorrection>;

export interface CalendarYearView {
  readonly year: number;
  readonly source: string;
  readonly confirmed: boolean;
  readonly corrections: readonly (CalendarCorrection & { readonly recordedAt: Date })[];
}

interface CorrectionRow extends DayCorrection {
  readonly by: string;
  readonly reason: string;
  readonly recordedAt: Date;
}

/** Working days of the yearly files, corrected by hand. */
@Injectable()
export class WorkingCalendar {
  constructor(
    private readonly dataSource: DataSource,
    private readonly journal: Journal,
    private readonly clock: Clock,
    private readonly files: CalendarFiles,
  ) {}

  /** The calendar as it stands: days, deadlines (CALENDAR_YEAR_MISSING for a year without a file). */
  async days(): Promise<WorkingDays> {
    return new WorkingDays(this.files.years, await corrections(this.dataSource.manager));
  }

  /** Years that have a file, where they come from, whether somebody compared them, and what was corrected since. */
  async years(): Promise<CalendarYearView[]> {
    const all = await corrections(this.dataSource.manager);
    return this.files.years.map(({ year, source, confirmed }) => ({ year, source, confirmed, corrections: all.filter(({ day }) => yearOf(day) === year) }));
  }

  /** Makes a day a working day or none; journalled with who and why. Throws CALENDAR_YEAR_MISSING, REQUEST_INVALID (it is so already). */
  async correct(given: CalendarCorrection): Promise<void> {
    const checked = CalendarCorrection.safeParse(given);
    if (!checked.success) throw new AppError('REQUEST_INVALID', { reason: zodReason(checked.error) });
    const { day, working, by, reason } = checked.data;
    await this.dataSource.transaction(async (tx) => {
      await tx.query(`SELECT pg_advisory_xact_lock(hashtext('hufu/calendar'))`);
      const days = new WorkingDays(this.files.years, await corrections(tx));
      if (days.isWorkingDay(day) === working) throw new AppError('REQUEST_INVALID', { reason: `${day} is ${working ? 'a' : 'no'} working day already` });
      const entryId = await this.journal.record(tx, { kind: 'calendar.correct', subject: day, data: { working, by, reason } });
      await tx.query(
        `INSERT INTO working_day_correction (day, sequence, working, corrected_by, reason, recorded_at, entry_id)
         SELECT $1::date, 1 + count(*), $2, $3, $4, $5, $6 FROM working_day_correction WHERE day = $1::date`,
        [day, working, by, reason, this.clock.now().toISOString(), entryId],
      );
    });
  }
}

function corrections(sql: Pick<EntityManager, 'query'>): Promise<CorrectionRow[]> {
  return sql.query(
    `SELECT to_char(day, 'YYYY-MM-DD') AS day, working, corrected_by AS "by", reason, recorded_at AS "recordedAt" FROM working_day_correction ORDER BY day, sequence`,
  );
}
