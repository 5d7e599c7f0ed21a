/** How figures are written for a reader. Pure; the same on every machine (no locale, no time zone of the host). */

const CHINA_OFFSET_MILLISECONDS = 8 * 3_600_000;

/** 分 → `-1,234.56` 元. */
export function yuan(fen: bigint): string {
  const digits = (fen < 0n ? -fen : fen).toString().padStart(3, '0');
  return `${fen < 0n ? '-' : ''}${grouped(digits.slice(0, -2))}.${digits.slice(-2)}`;
}

/** Whole numbers with thousands separated. */
export function count(value: number): string {
  return grouped(String(value));
}

/** `2026-07-02 09:02:03 +08:00`: China has one time and no summer time. */
export function chinaTime(at: Date): string {
  return `${new Date(at.getTime() + CHINA_OFFSET_MILLISECONDS).toISOString().slice(0, 19).replace('T', ' ')} +08:00`;
}

/** `97.06 %`, rounded down so that 100.00 % means all; `–` where there is nothing to share. */
export function share(part: number, whole: number): string {
  if (whole === 0) return '–';
  const hundredths = Number((BigInt(part) * 10_000n) / BigInt(whole));
  return `${Math.floor(hundredths / 100)}.${String(hundredths % 100).padStart(2, '0')} %`;
}

/** Upper-case hex in groups of eight, as it is read aloud and compared. */
export function hexGroups(hex: string): string {
  return hex.match(/.{1,8}/g)?.join(' ') ?? '';
}

/** Text from outside, safe to print: control, format and lone surrogate characters (line breaks, bidi overrides) become □. */
export function printable(text: string): string {
  return text.toWellFormed().replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '□');
}

/**
 * Breaks text to lines of at most `width`, after a blank where there is one in the second half, else anywhere; at most
 * `lines` of them, the last one cut with an ellipsis. `measure` gives the width of one code point in the same unit.
 */
export function wrap(text: string, width: number, lines: number, measure: (character: string) => number): string[] {
  const out: string[] = [];
  let rest = [...text];
  while (rest.length > 0) {
    const fitting = fit(rest, width, measure);
    if (fitting === rest.length) return [...out, rest.join('').trimEnd()];
    if (out.length === lines - 1) {
      const room = Math.max(fit(rest, width - measure('…'), measure), 1);
      return [...out, `${rest.slice(0, room).join('').trimEnd()}…`];
    }
    const blank = rest.lastIndexOf(' ', fitting);
    const end = blank > fitting / 2 ? blank + 1 : Math.max(fitting, 1);
    out.push(rest.slice(0, end).join('').trimEnd());
    rest = rest.slice(end);
    while (rest[0] === ' ') rest.shift();
  }
  return out.length === 0 ? [''] : out;
}

function fit(characters: readonly string[], width: number, measure: (character: string) => number): number {
  let used = 0;
  for (const [index, character] of characters.entries()) {
    used += measure(character);
    if (used > width) return index;
  }
  return characters.length;
}

function grouped(digits: string): string {
  return digits.replace(/\B(?=(\d{3})+$)/g, ',');
}
