import type { LineFault, RejectCode } from './reject-reason.js';

export type JsonKind = 'object' | 'array' | 'string' | 'number' | 'true' | 'false' | 'null';

/** One JSON value: its kind and where its bytes lie in the line that was scanned. */
export interface JsonSpan {
  readonly kind: JsonKind;
  readonly start: number;
  readonly end: number;
  /** A string with a backslash in it. */
  readonly escaped: boolean;
  /** Members of an object by name. */
  readonly members?: ReadonlyMap<string, JsonSpan>;
}

const DEEPEST = 8;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;

/**
 * A strict RFC 8259 scanner that finds where the values of an object lie without building or re-serialising anything, so
 * that a signature is checked over the very bytes that arrived. Names given twice (at any depth) and escapes in names
 * are refused: two readers of such a line could see two different messages. The bytes must be valid UTF-8 already.
 */
export class JsonScanner {
  fault: LineFault | undefined;
  private at = 0;

  constructor(private readonly bytes: Buffer) {}

  /** The one object that fills the line, white space aside; undefined with `fault` set otherwise. */
  object(): JsonSpan | undefined {
    this.skipSpace();
    if (this.bytes[this.at] !== 0x7b) return this.fail('JSON_SYNTAX');
    const found = this.value(0);
    if (found === undefined) return undefined;
    this.skipSpace();
    return this.at === this.bytes.length ? found : this.fail('JSON_SYNTAX');
  }

  /** The text of a scanned string; undefined when it is another kind or holds half a surrogate pair. */
  text(span: JsonSpan): string | undefined {
    if (span.kind !== 'string') return undefined;
    if (!span.escaped) return this.bytes.toString('utf8', span.start + 1, span.end - 1);
    const text = JSON.parse(this.bytes.toString('utf8', span.start, span.end)) as string;
    return text.isWellFormed() ? text : undefined;
  }

  private fail(code: RejectCode, at = this.at, field?: string): undefined {
    this.fault ??= { reason: field === undefined ? { code } : { code, field }, at };
    return undefined;
  }

  private skipSpace(): void {
    for (let byte = this.bytes[this.at]; byte === 0x20 || byte === 0x09 || byte === 0x0d || byte === 0x0a; byte = this.bytes[++this.at]);
  }

  private value(depth: number): JsonSpan | undefined {
    if (depth > DEEPEST) return this.fail('JSON_TOO_DEEP');
    switch (this.bytes[this.at]) {
      case QUOTE:
        return this.string();
      case 0x7b:
        return this.members(depth);
      case 0x5b:
        return this.elements(depth);
      case 0x74:
        return this.word('true');
      case 0x66:
        return this.word('false');
      case 0x6e:
        return this.word('null');
      default:
        return this.number();
    }
  }

  private members(depth: number): JsonSpan | undefined {
    const start = this.at++;
    const members = new Map<string, JsonSpan>();
    this.skipSpace();
    if (this.bytes[this.at] === 0x7d) return { kind: 'object', start, end: ++this.at, escaped: false, members };
    for (;;) {
      const nameAt = this.at;
      if (this.bytes[nameAt] !== QUOTE) return this.fail('JSON_SYNTAX');
      const name = this.string();
      if (name === undefined) return undefined;
      if (name.escaped) return this.fail('JSON_NAME_ESCAPED', nameAt);
      const key = this.bytes.toString('utf8', name.start + 1, name.end - 1);
      if (members.has(key)) return this.fail('JSON_DUPLICATE_NAME', nameAt, key.slice(0, 40));
      this.skipSpace();
      if (this.bytes[this.at] !== COLON) return this.fail('JSON_SYNTAX');
      this.at++;
      this.skipSpace();
      const value = this.value(depth + 1);
      if (value === undefined) return undefined;
      members.set(key, value);
      this.skipSpace();
      const next = this.bytes[this.at];
      if (next !== COMMA && next !== 0x7d) return this.fail('JSON_SYNTAX');
      this.at++;
      if (next === 0x7d) return { kind: 'object', start, end: this.at, escaped: false, members };
      this.skipSpace();
    }
  }

  private elements(depth: number): JsonSpan | undefined {
    const start = this.at++;
    this.skipSpace();
    if (this.bytes[this.at] === 0x5d) return { kind: 'array', start, end: ++this.at, escaped: false };
    for (;;) {
      if (this.value(depth + 1) === undefined) return undefined;
      this.skipSpace();
      const next = this.bytes[this.at];
      if (next !== COMMA && next !== 0x5d) return this.fail('JSON_SYNTAX');
      this.at++;
      if (next === 0x5d) return { kind: 'array', start, end: this.at, escaped: false };
      this.skipSpace();
    }
  }

  private string(): JsonSpan | undefined {
    const { bytes } = this;
    const start = this.at;
    let escaped = false;
    for (let i = start + 1; i < bytes.length; i++) {
      const byte = bytes[i] as number;
      if (byte === QUOTE) {
        this.at = i + 1;
        return { kind: 'string', start, end: this.at, escaped };
      }
      if (byte < 0x20) return this.fail('JSON_SYNTAX', i);
      if (byte !== BACKSLASH) continue;
      escaped = true;
      const length = escapeLength(bytes, i);
      if (length === 0) return this.fail('JSON_SYNTAX', i);
      i += length - 1;
    }
    return this.fail('JSON_SYNTAX', bytes.length);
  }

  private word(word: 'true' | 'false' | 'null'): JsonSpan | undefined {
    const start = this.at;
    for (let i = 0; i < word.length; i++) {
      if (this.bytes[start + i] !== word.charCodeAt(i)) return this.fail('JSON_SYNTAX', start + i);
    }
    this.at = start + word.length;
    return { kind: word, start, end: this.at, escaped: false };
  }

  /** -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)? */
  private number(): JsonSpan | undefined {
    const start = this.at;
    if (this.bytes[this.at] === 0x2d) this.at++;
    if (this.bytes[this.at] === 0x30) this.at++;
    else if (!this.digits()) return this.fail('JSON_SYNTAX');
    if (this.bytes[this.at] === 0x2e) {
      this.at++;
      if (!this.digits()) return this.fail('JSON_SYNTAX');
    }
    if (this.bytes[this.at] === 0x65 || this.bytes[this.at] === 0x45) {
      this.at++;
      if (this.bytes[this.at] === 0x2b || this.bytes[this.at] === 0x2d) this.at++;
      if (!this.digits()) return this.fail('JSON_SYNTAX');
    }
    return { kind: 'number', start, end: this.at, escaped: false };
  }

  private digits(): boolean {
    const start = this.at;
    for (let byte = this.bytes[this.at]; byte !== undefined && byte >= 0x30 && byte <= 0x39; byte = this.bytes[++this.at]);
    return this.at > start;
  }
}

const SHORT_ESCAPES = new Set(Buffer.from('"\\/bfnrt', 'latin1'));

/** Bytes of the escape that starts at `at`; 0 when it is none. */
function escapeLength(bytes: Buffer, at: number): number {
  const letter = bytes[at + 1];
  if (letter === undefined) return 0;
  if (SHORT_ESCAPES.has(letter)) return 2;
  if (letter !== 0x75) return 0;
  for (let i = at + 2; i < at + 6; i++) {
    const byte = bytes[i];
    const isHex = byte !== undefined && ((byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x46) || (byte >= 0x61 && byte <= 0x66));
    if (!isHex) return 0;
  }
  return 6;
}
