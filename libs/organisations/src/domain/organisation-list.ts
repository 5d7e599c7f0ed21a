import { z } from 'zod';
import { AppError, type ErrorCode, type ErrorDetails } from '#libs/platform/domain';
import { csvRecords } from './csv.js';
import { Registration } from './organisation-act.js';
import { KIND_NAMES } from './organisation-kind.js';

export const LIST_FORMATS = ['csv', 'ndjson'] as const;
export type ListFormat = (typeof LIST_FORMATS)[number];
export const LIST_ENCODINGS = ['utf-8', 'gb18030'] as const;
export type ListEncoding = (typeof LIST_ENCODINGS)[number];

/** Rows of one list: the 3,700 institutions of a capital and their terminals, with room. */
export const LONGEST_LIST = 200_000;

export interface ListedRegistration {
  /** Where it begins in the file, from 1. */
  readonly line: number;
  readonly registration: Registration;
}

export interface Rejected {
  readonly line: number;
  readonly code: ErrorCode;
  readonly details: ErrorDetails;
}

export interface ParsedList {
  /** Cities before districts before what stands in them, otherwise as in the file. */
  readonly rows: readonly ListedRegistration[];
  readonly rejected: readonly Rejected[];
}

const COLUMNS = ['kind', 'code', 'name', 'parent', 'effectiveAt', 'reissue'] as const;
const REQUIRED = ['kind', 'code', 'name'] as const;

/** A day means its beginning in China; an instant carries its offset. */
const effectiveAt = z.union([
  z.iso.date().transform((day) => new Date(`${day}T00:00:00+08:00`)),
  z.iso.datetime({ offset: true }).transform((text) => new Date(text)),
]);
const truth = z.enum(['true', 'false']).transform((text) => text === 'true');
const Row = Registration.extend({ effectiveAt, reissue: z.union([z.boolean(), truth]).default(false) });

/** The text of a received list. Throws ORGANISATION_LIST_INVALID when the bytes are not of the encoding. */
export function decodeList(bytes: Uint8Array, encoding: ListEncoding): string {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch (error) {
    throw new AppError('ORGANISATION_LIST_INVALID', { reason: `not ${encoding}` }, { cause: error });
  }
}

/**
 * Registrations of a CSV (RFC 4180, columns kind, code, name and perhaps parent, effectiveAt, reissue, in any order) or of
 * NDJSON with the same names. A row without its own time gets `now`. A bad row is rejected with its line; a list that cannot
 * be read at all throws ORGANISATION_LIST_INVALID.
 */
export function parseList(text: string, format: ListFormat, now: Date): ParsedList {
  const rows: ListedRegistration[] = [];
  const rejected: Rejected[] = [];
  for (const { line, value } of READERS[format](text)) {
    if (rows.length + rejected.length >= LONGEST_LIST) throw new AppError('ORGANISATION_LIST_INVALID', { reason: `more than ${LONGEST_LIST} rows` });
    const parsed = Row.safeParse(typeof value === 'object' && value !== null ? { effectiveAt: now.toISOString(), ...value } : value);
    if (parsed.success) rows.push({ line, registration: parsed.data });
    else rejected.push({ line, code: 'REQUEST_INVALID', details: { reason: parsed.error.issues.map((issue) => `${issue.path.join('.') || 'row'}: ${issue.message}`).slice(0, 3).join('; ') } });
  }
  if (rows.length + rejected.length === 0) throw new AppError('ORGANISATION_LIST_INVALID', { reason: 'no rows' });
  const rank = (row: ListedRegistration): number => KIND_NAMES.indexOf(row.registration.kind);
  return { rows: rows.sort((a, b) => rank(a) - rank(b) || a.line - b.line), rejected };
}

interface RawRow {
  readonly line: number;
  readonly value: unknown;
}

const READERS: { readonly [F in ListFormat]: (text: string) => Iterable<RawRow> } = { csv: csvRows, ndjson: jsonRows };

function* csvRows(text: string): Iterable<RawRow> {
  const records = csvRecords(text);
  const header = records.next().value?.fields ?? [];
  const strange = header.find((name) => !(COLUMNS as readonly string[]).includes(name));
  const missing = REQUIRED.find((name) => !header.includes(name));
  if (strange !== undefined) throw new AppError('ORGANISATION_LIST_INVALID', { reason: `column ${strange.slice(0, 40)}` });
  if (missing !== undefined || new Set(header).size !== header.length) throw new AppError('ORGANISATION_LIST_INVALID', { reason: `header: ${REQUIRED.join(', ')}` });
  for (const { line, fields } of records) {
    const named = header.map((name, i) => [name, fields[i]] as const).filter(([, field]) => field !== undefined && field !== '');
    // One field too many or too few shifts all that follow: the row means nothing.
    yield { line, value: fields.length === header.length ? Object.fromEntries(named) : `${fields.length} fields for ${header.length} columns` };
  }
}

function* jsonRows(text: string): Iterable<RawRow> {
  for (const [i, line] of text.replace(/^\uFEFF/, '').split('\n').entries()) {
    if (line.trim() !== '') yield { line: i + 1, value: jsonOrText(line) };
  }
}

/** What is not JSON is no row either way; the schema says so with its line. */
function jsonOrText(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    if (error instanceof SyntaxError) return 'not JSON';
    throw error;
  }
}
