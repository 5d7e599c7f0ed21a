import pkcs11js, { type Handle } from 'pkcs11js';
import { AppError, DER, derBitString, derContent, derNull, derOid, derSequence, derUnsigned, fromHex, readDer } from '#libs/platform/domain';
import type { AsymmetricAlgorithm, KeyId } from '../hsm.js';
import { SIGNING } from './templates.js';
import type { Token } from './token.js';

const P256_POINT_BYTES = 65;

/** SubjectPublicKeyInfo of the public object under this CKA_ID (RFC 5280 4.1.2.7; RFC 3279 2.3.1, RFC 5480 2). */
export function readPublicKey(token: Token, keyId: KeyId): { algorithm: AsymmetricAlgorithm; spki: Uint8Array } {
  const handles = token.find({ CKA_CLASS: pkcs11js.CKO_PUBLIC_KEY, CKA_ID: fromHex(keyId) });
  const [handle] = handles;
  if (handle === undefined) throw new AppError('KEY_NOT_FOUND', { device: token.device, keyId });
  if (handles.length > 1) throw new AppError('KEY_ID_AMBIGUOUS', { device: token.device, keyId, count: handles.length });
  const keyType = token.number(handle, 'CKA_KEY_TYPE');
  const algorithm = (Object.keys(SIGNING) as AsymmetricAlgorithm[]).find((name) => SIGNING[name].keyType === keyType);
  if (algorithm === undefined) throw new AppError('HSM_ANSWER_WRONG', { device: token.device, what: `key type ${keyType}` });
  return { algorithm, spki: algorithm === 'p256' ? p256(token, handle) : rsa(token, handle) };
}

function rsa(token: Token, handle: Handle): Uint8Array {
  const key = derSequence(derUnsigned(token.bytes(handle, 'CKA_MODULUS')), derUnsigned(token.bytes(handle, 'CKA_PUBLIC_EXPONENT')));
  return derSequence(derSequence(derOid('1.2.840.113549.1.1.1'), derNull()), derBitString(key));
}

/** CKA_EC_POINT is an OCTET STRING around the point by the standard, and the bare point in some modules. */
function p256(token: Token, handle: Handle): Uint8Array {
  const value = token.bytes(handle, 'CKA_EC_POINT');
  const point = value.length === P256_POINT_BYTES ? value : unwrapped(value);
  if (point.length !== P256_POINT_BYTES || point[0] !== 0x04) throw new AppError('HSM_ANSWER_WRONG', { device: token.device, what: 'CKA_EC_POINT' });
  return derSequence(derSequence(derOid('1.2.840.10045.2.1'), derOid('1.2.840.10045.3.1.7')), derBitString(point));
}

function unwrapped(value: Uint8Array): Uint8Array {
  const element = readDer(value);
  return element.tag === DER.octetString ? derContent(value, element) : value;
}
