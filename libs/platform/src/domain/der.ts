import { AppError } from './app-error.js';

/** One DER element (X.690): its tag, and where its parts lie inside the buffer that was read. */
export interface DerElement {
  readonly tag: number;
  readonly start: number;
  readonly contentStart: number;
  readonly end: number;
}

export const DER = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  enumerated: 0x0a,
  utf8String: 0x0c,
  printableString: 0x13,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/**
 * Reads one DER element at `offset`; it must end at or before `limit`. Only definite minimal lengths and one-byte tags
 * exist in what this product reads. Throws DER_MALFORMED.
 */
export function readDer(bytes: Uint8Array, offset = 0, limit = bytes.length): DerElement {
  const tag = bytes[offset];
  const first = bytes[offset + 1];
  if (tag === undefined || first === undefined || offset + 2 > limit || (tag & 0x1f) === 0x1f) throw malformed(offset);
  let length = first;
  let contentStart = offset + 2;
  if (first >= 0x80) {
    const count = first & 0x7f;
    if (count === 0 || count > 4 || contentStart + count > limit) throw malformed(offset);
    length = 0;
    for (let i = 0; i < count; i++) length = length * 256 + (bytes[contentStart + i] as number);
    if (length < 0x80 || (bytes[contentStart] as number) === 0) throw malformed(offset);
    contentStart += count;
  }
  const end = contentStart + length;
  if (end > limit) throw malformed(offset);
  return { tag, start: offset, contentStart, end };
}

/** The elements inside a constructed element, in order. */
export function derChildren(bytes: Uint8Array, parent: DerElement): DerElement[] {
  const children: DerElement[] = [];
  for (let offset = parent.contentStart; offset < parent.end; ) {
    const child = readDer(bytes, offset, parent.end);
    children.push(child);
    offset = child.end;
  }
  return children;
}

/** The content bytes of an element (a view, not a copy). */
export function derContent(bytes: Uint8Array, element: DerElement): Uint8Array {
  return bytes.subarray(element.contentStart, element.end);
}

function malformed(offset: number): AppError {
  return new AppError('DER_MALFORMED', { offset });
}
