import { createHash } from 'node:crypto';
import { derSequence, derUnsigned } from '#libs/platform/domain';

/** What SM2 signs: e = SM3(Z ‖ M), 32 bytes (GB/T 32918.2 6.1). @param z hash of ID, curve and public key. */
export function sm2Digest(z: Uint8Array, bytes: Uint8Array): Uint8Array {
  return createHash('sm3').update(z).update(bytes).digest();
}

/** r ‖ s as Ecdsa-Sig-Value (RFC 3279 2.2.3), which SM2Signature (GM/T 0009 7.3) has the form of. */
export function signatureDer(raw: Uint8Array): Uint8Array {
  const half = raw.length / 2;
  return derSequence(derUnsigned(raw.subarray(0, half)), derUnsigned(raw.subarray(half)));
}
