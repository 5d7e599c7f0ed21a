import { AppError } from '#libs/platform/domain';

export interface CsvRecord {
  /** Where it begins, from 1. */
  readonly line: number;
  readonly fields: readonly string[];
}

/** RFC 4180 records; CRLF or LF, a byte order mark and empty lines are passed over. Throws ORGANISATION_LIST_INVALID on a quote that is never closed. */
export function* csvRecords(text: string): Generator<CsvRecord, undefined> {
  let at = text.startsWith('\uFEFF') ? 1 : 0;
  let line = 1;
  while (at < text.length) {
    const began = line;
    const fields: string[] = [];
    for (let more = true; more; ) {
      let field: string;
      if (text[at] === '"') {
        let close = at + 1;
        for (; text[close] !== '"' || text[close + 1] === '"'; close += text[close] === '"' ? 2 : 1) {
          if (close >= text.length) throw new AppError('ORGANISATION_LIST_INVALID', { reason: `line ${began}: a quote is not closed` });
        }
        const end = fieldEnd(text, close + 1);
        if (text.slice(close + 1, end).trim() !== '') throw new AppError('ORGANISATION_LIST_INVALID', { reason: `line ${began}: text after a closing quote` });
        field = text.slice(at + 1, close).replaceAll('""', '"');
        line += field.split('\n').length - 1;
        at = end;
      } else {
        const end = fieldEnd(text, at);
        field = text.slice(at, end).replace(/\r$/, '');
        at = end;
      }
      fields.push(field);
      more = text[at] === ',';
      at++;
    }
    line++;
    if (fields.length > 1 || fields[0]?.trim() !== '') yield { line: began, fields };
  }
  return undefined;
}

function fieldEnd(text: string, from: number): number {
  for (let i = from; i < text.length; i++) if (text[i] === ',' || text[i] === '\n') return i;
  return text.length;
}

/** A field as RFC 4180 writes it. A text that a spreadsheet would take for a formula gets an apostrophe before it. */
export function csvField(value: string): string {
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function csvLine(values: readonly string[]): string {
  return `${values.map(csvField).join(',')}\r\n`;
}
