import { createHash } from 'node:crypto';
import {
  DER,
  derBitString,
  derContent,
  derContext,
  DerCursor,
  derInteger,
  derMalformed,
  derSequence,
  derTime,
  derUnsigned,
  fromHex,
  readExtensions,
  toHex,
} from '#libs/platform/domain';
import { type KeyAlgorithm, SIGNATURE_FORMS } from './key-algorithm.js';
import { OID } from './oids.js';

export interface CertificateDraft {
  /** Upper-case hex, positive. */
  readonly serial: string;
  /** Name in DER. */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** SubjectPublicKeyInfo in DER. */
  readonly publicKey: Uint8Array;
  /** Algorithm of the issuer's key, which decides the signature's form. */
  readonly issuerAlgorithm: KeyAlgorithm;
  readonly extensions: readonly Uint8Array[];
}

/** TBSCertificate, version 3 (RFC 5280 4.1.2): the exact bytes that the token signs. */
export function encodeTbsCertificate(draft: CertificateDraft): Uint8Array {
  return derSequence(
    derContext(0, derInteger(2)),
    derUnsigned(fromHex(draft.serial)),
    SIGNATURE_FORMS[draft.issuerAlgorithm].identifier,
    draft.issuer,
    derSequence(derTime(draft.notBefore), derTime(draft.notAfter)),
    draft.subject,
    draft.publicKey,
    derContext(3, derSequence(...draft.extensions)),
  );
}

/** Certificate or CertificateList: the signed bytes as they are, the algorithm again, the signature. */
export function encodeSigned(toBeSigned: Uint8Array, issuerAlgorithm: KeyAlgorithm, signature: Uint8Array): Uint8Array {
  return derSequence(toBeSigned, SIGNATURE_FORMS[issuerAlgorithm].identifier, derBitString(signature));
}

export interface ParsedCertificate {
  readonly der: Uint8Array;
  readonly tbs: Uint8Array;
  readonly serial: string;
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly publicKey: Uint8Array;
  readonly signatureOid: string;
  readonly signature: Uint8Array;
  readonly isCa: boolean;
  /** undefined: no limit. */
  readonly pathLength: number | undefined;
  /** KeyUsage allows keyCertSign (or there is no KeyUsage). */
  readonly mayCertify: boolean;
}

/** Reads a certificate of anyone (RFC 5280 4.1). Throws DER_MALFORMED. */
export function readCertificate(der: Uint8Array): ParsedCertificate {
  const outer = DerCursor.whole(der);
  const tbs = outer.raw(DER.sequence);
  const signatureOid = outer.inside(DER.sequence).oid();
  const signature = outer.bitString();
  outer.end();

  const fields = DerCursor.whole(tbs);
  fields.optional(0xa0);
  const serial = fields.integerHex();
  if (fields.inside(DER.sequence).oid() !== signatureOid) throw derMalformed(fields.parent.start);
  const issuer = fields.raw(DER.sequence);
  const validity = fields.inside(DER.sequence);
  const notBefore = validity.time();
  const notAfter = validity.time();
  const subject = fields.raw(DER.sequence);
  const publicKey = fields.raw(DER.sequence);
  fields.optional(0x81);
  fields.optional(0x82);
  const extensions = readExtensions(fields.insideOptional(0xa3)?.inside(DER.sequence));
  fields.end();
  return { der, tbs, serial, issuer, subject, notBefore, notAfter, publicKey, signatureOid, signature, ...certifying(extensions) };
}

const KEY_CERT_SIGN = 0x04;

function certifying(extensions: ReturnType<typeof readExtensions>): Pick<ParsedCertificate, 'isCa' | 'pathLength' | 'mayCertify'> {
  const constraints = extensions.get(OID.basicConstraints)?.value;
  let isCa = false;
  let pathLength: number | undefined;
  if (constraints !== undefined) {
    const fields = DerCursor.whole(constraints);
    const flag = fields.optional(0x01);
    isCa = flag !== undefined && derContent(constraints, flag)[0] === 0xff;
    if (!fields.atEnd()) pathLength = Number.parseInt(fields.integerHex(), 16);
  }
  const usage = extensions.get(OID.keyUsage)?.value;
  const mayCertify = usage === undefined || usage[0] !== DER.bitString || ((usage[3] ?? 0) & KEY_CERT_SIGN) !== 0;
  return { isCa, pathLength, mayCertify };
}

/** SHA-256 of a Name in DER, hex: how issuers are compared and looked up. */
export function nameHash(name: Uint8Array): string {
  return toHex(createHash('sha256').update(name).digest());
}
