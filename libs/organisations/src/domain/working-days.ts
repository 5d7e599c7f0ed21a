import { AppError } from '#libs/platform/domain';
import type { CalendarYear } from './calendar-year.js';
import { type Day, dayInChina, endOfDayInChina, isWeekend, plusDays, yearOf } from './day.js';

export interface DayCorrection {
  readonly day: Day;
  readonly working: boolean;
}

/** The longest deadline that makes sense: ten years. */
const MOST_WORKING_DAYS = 2_600;

/**
 * The one calendar that every deadline uses. A year without its file is refused by name (CALENDAR_YEAR_MISSING), never
 * guessed: which Saturdays are worked is decided anew each year.
 */
export class WorkingDays {
  private readonly years = new Set<number>();
  private readonly exceptions = new Map<Day, boolean>();

  /** Corrections win over files, later ones over earlier ones. Throws CALENDAR_YEARS_DIFFER when two files speak differently of one day. */
  constructor(years: readonly CalendarYear[], corrections: readonly DayCorrection[]) {
    for (const { year, holidays, makeUpDays } of years) {
      this.years.add(year);
      for (const { from, to } of holidays) for (let day = from; day <= to; day = plusDays(day, 1)) this.except(day, false);
      for (const day of makeUpDays) this.except(day, true);
    }
    for (const { day, working } of corrections) this.exceptions.set(day, working);
  }

  isWorkingDay(day: Day): boolean {
    if (!this.years.has(yearOf(day))) throw new AppError('CALENDAR_YEAR_MISSING', { year: yearOf(day) });
    return this.exceptions.get(day) ?? !isWeekend(day);
  }

  /** The n-th working day after a day, which itself does not count (民法典 201); the day itself when n is 0. */
  addWorkingDays(day: Day, n: number): Day {
    if (!Number.isInteger(n) || n < 0 || n > MOST_WORKING_DAYS) throw new AppError('REQUEST_INVALID', { reason: `${n} working days` });
    let reached = day;
    for (let left = n; left > 0; ) {
      reached = plusDays(reached, 1);
      if (this.isWorkingDay(reached)) left--;
    }
    return reached;
  }

  /** Working days after `from` up to and with `to`; negative when `to` lies before. */
  workingDaysBetween(from: Day, to: Day): number {
    if (to < from) return -this.workingDaysBetween(to, from);
    let count = 0;
    for (let day = from; day < to; ) {
      day = plusDays(day, 1);
      if (this.isWorkingDay(day)) count++;
    }
    return count;
  }

  /** When n working days from an instant are over: 24:00 in China of the n-th working day after its day (民法典 201, 203). */
  deadline(from: Date, n: number): Date {
    return endOfDayInChina(this.addWorkingDays(dayInChina(from), n));
  }

  private except(day: Day, working: boolean): void {
    if (this.exceptions.get(day) === !working) throw new AppError('CALENDAR_YEARS_DIFFER', { day });
    this.exceptions.set(day, working);
  }
}
