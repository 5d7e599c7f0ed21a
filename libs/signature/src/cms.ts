import { createHash, verify, X509Certificate } from 'node:crypto';
import {
  AppError, derChildren, derContext, derElement, derInteger, derNull, derOctetString, derOid, derSequence, derSetOf, derTime, readDer,
} from '#libs/platform/domain';

export type CmsAlgorithm = 'p256' | 'rsa2048';

/** What is signed: the whole bytes, or their SHA-256 (32 bytes) where a file is too large to hold. */
export type CmsContent = { readonly bytes: Uint8Array } | { readonly sha256: Uint8Array };

export interface CmsSigner {
  /** Signer's certificate, DER. Its key usage must allow digitalSignature. */
  readonly signerCertificate: Uint8Array;
  /** Certificates that lead from the signer to its anchor, DER, in any order; put beside the signer's. The anchor may be left out. */
  readonly chain: readonly Uint8Array[];
  readonly algorithm: CmsAlgorithm;
}

export interface DetachedCms extends CmsSigner {
  readonly content: CmsContent;
  /** Whole seconds are written. */
  readonly signingTime: Date;
  /**
   * Gets the DER SET of signed attributes (tag 0x31, RFC 5652 5.4) and returns the signature over its SHA-256: ECDSA in
   * DER, RSA as PKCS#1 v1.5. The caller commits its intent with exactly these bytes before a key is used.
   */
  readonly sign: (signedAttributes: Uint8Array) => Promise<Uint8Array>;
}

const OID = {
  data: '1.2.840.113549.1.7.1',
  signedData: '1.2.840.113549.1.7.2',
  contentType: '1.2.840.113549.1.9.3',
  messageDigest: '1.2.840.113549.1.9.4',
  signingTime: '1.2.840.113549.1.9.5',
  signingCertificateV2: '1.2.840.113549.1.9.16.2.47',
  sha256: '2.16.840.1.101.3.4.2.1',
} as const;

/** RFC 5754: SHA-256 without parameters (2), rsaEncryption with NULL (3.2), ecdsa-with-SHA256 without parameters (3.3). */
const DIGEST_ALGORITHM = derSequence(derOid(OID.sha256));
const SIGNATURE_ALGORITHM: Readonly<Record<CmsAlgorithm, Uint8Array>> = {
  p256: derSequence(derOid('1.2.840.10045.4.3.2')),
  rsa2048: derSequence(derOid('1.2.840.113549.1.1.1'), derNull()),
};

/**
 * A detached SignedData (RFC 5652) in DER with one signer. The same input and signature give the same bytes.
 * Throws CMS_SIGNATURE_MISMATCH when the signature does not verify under the signer's certificate: a wrong certificate
 * would otherwise be found by the recipient only.
 */
export async function detachedCms(request: DetachedCms): Promise<Uint8Array> {
  const attributes = signedAttributes(request.content, request.signerCertificate, request.signingTime);
  return assembleCms(request, attributes, await request.sign(attributes));
}

/**
 * The bytes to be signed: DER SET OF contentType, messageDigest, signingTime (RFC 5652 11) and signingCertificateV2
 * (RFC 5035), which binds the certificate so that another one for the same key cannot be put in its place.
 */
export function signedAttributes(content: CmsContent, signerCertificate: Uint8Array, signingTime: Date): Uint8Array {
  const digest = 'sha256' in content ? content.sha256 : sha256(content.bytes);
  if (digest.length !== 32) throw new RangeError('SHA-256 has 32 bytes');
  return derSetOf(
    attribute(OID.contentType, derOid(OID.data)),
    attribute(OID.messageDigest, derOctetString(digest)),
    attribute(OID.signingTime, derTime(signingTime)),
    // SigningCertificateV2 { certs { ESSCertIDv2 { certHash } } }: SHA-256 is the default algorithm, so it is left out.
    attribute(OID.signingCertificateV2, derSequence(derSequence(derSequence(derOctetString(sha256(signerCertificate)))))),
  );
}

/** Puts a signature over `attributes` into its SignedData. Throws CMS_SIGNATURE_MISMATCH, DER_MALFORMED. */
export function assembleCms(signer: CmsSigner, attributes: Uint8Array, signature: Uint8Array): Uint8Array {
  const { publicKey } = new X509Certificate(signer.signerCertificate);
  if (!verify('sha256', attributes, publicKey, signature)) throw new AppError('CMS_SIGNATURE_MISMATCH');
  const attributeSet = readDer(attributes);
  const signerInfo = derSequence(
    derInteger(1),
    issuerAndSerial(signer.signerCertificate),
    DIGEST_ALGORITHM,
    // Hashed as SET (0x31), carried as [0] IMPLICIT: RFC 5652 5.4.
    derContext(0, attributes.subarray(attributeSet.contentStart)),
    SIGNATURE_ALGORITHM[signer.algorithm],
    derOctetString(signature),
  );
  const certificates = derSetOf(signer.signerCertificate, ...signer.chain);
  const signedData = derSequence(
    derInteger(1),
    derSetOf(DIGEST_ALGORITHM),
    derSequence(derOid(OID.data)),
    derContext(0, certificates.subarray(readDer(certificates).contentStart)),
    derSetOf(signerInfo),
  );
  return derSequence(derOid(OID.signedData), derContext(0, signedData));
}

function attribute(type: string, value: Uint8Array): Uint8Array {
  return derSequence(derOid(type), derSetOf(value));
}

/** Copies issuer and serial number as they stand in the certificate (RFC 5280 4.1: version is [0], optional). */
function issuerAndSerial(certificate: Uint8Array): Uint8Array {
  const [tbs] = derChildren(certificate, readDer(certificate));
  if (tbs === undefined) throw new AppError('DER_MALFORMED', { offset: 0 });
  const fields = derChildren(certificate, tbs);
  const first = fields[0]?.tag === 0xa0 ? 1 : 0;
  const [serial, , issuer] = fields.slice(first, first + 3);
  if (serial === undefined || issuer === undefined) throw new AppError('DER_MALFORMED', { offset: tbs.start });
  return derElement(0x30, certificate.subarray(issuer.start, issuer.end), certificate.subarray(serial.start, serial.end));
}

function sha256(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest();
}
