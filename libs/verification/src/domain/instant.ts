const CHINA_OFFSET_MS = 8 * 3_600_000;
const RECEIVED = /^([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})\.([0-9]{3})\+08:00$/;
const TERMINAL = /^([0-9]{4})-([0-9]{2})-([0-9]{2}) ([0-9]{2}):([0-9]{2}):([0-9]{2})$/;

/** Server receive time `yyyy-MM-ddTHH:mm:ss.SSS+08:00` (RFC 3339) → milliseconds since 1970 UTC; undefined otherwise. */
export function readReceiveTime(text: string): number | undefined {
  return read(RECEIVED.exec(text));
}

/** Terminal time `yyyy-MM-dd HH:mm:ss`, China standard time without saying so → milliseconds since 1970 UTC. */
export function readTerminalTime(text: string): number | undefined {
  return read(TERMINAL.exec(text));
}

function read(match: RegExpExecArray | null): number | undefined {
  if (match === null) return undefined;
  const [year, month, day, hour, minute, second, ms] = match.slice(1).map(Number) as [number, number, number, number, number, number, number?];
  if (hour > 23 || minute > 59 || second > 59 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return undefined;
  return Date.UTC(year, month - 1, day, hour, minute, second, ms ?? 0) - CHINA_OFFSET_MS;
}

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}
