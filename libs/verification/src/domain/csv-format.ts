import type { RejectCode } from './reject-reason.js';
import { fieldName, type FieldPlace, type FieldRule, type ParsedLine, RECORD_FIELDS, recordOf } from './settlement-record.js';
import { firstNotGb18030 } from './text-bytes.js';

interface CsvColumn {
  readonly title: string;
  readonly place: FieldPlace;
  readonly name: string;
}

const column = (place: FieldPlace, name: string, title = name): CsvColumn => ({ title, place, name });

/** The signed columns come first; the signature covers their bytes, commas between them included, as they stand. */
const SIGNED_COLUMNS: readonly CsvColumn[] = [
  column('header', 'infno'),
  column('header', 'msgid'),
  column('input', 'mdtrt_id'),
  column('input', 'setl_id'),
  column('input', 'psn_no'),
  column('input', 'psn_name'),
  column('input', 'card_no'),
  column('input', 'fixmedins_code'),
  column('input', 'fixmedins_name'),
  column('input', 'term_no'),
  column('input', 'psam_no'),
  column('input', 'tx_type'),
  column('input', 'trans_time'),
  column('input', 'medfee_sumamt'),
  column('input', 'fund_pay_sumamt'),
  column('input', 'acct_pay'),
  column('input', 'psn_cash_pay'),
  column('input', 'balc_before'),
  column('input', 'balc_after'),
];

export const CSV_COLUMNS: readonly CsvColumn[] = [
  ...SIGNED_COLUMNS,
  column('header', 'cainfo'),
  column('header', 'signtype'),
  column('header', 'cert_sn'),
  column('header', 'cert_issuer'),
  column('header', 'recv_time'),
  column('booked', 'setl_id', 'booked_setl_id'),
  column('booked', 'card_no', 'booked_card_no'),
  column('booked', 'fixmedins_code', 'booked_fixmedins_code'),
  column('booked', 'medfee_sumamt', 'booked_medfee_sumamt'),
];

/** The first line of every CSV file, without its line feed. */
export const CSV_HEADER: Uint8Array = Uint8Array.from(Buffer.from(CSV_COLUMNS.map(({ title }) => title).join(','), 'latin1'));

/** Where each field of RECORD_FIELDS stands. CSV has no unsigned header, so its institution is the signed one. */
const COLUMN_OF_FIELD: readonly number[] = RECORD_FIELDS.map((rule: FieldRule) => {
  const place = rule.place === 'header' && rule.name === 'fixmedins_code' ? 'input' : rule.place;
  return CSV_COLUMNS.findIndex((each) => each.place === place && each.name === rule.name);
});

const FIELDS: readonly FieldRule[] = RECORD_FIELDS;
const COMMA = 0x2c;
const QUOTE = 0x22;

/**
 * One record a line, columns separated by commas, no quoting: none of the columns can hold a comma. The signed bytes are
 * the line's bytes before the comma in front of the signature column.
 */
export function parseCsvLine(line: Buffer): ParsedLine {
  const badByte = firstNotGb18030(line);
  if (badByte !== undefined) return { fault: { reason: { code: 'NOT_GB18030' }, at: badByte } };
  const quote = line.indexOf(QUOTE);
  if (quote >= 0) return { fault: { reason: { code: 'QUOTE_NOT_ALLOWED' }, at: quote } };

  const starts: number[] = [0];
  for (let comma = line.indexOf(COMMA); comma >= 0; comma = line.indexOf(COMMA, comma + 1)) starts.push(comma + 1);
  if (starts.length !== CSV_COLUMNS.length) return { fault: { reason: { code: 'COLUMN_COUNT' }, at: line.length } };
  const end = (index: number): number => (index + 1 < starts.length ? (starts[index + 1] as number) - 1 : line.length);

  const values: string[] = [];
  for (const [i, rule] of FIELDS.entries()) {
    const index = COLUMN_OF_FIELD[i] as number;
    const start = starts[index] as number;
    const value = line.toString('latin1', start, end(index));
    if (!rule.pattern.test(value)) return fault('FIELD_INVALID', rule, start);
    values.push(value);
  }
  const record = recordOf(values, line.subarray(0, end(SIGNED_COLUMNS.length - 1)));
  if (typeof record !== 'number') return { record };
  return fault('FIELD_INVALID', FIELDS[record] as FieldRule, starts[COLUMN_OF_FIELD[record] as number] as number);
}

function fault(code: RejectCode, rule: FieldRule, at: number): ParsedLine {
  return { fault: { reason: { code, field: fieldName(rule) }, at } };
}
