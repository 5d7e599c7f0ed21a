import { DER } from './der.js';
import { type DerCursor, derMalformed } from './der-cursor.js';
import { derBoolean, derOctetString, derOid, derSequence } from './der-writer.js';

/** The Extension structure that certificates, CRLs and OCSP messages share (RFC 5280 4.1). */
export interface X509Extension {
  readonly critical: boolean;
  /** The octets inside extnValue: DER of the extension's own type. */
  readonly value: Uint8Array;
}

export function encodeExtension(oid: string, value: Uint8Array, critical = false): Uint8Array {
  return derSequence(derOid(oid), ...(critical ? [derBoolean(true)] : []), derOctetString(value));
}

/** Extensions by OID, none when there is no list. Throws DER_MALFORMED, also on a repeated one (RFC 5280 4.2). */
export function readExtensions(list: DerCursor | undefined): Map<string, X509Extension> {
  const extensions = new Map<string, X509Extension>();
  while (list !== undefined && !list.atEnd()) {
    const item = list.inside(DER.sequence);
    const oid = item.oid();
    const critical = item.optional(DER.boolean) !== undefined;
    const value = item.content(DER.octetString);
    item.end();
    if (extensions.has(oid)) throw derMalformed(item.parent.start);
    extensions.set(oid, { critical, value });
  }
  return extensions;
}
