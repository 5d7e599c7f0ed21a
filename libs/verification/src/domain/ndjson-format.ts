import { type JsonSpan, JsonScanner } from './json-scan.js';
import type { RejectCode } from './reject-reason.js';
import { type FieldPlace, fieldName, type FieldRule, type ParsedLine, RECORD_FIELDS, recordOf } from './settlement-record.js';
import { firstNotUtf8 } from './text-bytes.js';

const FIELDS: readonly FieldRule[] = RECORD_FIELDS;

/**
 * One message of the national interface a line. The signed bytes are exactly the bytes of the `input` value as they
 * stand in the line, white space inside included.
 */
export function parseNdjsonLine(line: Buffer): ParsedLine {
  const badByte = firstNotUtf8(line);
  if (badByte !== undefined) return { fault: { reason: { code: 'NOT_UTF8' }, at: badByte } };
  const scanner = new JsonScanner(line);
  const header = scanner.object();
  if (header === undefined) return { fault: scanner.fault ?? { reason: { code: 'JSON_SYNTAX' }, at: 0 } };
  const input = header.members?.get('input');
  const booked = header.members?.get('booked');
  if (input === undefined) return fault('FIELD_MISSING', 'input', header.start);
  if (input.members === undefined) return fault('FIELD_INVALID', 'input', input.start);
  if (booked === undefined) return fault('FIELD_MISSING', 'booked', header.start);
  if (booked.members === undefined) return fault('FIELD_INVALID', 'booked', booked.start);

  const places: Readonly<Record<FieldPlace, JsonSpan>> = { header, input, booked };
  const values: string[] = [];
  for (const rule of FIELDS) {
    const span = places[rule.place].members?.get(rule.name);
    if (span === undefined && rule.optional !== true) return fault('FIELD_MISSING', fieldName(rule), places[rule.place].start);
    const value = span === undefined ? '' : scanner.text(span);
    if (value === undefined || (span !== undefined && !rule.pattern.test(value))) return fault('FIELD_INVALID', fieldName(rule), span?.start ?? 0);
    values.push(value);
  }
  const record = recordOf(values, line.subarray(input.start, input.end));
  if (typeof record !== 'number') return { record };
  const rule = FIELDS[record] as FieldRule;
  return fault('FIELD_INVALID', fieldName(rule), places[rule.place].members?.get(rule.name)?.start ?? 0);
}

function fault(code: RejectCode, field: string, at: number): ParsedLine {
  return { fault: { reason: { code, field }, at } };
}
