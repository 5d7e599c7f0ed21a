import pkcs11js, { type Handle } from 'pkcs11js';
import { AppError, DER, derChildren, derContent, type DerElement, derOctetString, fromHex, readDer, toHex } from '#libs/platform/domain';
import { keyDigestOf, type ShareAlgorithm, type WrappingKey } from '../domain/escrow.js';
import { SHARE_TRANSPORT } from '../domain/mechanisms.js';
import type { VendorProfile } from '../domain/vendor-profile.js';
import { POINT_BYTES, publicKeyOf } from './public-keys.js';
import { requireNumber } from './templates.js';
import { type Attributes, type Token } from './token.js';

export const TRUSTED_LABEL = 'escrowWrapping/';
const RSA_BITS = { least: 2048, most: 4096 } as const;
/** sm2p256v1, 1.2.156.10197.1.301 (GM/T 0006). */
const SM2_PARAMS = fromHex('06082A811CCF5501822D');

/** CKA_ID of a public key that was entered: the first 16 bytes of its digest. */
export function wrappingKeyId(publicKey: Uint8Array): Uint8Array {
  return fromHex(keyDigestOf(publicKey)).subarray(0, 16);
}

/** The object of such a key, without a word of where it lives and who trusts it. Throws REQUEST_INVALID for any other key. */
export function wrappingKeyTemplate(profile: VendorProfile, { algorithm, publicKey }: WrappingKey): Attributes {
  return {
    CKA_CLASS: pkcs11js.CKO_PUBLIC_KEY,
    CKA_KEY_TYPE: requireNumber(profile, SHARE_TRANSPORT[algorithm].keyType),
    CKA_ENCRYPT: false,
    CKA_VERIFY: false,
    CKA_WRAP: true,
    ...NUMBERS[algorithm](profile, publicKey),
  };
}

/**
 * The object of exactly this key, entered as trusted by the security officer and alone under its id. Throws ESCROW_KEY_UNTRUSTED.
 */
export function findTrusted(token: Token, { publicKey }: WrappingKey): Handle {
  const handles = token.find({ CKA_CLASS: pkcs11js.CKO_PUBLIC_KEY, CKA_ID: wrappingKeyId(publicKey), CKA_TRUSTED: true });
  const [handle] = handles;
  const is = handle !== undefined && handles.length === 1 && token.flag(handle, 'CKA_TRUSTED') && toHex(publicKeyOf(token, handle).spki) === toHex(publicKey);
  if (!is) throw new AppError('ESCROW_KEY_UNTRUSTED', { device: token.device, keyDigest: keyDigestOf(publicKey) });
  return handle;
}

const NUMBERS: Readonly<Record<ShareAlgorithm, (profile: VendorProfile, publicKey: Uint8Array) => Attributes>> = {
  rsaOaep: (_profile, publicKey) => {
    const bits = bitsOf(publicKey, '2A864886F70D010101');
    const [modulus, exponent] = derChildren(bits, readDer(bits)).map((each) => unsigned(derContent(bits, each)));
    const size = (modulus?.length ?? 0) * 8;
    if (modulus === undefined || exponent === undefined || size < RSA_BITS.least || size > RSA_BITS.most) throw noKey();
    return { CKA_MODULUS: modulus, CKA_PUBLIC_EXPONENT: exponent };
  },
  sm2: (profile, publicKey) => {
    const point = bitsOf(publicKey, '2A8648CE3D0201');
    if (point.length !== POINT_BYTES || point[0] !== 0x04 || !toHex(publicKey).includes(toHex(SM2_PARAMS))) throw noKey();
    return { CKA_EC_PARAMS: SM2_PARAMS, CKA_EC_POINT: profile.sm2PointForm === 'bare' ? point : derOctetString(point) };
  },
};

/** subjectPublicKey of a SubjectPublicKeyInfo of this algorithm (RFC 5280 4.1.2.7). */
function bitsOf(publicKey: Uint8Array, oid: string): Uint8Array {
  try {
    const whole = readDer(publicKey);
    const [algorithm, key] = derChildren(publicKey, whole) as [DerElement, DerElement];
    const [name] = derChildren(publicKey, algorithm) as [DerElement];
    const content = derContent(publicKey, key);
    if (whole.end !== publicKey.length || key.tag !== DER.bitString || content[0] !== 0 || toHex(derContent(publicKey, name)) !== oid) throw noKey();
    return content.subarray(1);
  } catch (error) {
    throw noKey(error);
  }
}

function unsigned(integer: Uint8Array): Uint8Array {
  return integer[0] === 0 ? integer.subarray(1) : integer;
}

function noKey(cause?: unknown): AppError {
  return new AppError('REQUEST_INVALID', { reason: 'not a public key of RSA 2048 to 4096 or SM2' }, { cause });
}
