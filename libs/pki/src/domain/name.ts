import { z } from 'zod';
import { DER, DerCursor, derOid, derPrintableString, derSequence, derSetOf, derUtf8String } from '#libs/platform/domain';

const text = z.string().min(1).max(64).refine((value) => value.isWellFormed() && !/[\u0000-\u001f]/.test(value), 'control characters');

/** A subject name. Lengths are the upper bounds of RFC 5280 appendix A. */
export const SubjectName = z.strictObject({
  country: z.string().regex(/^[A-Z]{2}$/).optional(),
  province: text.optional(),
  locality: text.optional(),
  organisation: text.optional(),
  unit: text.optional(),
  serialNumber: z.string().regex(/^[A-Za-z0-9 '()+,\-./:=?]{1,64}$/).optional(),
  commonName: text,
});
export type SubjectName = z.infer<typeof SubjectName>;

/** In the order in which they stand in the name; `label` as in RFC 4514. */
const ATTRIBUTES: readonly { key: keyof SubjectName; oid: string; label: string; write: (value: string) => Uint8Array }[] = [
  { key: 'country', oid: '2.5.4.6', label: 'C', write: derPrintableString },
  { key: 'province', oid: '2.5.4.8', label: 'ST', write: derUtf8String },
  { key: 'locality', oid: '2.5.4.7', label: 'L', write: derUtf8String },
  { key: 'organisation', oid: '2.5.4.10', label: 'O', write: derUtf8String },
  { key: 'unit', oid: '2.5.4.11', label: 'OU', write: derUtf8String },
  { key: 'serialNumber', oid: '2.5.4.5', label: 'serialNumber', write: derPrintableString },
  { key: 'commonName', oid: '2.5.4.3', label: 'CN', write: derUtf8String },
];
const LABELS = new Map(ATTRIBUTES.map((attribute) => [attribute.oid, attribute.label]));

/** RDNSequence with one attribute per RDN: some libraries silently put all into one SET, which is another name. */
export function encodeName(name: SubjectName): Uint8Array {
  return derSequence(
    ...ATTRIBUTES.flatMap(({ key, oid: dotted, write }) => {
      const value = name[key];
      return value === undefined ? [] : [derSetOf(derSequence(derOid(dotted), write(value)))];
    }),
  );
}

/** RFC 4514 text of a Name in DER, most specific part first. Throws DER_MALFORMED. */
export function nameText(der: Uint8Array): string {
  const names = DerCursor.whole(der);
  const parts: string[] = [];
  while (!names.atEnd()) {
    const rdn = names.inside(DER.set);
    const values: string[] = [];
    while (!rdn.atEnd()) {
      const attribute = rdn.inside(DER.sequence);
      const type = attribute.oid();
      const element = attribute.take();
      attribute.end();
      const value = decode(element.tag, der.subarray(element.contentStart, element.end));
      values.push(`${LABELS.get(type) ?? type}=${escape(value)}`);
    }
    parts.unshift(values.join('+'));
  }
  return parts.join(',');
}

/** BMPString is UTF-16BE, T61String is read as Latin-1, everything else as UTF-8. */
function decode(tag: number, content: Uint8Array): string {
  if (tag === 0x1e) return Buffer.from(content).swap16().toString('utf16le');
  return Buffer.from(content).toString(tag === 0x14 ? 'latin1' : 'utf8');
}

function escape(value: string): string {
  return value.replace(/[,+"\\<>;]/g, '\\$&').replace(/^[ #]| $/g, '\\$&');
}
