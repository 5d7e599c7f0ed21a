import { CSV_HEADER, parseCsvLine } from './csv-format.js';
import { parseNdjsonLine } from './ndjson-format.js';
import type { ParsedLine } from './settlement-record.js';

/** The two forms in which settlement files arrive (docs/settlement-formats.md). */
export const SETTLEMENT_FORMATS = ['ndjson', 'csv-gb18030'] as const;
export type SettlementFormat = (typeof SETTLEMENT_FORMATS)[number];

/** Longest line that is parsed; longer ones are rejected, whatever they hold. */
export const LONGEST_LINE = 65_536;

export interface FormatRule {
  readonly encoding: 'UTF-8' | 'GB18030';
  /** Bytes of the first line where the format has a header line; it is not a record. */
  readonly headerLine: Uint8Array | undefined;
  /** `line` without its line feed. */
  readonly parse: (line: Buffer) => ParsedLine;
}

export const FORMAT_RULES: Readonly<Record<SettlementFormat, FormatRule>> = {
  ndjson: { encoding: 'UTF-8', headerLine: undefined, parse: parseNdjsonLine },
  'csv-gb18030': { encoding: 'GB18030', headerLine: CSV_HEADER, parse: parseCsvLine },
};

/**
 * One line (without its line feed, a carriage return before it is taken off) → record or fault. `ended` is false for
 * a last line without a line feed: what was cut cannot be told from what was meant, so it is rejected whole.
 */
export function parseLine(format: SettlementFormat, line: Buffer, ended: boolean): ParsedLine {
  if (!ended) return { fault: { reason: { code: 'LINE_TRUNCATED' }, at: line.length } };
  if (line.length > LONGEST_LINE) return { fault: { reason: { code: 'LINE_TOO_LONG' }, at: LONGEST_LINE } };
  const text = line.at(-1) === 0x0d ? line.subarray(0, -1) : line;
  if (text.length === 0) return { fault: { reason: { code: 'LINE_EMPTY' }, at: 0 } };
  return FORMAT_RULES[format].parse(text);
}
