import { DER, DerCursor, derMalformed, equalBytes, readDer, readExtensions } from '#libs/platform/domain';
import { OCSP_NONCE } from './ocsp-response.js';

/** A request with a few identifiers and a nonce of 128 octets stays far below this. */
export const MAX_REQUEST_BYTES = 4_096;
const MAX_IDENTIFIERS = 16;

/** Whose status is asked (RFC 6960 4.1.1). */
export interface CertId {
  /** The CertID as it stands in the request: it goes into the answer byte for byte. */
  readonly der: Uint8Array;
  readonly hash: 'sha1' | 'sha256' | undefined;
  readonly issuerNameHash: Uint8Array;
  readonly issuerKeyHash: Uint8Array;
  /** Upper-case hex. */
  readonly serial: string;
}

export interface OcspRequest {
  readonly certIds: readonly CertId[];
  /** The nonce extension's value as it stands, to be echoed (RFC 9654). */
  readonly nonce: Uint8Array | undefined;
}

const HASHES = new Map<string, 'sha1' | 'sha256'>([
  ['1.3.14.3.2.26', 'sha1'],
  ['2.16.840.1.101.3.4.2.1', 'sha256'],
]);

/**
 * Reads an OCSPRequest; a signature in it is not asked for and passed over. Throws DER_MALFORMED, also for what the
 * responder must not answer: too long, no or too many identifiers, a nonce of 0 or more than 128 octets (RFC 9654 2.1),
 * an unknown critical extension.
 */
export function readOcspRequest(der: Uint8Array): OcspRequest {
  if (der.length > MAX_REQUEST_BYTES) throw derMalformed(MAX_REQUEST_BYTES);
  const outer = DerCursor.whole(der);
  const tbs = outer.inside(DER.sequence);
  outer.optional(0xa0);
  outer.end();
  const version = tbs.optional(0xa0);
  if (version !== undefined && !equalBytes(der.subarray(version.start, version.end), VERSION_1)) throw derMalformed(version.start);
  tbs.optional(0xa1);
  const list = tbs.inside(DER.sequence);
  const certIds: CertId[] = [];
  while (!list.atEnd()) certIds.push(readSingle(list.inside(DER.sequence)));
  if (certIds.length === 0 || certIds.length > MAX_IDENTIFIERS) throw derMalformed(list.parent.start);
  const extensions = readExtensions(tbs.insideOptional(0xa2)?.inside(DER.sequence));
  tbs.end();
  refuseCritical(extensions);
  return { certIds, nonce: readNonce(extensions.get(OCSP_NONCE)?.value) };
}

const VERSION_1 = Uint8Array.of(0xa0, 0x03, 0x02, 0x01, 0x00);
const MAX_NONCE_OCTETS = 128;

function readSingle(request: DerCursor): CertId {
  const der = request.raw(DER.sequence);
  refuseCritical(readExtensions(request.insideOptional(0xa0)?.inside(DER.sequence)));
  request.end();
  const id = DerCursor.whole(der);
  const algorithm = id.inside(DER.sequence).oid();
  const issuerNameHash = id.content(DER.octetString);
  const issuerKeyHash = id.content(DER.octetString);
  const serial = id.integerHex();
  id.end();
  return { der, hash: HASHES.get(algorithm), issuerNameHash, issuerKeyHash, serial };
}

function refuseCritical(extensions: ReturnType<typeof readExtensions>): void {
  for (const [dotted, { critical }] of extensions) if (critical && dotted !== OCSP_NONCE) throw derMalformed(0);
}

function readNonce(value: Uint8Array | undefined): Uint8Array | undefined {
  if (value === undefined) return undefined;
  const nonce = readDer(value);
  const length = nonce.end - nonce.contentStart;
  if (nonce.tag !== DER.octetString || nonce.end !== value.length || length < 1 || length > MAX_NONCE_OCTETS) throw derMalformed(0);
  return value;
}
