import pkcs11js, { type Handle } from 'pkcs11js';
import { AppError, DER, derBitString, derContent, derNull, derOid, derSequence, derUnsigned, fromHex, readDer } from '#libs/platform/domain';
import { ASYMMETRIC_ALGORITHMS, type AsymmetricAlgorithm } from '../domain/algorithms.js';
import { numberOf, SIGNING_NAMES } from '../domain/mechanisms.js';
import type { KeyId } from '../hsm.js';
import type { Token } from './token.js';

export const POINT_BYTES = 65;

/** namedCurve of an ECPoint key (RFC 5480 2.1.1, GM/T 0006). */
const CURVES = { p256: '1.2.840.10045.3.1.7', sm2: '1.2.156.10197.1.301' } as const;

/** SubjectPublicKeyInfo of the public object under this CKA_ID (RFC 5280 4.1.2.7; RFC 3279 2.3.1, RFC 5480 2, GM/T 0015). */
export function readPublicKey(token: Token, keyId: KeyId): { algorithm: AsymmetricAlgorithm; spki: Uint8Array } {
  const handles = token.find({ CKA_CLASS: pkcs11js.CKO_PUBLIC_KEY, CKA_ID: fromHex(keyId) });
  const [handle] = handles;
  if (handle === undefined) throw new AppError('KEY_NOT_FOUND', { device: token.device, keyId });
  if (handles.length > 1) throw new AppError('KEY_ID_AMBIGUOUS', { device: token.device, keyId, count: handles.length });
  return readPublicObject(token, handle);
}

/** The same of an object at hand. Throws HSM_ANSWER_WRONG. */
export function readPublicObject(token: Token, handle: Handle): { algorithm: AsymmetricAlgorithm; spki: Uint8Array } {
  const keyType = token.number(handle, 'CKA_KEY_TYPE');
  const algorithm = ASYMMETRIC_ALGORITHMS.find((name) => numberOf(token.profile, SIGNING_NAMES[name].keyType) === keyType);
  if (algorithm === undefined) throw new AppError('HSM_ANSWER_WRONG', { device: token.device, what: `key type ${keyType}` });
  return { algorithm, spki: algorithm === 'rsa2048' ? rsa(token, handle) : elliptic(token, handle, CURVES[algorithm]) };
}

function rsa(token: Token, handle: Handle): Uint8Array {
  const key = derSequence(derUnsigned(token.bytes(handle, 'CKA_MODULUS')), derUnsigned(token.bytes(handle, 'CKA_PUBLIC_EXPONENT')));
  return derSequence(derSequence(derOid('1.2.840.113549.1.1.1'), derNull()), derBitString(key));
}

/** CKA_EC_POINT is an OCTET STRING around the point by the standard, and the bare point in some modules; the length tells. */
function elliptic(token: Token, handle: Handle, curve: string): Uint8Array {
  const value = token.bytes(handle, 'CKA_EC_POINT');
  const point = value.length === POINT_BYTES ? value : unwrapped(value);
  if (point.length !== POINT_BYTES || point[0] !== 0x04) throw new AppError('HSM_ANSWER_WRONG', { device: token.device, what: 'CKA_EC_POINT' });
  return derSequence(derSequence(derOid('1.2.840.10045.2.1'), derOid(curve)), derBitString(point));
}

function unwrapped(value: Uint8Array): Uint8Array {
  const element = readDer(value);
  return element.tag === DER.octetString ? derContent(value, element) : value;
}
