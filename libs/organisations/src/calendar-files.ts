import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { zodReason } from '#libs/platform';
import { AppError } from '#libs/platform/domain';
import { CalendarYear } from './domain/calendar-year.js';
import { WorkingDays } from './domain/working-days.js';

/** The files of one folder, one a year (2026.yaml), read once at start. A faulty file stops the start and is named. */
export class CalendarFiles {
  private constructor(readonly years: readonly CalendarYear[]) {}

  /** Throws CONFIG_INVALID with the file's name. */
  static load(folder: string): CalendarFiles {
    const files = yearFiles(folder);
    const years = files.map((file) => readYear(join(folder, file), Number(file.slice(0, 4))));
    new WorkingDays(years, []);
    return new CalendarFiles(years);
  }
}

/** No file at all is allowed: then every day is refused by name. */
function yearFiles(folder: string): string[] {
  try {
    const files = readdirSync(folder).sort();
    const strange = files.find((file) => !/^[0-9]{4}\.yaml$/.test(file));
    if (strange !== undefined) throw new AppError('CONFIG_INVALID', { file: join(folder, strange), reason: 'not <year>.yaml' });
    return files;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (error instanceof AppError || code === undefined) throw error;
    throw new AppError('CONFIG_INVALID', { file: folder, reason: code }, { cause: error });
  }
}

function readYear(file: string, year: number): CalendarYear {
  let content: unknown;
  try {
    content = parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new AppError('CONFIG_INVALID', { file, reason: (error as Error).message }, { cause: error });
  }
  const parsed = CalendarYear.safeParse(content);
  if (!parsed.success) throw new AppError('CONFIG_INVALID', { file, reason: zodReason(parsed.error) });
  if (parsed.data.year !== year) throw new AppError('CONFIG_INVALID', { file, reason: `year: ${parsed.data.year}` });
  return parsed.data;
}
