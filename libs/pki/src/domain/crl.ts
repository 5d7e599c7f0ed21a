import {
  DER,
  derContext,
  DerCursor,
  derEnumerated,
  derGeneralizedTime,
  derInteger,
  derMalformed,
  derSequence,
  derTime,
  derUnsigned,
  encodeExtension,
  fromHex,
  readExtensions,
} from '#libs/platform/domain';
import { authorityKeyIdentifier } from './extensions.js';
import { type KeyAlgorithm, SIGNATURE_FORMS } from './key-algorithm.js';
import { OID } from './oids.js';
import { REVOCATION_REASONS, type Revocation, type RevocationReason } from './revocation.js';

export interface CrlDraft {
  readonly issuer: Uint8Array;
  readonly issuerPublicKey: Uint8Array;
  readonly issuerAlgorithm: KeyAlgorithm;
  readonly number: bigint;
  readonly thisUpdate: Date;
  readonly nextUpdate: Date;
  readonly entries: readonly Revocation[];
}

/** TBSCertList version 2 with CRL number and authority key identifier (RFC 5280 5.1.2): the exact bytes that are signed. */
export function encodeTbsCrl(draft: CrlDraft): Uint8Array {
  return derSequence(
    derInteger(1),
    SIGNATURE_FORMS[draft.issuerAlgorithm].identifier,
    draft.issuer,
    derTime(draft.thisUpdate),
    derTime(draft.nextUpdate),
    // RFC 5280 5.1.2.6: the list itself is absent when it is empty.
    ...(draft.entries.length === 0 ? [] : [derSequence(...draft.entries.map(encodeEntry))]),
    derContext(0, derSequence(authorityKeyIdentifier(draft.issuerPublicKey), encodeExtension(OID.crlNumber, derInteger(draft.number)))),
  );
}

/** RFC 5280 5.3: `unspecified` is told by leaving the reason out. */
function encodeEntry(entry: Revocation): Uint8Array {
  const { code } = REVOCATION_REASONS[entry.reason];
  const extensions = [
    ...(code === 0 ? [] : [encodeExtension(OID.reasonCode, derEnumerated(code))]),
    ...(entry.invalidityAt === undefined ? [] : [encodeExtension(OID.invalidityDate, derGeneralizedTime(entry.invalidityAt))]),
  ];
  return derSequence(
    derUnsigned(fromHex(entry.serial)),
    derTime(entry.effectiveAt),
    ...(extensions.length === 0 ? [] : [derSequence(...extensions)]),
  );
}

export interface ParsedCrl {
  readonly tbs: Uint8Array;
  readonly issuer: Uint8Array;
  readonly thisUpdate: Date;
  readonly nextUpdate: Date | undefined;
  readonly number: bigint | undefined;
  readonly entries: readonly Revocation[];
  readonly signatureOid: string;
  readonly signature: Uint8Array;
}

const REASON_OF_CODE = new Map(Object.entries(REVOCATION_REASONS).map(([name, reason]) => [reason.code as number, name as RevocationReason]));

/** Reads a complete CRL of anyone. Throws DER_MALFORMED, also on a critical extension (partial, delta or indirect CRLs). */
export function readCrl(der: Uint8Array): ParsedCrl {
  const outer = DerCursor.whole(der);
  const tbs = outer.raw(DER.sequence);
  const signatureOid = outer.inside(DER.sequence).oid();
  const signature = outer.bitString();
  outer.end();

  const fields = DerCursor.whole(tbs);
  fields.optional(DER.integer);
  fields.take(DER.sequence);
  const issuer = fields.raw(DER.sequence);
  const thisUpdate = fields.time();
  const next = fields.peek()?.tag;
  const nextUpdate = next === DER.utcTime || next === DER.generalizedTime ? fields.time() : undefined;
  const list = fields.insideOptional(DER.sequence);
  const entries: Revocation[] = [];
  while (list !== undefined && !list.atEnd()) entries.push(readEntry(list.inside(DER.sequence)));
  const extensions = readExtensions(fields.insideOptional(0xa0)?.inside(DER.sequence));
  fields.end();
  if ([...extensions.values()].some((each) => each.critical)) throw derMalformed(0);
  const number = extensions.get(OID.crlNumber)?.value;
  return { tbs, issuer, thisUpdate, nextUpdate, number: number === undefined ? undefined : readNumber(number), entries, signatureOid, signature };
}

function readEntry(entry: DerCursor): Revocation {
  const serial = entry.integerHex();
  const effectiveAt = entry.time();
  const extensions = readExtensions(entry.insideOptional(DER.sequence));
  entry.end();
  const reason = extensions.get(OID.reasonCode)?.value[2] ?? 0;
  const invalidity = extensions.get(OID.invalidityDate)?.value;
  const invalidityAt = invalidity === undefined ? undefined : DerCursor.whole(derSequence(invalidity)).time();
  return { serial, reason: REASON_OF_CODE.get(reason) ?? 'unspecified', effectiveAt, invalidityAt };
}

function readNumber(value: Uint8Array): bigint {
  return BigInt(`0x${DerCursor.whole(derSequence(value)).integerHex()}`);
}
