import { createPublicKey, createVerify, hash, type KeyObject } from 'node:crypto';
import { ascii, concatBytes, equalBytes, fromHex } from '#libs/platform/domain';
import { CURVE_ORDERS, readEcdsaSignature } from './ecdsa-signature.js';

/** GM/T 0009 10: the ID that signers have when nothing else is agreed. */
export const SM2_DEFAULT_ID = '1234567812345678';

/** SubjectPublicKeyInfo up to the point: id-ecPublicKey with curve sm2p256v1 (1.2.156.10197.1.301), BIT STRING, 04‖X‖Y. */
const SPKI_HEAD = fromHex('3059301306072A8648CE3D020106082A811CCF5501822D034200');
const POINT_BYTES = 65;
/** a ‖ b ‖ Gx ‖ Gy of sm2p256v1 (GB/T 32918.5). */
const CURVE = fromHex(
  'FFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFC28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93' +
    '32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7BC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0',
);

/** The SPKI of an SM2 public key from its point 04‖X‖Y. */
export function sm2PublicKeyInfo(point: Uint8Array): Uint8Array {
  return concatBytes(SPKI_HEAD, point);
}

/** Z = SM3(ENTL ‖ ID ‖ a ‖ b ‖ G ‖ P) (GB/T 32918.2 5.5); undefined when the SPKI is not an SM2 key in its one DER form. */
export function sm2Z(spki: Uint8Array, id: string = SM2_DEFAULT_ID): Uint8Array | undefined {
  if (spki.length !== SPKI_HEAD.length + POINT_BYTES || !equalBytes(spki.subarray(0, SPKI_HEAD.length), SPKI_HEAD)) return undefined;
  const identity = ascii(id);
  const bits = identity.length * 8;
  const point = spki.subarray(SPKI_HEAD.length + 1);
  return Uint8Array.from(hash('sm3', concatBytes(Uint8Array.of(bits >> 8, bits & 0xff), identity, CURVE, point), 'buffer'));
}

/**
 * SM2 with SM3 (GB/T 32918.2) by OpenSSL. Node's one-shot `verify` would hash with the Z of an empty ID; the streaming form
 * signs the plain digest, so Z is given as the first bytes of the message. The signature is SM2Signature in strict DER.
 */
export function verifySm2(spki: Uint8Array, bytes: Uint8Array, signature: Uint8Array, id: string = SM2_DEFAULT_ID): boolean {
  const signer = sm2Signer(spki, id);
  return signer !== undefined && verifySm2By(signer, bytes, signature);
}

export interface Sm2Signer {
  readonly key: KeyObject;
  readonly z: Uint8Array;
}

/** What verifications of one signer share; undefined when the key is not one of SM2 or no point of the curve. */
export function sm2Signer(spki: Uint8Array, id: string = SM2_DEFAULT_ID): Sm2Signer | undefined {
  const z = sm2Z(spki, id);
  if (z === undefined) return undefined;
  try {
    return { key: createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' }), z };
  } catch {
    // Not a point of the curve: a verdict about the input, not a failure of this process.
    return undefined;
  }
}

export function verifySm2By(signer: Sm2Signer, bytes: Uint8Array, signature: Uint8Array): boolean {
  return readEcdsaSignature(signature, CURVE_ORDERS.sm2) !== undefined && createVerify('sm3').update(signer.z).update(bytes).verify(signer.key, signature);
}
