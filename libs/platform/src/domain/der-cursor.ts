import { AppError } from './app-error.js';
import { toHex } from './bytes.js';
import { DER, type DerElement, derChildren, derContent, readDer } from './der.js';

/** Reads the children of one constructed element in order; a missing or foreign one is DER_MALFORMED at its offset. */
export class DerCursor {
  private readonly children: readonly DerElement[];
  private next = 0;

  constructor(
    readonly bytes: Uint8Array,
    readonly parent: DerElement,
  ) {
    this.children = derChildren(bytes, parent);
  }

  /** A cursor over a whole buffer that must be one element of `tag`, with nothing behind it. */
  static whole(bytes: Uint8Array, tag: number = DER.sequence): DerCursor {
    const element = readDer(bytes);
    if (element.tag !== tag || element.end !== bytes.length) throw derMalformed(element.start);
    return new DerCursor(bytes, element);
  }

  peek(): DerElement | undefined {
    return this.children[this.next];
  }

  take(tag?: number): DerElement {
    const child = this.children[this.next];
    if (child === undefined || (tag !== undefined && child.tag !== tag)) throw derMalformed(child?.start ?? this.parent.end);
    this.next++;
    return child;
  }

  optional(tag: number): DerElement | undefined {
    return this.peek()?.tag === tag ? this.take(tag) : undefined;
  }

  inside(tag?: number): DerCursor {
    return new DerCursor(this.bytes, this.take(tag));
  }

  insideOptional(tag: number): DerCursor | undefined {
    const child = this.optional(tag);
    return child === undefined ? undefined : new DerCursor(this.bytes, child);
  }

  oid(): string {
    return oidText(derContent(this.bytes, this.take(DER.oid)));
  }

  /** The element as it stands, tag and length included (a view). */
  raw(tag?: number): Uint8Array {
    const child = this.take(tag);
    return this.bytes.subarray(child.start, child.end);
  }

  content(tag: number): Uint8Array {
    return derContent(this.bytes, this.take(tag));
  }

  /** INTEGER as upper-case hex without its sign octet: how serial numbers stand in papers and in `openssl x509 -serial`. */
  integerHex(): string {
    const content = this.content(DER.integer);
    if (content.length === 0) throw derMalformed(this.parent.start);
    return toHex(content.length > 1 && content[0] === 0 ? content.subarray(1) : content);
  }

  /** BIT STRING of whole octets. */
  bitString(): Uint8Array {
    const content = this.content(DER.bitString);
    if (content[0] !== 0) throw derMalformed(this.parent.start);
    return content.subarray(1);
  }

  time(): Date {
    const element = this.take();
    const text = Buffer.from(derContent(this.bytes, element)).toString('latin1');
    return readTime(element, text);
  }

  atEnd(): boolean {
    return this.next === this.children.length;
  }

  end(): void {
    if (!this.atEnd()) throw derMalformed(this.peek()?.start ?? this.parent.end);
  }
}

function readTime(element: DerElement, text: string): Date {
  const digits = element.tag === DER.utcTime ? 12 : element.tag === DER.generalizedTime ? 14 : 0;
  if (text.length !== digits + 1 || !/^\d+Z$/.test(text)) throw derMalformed(element.start);
  const century = digits === 14 ? '' : Number(text.slice(0, 2)) < 50 ? '20' : '19';
  const iso = `${century}${text}`.replace(/^(....)(..)(..)(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6.000Z');
  const at = new Date(iso);
  // A day that its month does not have would silently become another day.
  if (Number.isNaN(at.getTime()) || at.toISOString() !== iso) throw derMalformed(element.start);
  return at;
}

/** For structures that read on behind the cursor. */
export function derMalformed(offset: number): AppError {
  return new AppError('DER_MALFORMED', { offset });
}

/** Dotted text of an OBJECT IDENTIFIER's content octets. */
function oidText(content: Uint8Array): string {
  const values: bigint[] = [];
  let value = 0n;
  for (const octet of content) {
    value = (value << 7n) | BigInt(octet & 0x7f);
    if (octet < 0x80) {
      values.push(value);
      value = 0n;
    }
  }
  const [first = 0n, ...rest] = values;
  const top = first < 40n ? 0n : first < 80n ? 1n : 2n;
  return [top, first - top * 40n, ...rest].join('.');
}
