import {
  derBitString,
  derContext,
  derContextPrimitive,
  derEnumerated,
  derGeneralizedTime,
  derOctetString,
  derOid,
  derSequence,
  encodeExtension,
} from '#libs/platform/domain';

const OCSP_BASIC = '1.3.6.1.5.5.7.48.1.1';
export const OCSP_NONCE = '1.3.6.1.5.5.7.48.1.2';

/** RFC 6960 4.2.1. */
export const OCSP_ERRORS = { malformedRequest: 1, internalError: 2, tryLater: 3, unauthorized: 6 } as const;
export type OcspError = keyof typeof OCSP_ERRORS;

export type SingleStatus =
  | { readonly kind: 'good' }
  | { readonly kind: 'unknown' }
  /** `reasonCode` as in RFC 5280 5.3.1; 0 (unspecified) is left out. */
  | { readonly kind: 'revoked'; readonly at: Date; readonly reasonCode: number };

export interface ResponseData {
  /** SHA-1 of the responder's public key, by which it is named. */
  readonly responderKeyHash: Uint8Array;
  readonly producedAt: Date;
  readonly nextUpdate: Date;
  /** CertID in DER as it was asked, and the answer. */
  readonly answers: readonly { readonly certId: Uint8Array; readonly status: SingleStatus }[];
  /** The value of the request's nonce extension. */
  readonly nonce: Uint8Array | undefined;
}

export function encodeOcspError(error: OcspError): Uint8Array {
  return derSequence(derEnumerated(OCSP_ERRORS[error]));
}

/** ResponseData (RFC 6960 4.2.1): the exact bytes that are signed. */
export function encodeResponseData(data: ResponseData): Uint8Array {
  const produced = derGeneralizedTime(data.producedAt);
  const next = derContext(0, derGeneralizedTime(data.nextUpdate));
  return derSequence(
    derContext(2, derOctetString(data.responderKeyHash)),
    produced,
    derSequence(...data.answers.map(({ certId, status }) => derSequence(certId, encodeStatus(status), produced, next))),
    ...(data.nonce === undefined ? [] : [derContext(1, derSequence(encodeExtension(OCSP_NONCE, data.nonce)))]),
  );
}

/** A successful response of type basic, with the responder's certificate in it. `algorithm`: AlgorithmIdentifier in DER. */
export function encodeOcspResponse(
  responseData: Uint8Array,
  algorithm: Uint8Array,
  signature: Uint8Array,
  responderCertificate: Uint8Array,
): Uint8Array {
  const basic = derSequence(responseData, algorithm, derBitString(signature), derContext(0, derSequence(responderCertificate)));
  return derSequence(derEnumerated(0), derContext(0, derSequence(derOid(OCSP_BASIC), derOctetString(basic))));
}

function encodeStatus(status: SingleStatus): Uint8Array {
  if (status.kind === 'good') return derContextPrimitive(0, EMPTY);
  if (status.kind === 'unknown') return derContextPrimitive(2, EMPTY);
  const reason = status.reasonCode === 0 ? [] : [derContext(0, derEnumerated(status.reasonCode))];
  return derContext(1, derGeneralizedTime(status.at), ...reason);
}

const EMPTY = new Uint8Array();
