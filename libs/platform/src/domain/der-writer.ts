import { concatBytes } from './bytes.js';
import { DER } from './der.js';

/** Writes DER (X.690 chapter 10, 11). Every function returns one complete element; the reader is in der.ts. */

/** One element: tag, minimal definite length, content. `contents` are joined in the order given. */
export function derElement(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  const length = contents.reduce((sum, part) => sum + part.length, 0);
  return concatBytes(derHeader(tag, length), ...contents);
}

export function derSequence(...elements: readonly Uint8Array[]): Uint8Array {
  return derElement(DER.sequence, ...elements);
}

/** SET OF: the members stand in ascending order of their encodings (X.690 11.6). */
export function derSetOf(...elements: readonly Uint8Array[]): Uint8Array {
  return derElement(DER.set, ...[...elements].sort((a, b) => Buffer.compare(a, b)));
}

/** A context tag around whole elements: `[n] EXPLICIT`, or the constructed form of `[n] IMPLICIT`. */
export function derContext(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  return derElement(0xa0 | contextNumber(tag), ...contents);
}

/** `[n] IMPLICIT` over a primitive type: only the content octets are given. */
export function derContextPrimitive(tag: number, content: Uint8Array): Uint8Array {
  return derElement(0x80 | contextNumber(tag), content);
}

/** INTEGER in the shortest two's complement form. */
export function derInteger(value: bigint | number): Uint8Array {
  let rest = BigInt(value);
  const octets: number[] = [];
  do {
    octets.unshift(Number(BigInt.asUintN(8, rest)));
    rest >>= 8n;
  } while (!(rest === 0n && (octets[0] as number) < 0x80) && !(rest === -1n && (octets[0] as number) >= 0x80));
  return derElement(DER.integer, Uint8Array.from(octets));
}

/** INTEGER from a big-endian unsigned number (a serial, r or s): leading zeros are dropped, a sign octet is added where needed. */
export function derUnsigned(bigEndian: Uint8Array): Uint8Array {
  let start = 0;
  while (start < bigEndian.length - 1 && bigEndian[start] === 0) start += 1;
  const digits = bigEndian.length === 0 ? Uint8Array.of(0) : bigEndian.subarray(start);
  return (digits[0] as number) >= 0x80 ? derElement(DER.integer, Uint8Array.of(0), digits) : derElement(DER.integer, digits);
}

export function derBoolean(value: boolean): Uint8Array {
  return derElement(DER.boolean, Uint8Array.of(value ? 0xff : 0));
}

export function derNull(): Uint8Array {
  return derElement(DER.null);
}

export function derEnumerated(value: number): Uint8Array {
  if (!Number.isInteger(value) || value < 0 || value > 127) throw new RangeError('small ENUMERATED values only');
  return derElement(DER.enumerated, Uint8Array.of(value));
}

/** OBJECT IDENTIFIER from dotted form. Throws a RangeError on anything that is not one. */
export function derOid(dotted: string): Uint8Array {
  if (!/^[012](\.(0|[1-9]\d*))+$/.test(dotted)) throw new RangeError(`not an object identifier: ${dotted}`);
  const [first, second, ...arcs] = dotted.split('.').map(BigInt) as [bigint, bigint, ...bigint[]];
  if (first < 2n && second > 39n) throw new RangeError(`not an object identifier: ${dotted}`);
  return derElement(DER.oid, Uint8Array.from([first * 40n + second, ...arcs].flatMap(sevenBitGroups)));
}

export function derOctetString(bytes: Uint8Array): Uint8Array {
  return derElement(DER.octetString, bytes);
}

/** BIT STRING; `unusedBits` of the last octet (0..7) must be zero already (DER). */
export function derBitString(bytes: Uint8Array, unusedBits = 0): Uint8Array {
  return derElement(DER.bitString, Uint8Array.of(unusedBits), bytes);
}

/** A named bit list (KeyUsage, ReasonFlags): bit 0 is the first; trailing zero bits are dropped (X.690 11.2.2). */
export function derNamedBits(bits: readonly number[]): Uint8Array {
  if (bits.length === 0) return derBitString(new Uint8Array(0));
  const highest = Math.max(...bits);
  const octets = new Uint8Array(Math.floor(highest / 8) + 1);
  for (const bit of bits) octets[bit >> 3] = (octets[bit >> 3] as number) | (0x80 >> (bit & 7));
  return derBitString(octets, 7 - (highest & 7));
}

export function derUtf8String(text: string): Uint8Array {
  if (!text.isWellFormed()) throw new RangeError('lone surrogate');
  return derElement(DER.utf8String, new TextEncoder().encode(text));
}

/** PrintableString; throws a RangeError on a character outside its set (X.680 41.4). */
export function derPrintableString(text: string): Uint8Array {
  if (!/^[A-Za-z0-9 '()+,\-./:=?]*$/.test(text)) throw new RangeError('not a PrintableString');
  return derElement(DER.printableString, new TextEncoder().encode(text));
}

/** IA5String; throws a RangeError outside ASCII. */
export function derIa5String(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  if (bytes.some((octet) => octet > 0x7f)) throw new RangeError('not an IA5String');
  return derElement(DER.ia5String, bytes);
}

/** RFC 5280 4.1.2.5 and RFC 5652 11.3: UTCTime from 1950 to 2049, GeneralizedTime outside; whole seconds, Z. */
export function derTime(at: Date): Uint8Array {
  const year = at.getUTCFullYear();
  if (year < 1950 || year > 2049) return derGeneralizedTime(at);
  return derElement(DER.utcTime, new TextEncoder().encode(`${stamp(at).slice(2)}Z`));
}

/** GeneralizedTime of whole seconds (OCSP, invalidityDate); fractions are cut off. */
export function derGeneralizedTime(at: Date): Uint8Array {
  return derElement(DER.generalizedTime, new TextEncoder().encode(`${stamp(at)}Z`));
}

function stamp(at: Date): string {
  const text = at.toISOString();
  if (!/^\d{4}-/.test(text)) throw new RangeError('DER times have a year of four digits');
  return text.slice(0, 19).replace(/[-T:]/g, '');
}

function derHeader(tag: number, length: number): Uint8Array {
  if (length < 0x80) return Uint8Array.of(tag, length);
  const octets: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  return Uint8Array.of(tag, 0x80 | octets.length, ...octets);
}

function contextNumber(tag: number): number {
  if (!Number.isInteger(tag) || tag < 0 || tag > 30) throw new RangeError('one-octet context tags only');
  return tag;
}

function sevenBitGroups(arc: bigint): number[] {
  const octets = [Number(arc & 0x7fn)];
  for (let rest = arc >> 7n; rest > 0n; rest >>= 7n) octets.unshift(Number(rest & 0x7fn) | 0x80);
  return octets;
}
