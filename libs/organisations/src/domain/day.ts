import { z } from 'zod';

/** A calendar day, yyyy-MM-dd; such texts compare as the days do. */
export const Day = z.iso.date();
export type Day = string;

const DAY_MS = 86_400_000;
/** tz database, Asia/Shanghai: UTC+8 without a break since 15 September 1991. */
const SHANGHAI_MS = 8 * 3_600_000;

const utc = (day: Day): number => Date.parse(`${day}T00:00:00Z`);
const dayOf = (ms: number): Day => new Date(ms).toISOString().slice(0, 10);

export function plusDays(day: Day, days: number): Day {
  return dayOf(utc(day) + days * DAY_MS);
}

export function isWeekend(day: Day): boolean {
  const weekday = new Date(utc(day)).getUTCDay();
  return weekday === 0 || weekday === 6;
}

export const yearOf = (day: Day): number => Number(day.slice(0, 4));

/** The day it is in China at an instant after 1991. */
export function dayInChina(instant: Date): Day {
  return dayOf(instant.getTime() + SHANGHAI_MS);
}

/** 24:00 of a day in China: the first instant that is no longer of it. */
export function endOfDayInChina(day: Day): Date {
  return new Date(utc(day) + DAY_MS - SHANGHAI_MS);
}
