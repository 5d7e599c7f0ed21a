import { AppError, DER, DerCursor } from '#libs/platform/domain';
import { type PublicKey, readPublicKey, verifySignature } from './key-algorithm.js';

/** Requests are a few hundred bytes; an RSA one with attributes stays below 2 KiB. */
export const MAX_REQUEST_BYTES = 8_192;

export interface CertificateRequest {
  /** SubjectPublicKeyInfo in DER. */
  readonly spki: Uint8Array;
  readonly publicKey: PublicKey;
}

/**
 * Reads a PKCS#10 request (RFC 2986) and checks that it is signed by the key that it asks to be certified. The subject
 * that stands in it is not used: names come from the register. Throws CSR_MALFORMED, KEY_NOT_CERTIFIABLE, POP_FAILED.
 */
export function readCertificateRequest(der: Uint8Array): CertificateRequest {
  const { information, spki, signatureOid, signature } = parse(der);
  const publicKey = readPublicKey(spki);
  if (publicKey === undefined) throw new AppError('KEY_NOT_CERTIFIABLE');
  if (!verifySignature(publicKey, signatureOid, information, signature)) throw new AppError('POP_FAILED');
  return { spki, publicKey };
}

function parse(der: Uint8Array): { information: Uint8Array; spki: Uint8Array; signatureOid: string; signature: Uint8Array } {
  if (der.length > MAX_REQUEST_BYTES) throw new AppError('CSR_MALFORMED', { offset: MAX_REQUEST_BYTES });
  try {
    const outer = DerCursor.whole(der);
    const information = outer.raw(DER.sequence);
    const signatureOid = outer.inside(DER.sequence).oid();
    const signature = outer.bitString();
    outer.end();
    const fields = DerCursor.whole(information);
    fields.take(DER.integer);
    fields.take(DER.sequence);
    const spki = fields.raw(DER.sequence);
    fields.optional(0xa0);
    fields.end();
    return { information, spki, signatureOid, signature };
  } catch (error) {
    const offset = (error as AppError).details?.['offset'];
    throw new AppError('CSR_MALFORMED', { offset: typeof offset === 'number' ? offset : 0 }, { cause: error });
  }
}
