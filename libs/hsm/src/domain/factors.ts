import { AppError, concatBytes } from '#libs/platform/domain';

export const FACTOR_BYTES = 8;

/** PBOC 2.0 diversification input: the factor and its complement, 16 bytes. 3DES takes it as two blocks, AES as one. */
export function diversificationInput(factor: Uint8Array): Uint8Array {
  return concatBytes(factor, factor.map((octet) => octet ^ 0xff));
}

/**
 * All-zero and all-one factors lead to the reserved child, which fingerprints are made with; a card never gets it.
 * Throws FACTOR_RESERVED.
 */
export function refuseReservedFactors(factors: readonly Uint8Array[]): void {
  for (const factor of factors) if (factor.length > 0 && isReservedAt(factor, 0, factor.length)) throw new AppError('FACTOR_RESERVED');
}

/** Whether the factor that begins at `at` is a reserved one. */
export function isReservedAt(bytes: Uint8Array, at: number, length = FACTOR_BYTES): boolean {
  const first = bytes[at];
  if (first !== 0x00 && first !== 0xff) return false;
  for (let i = 1; i < length; i++) if (bytes[at + i] !== first) return false;
  return true;
}

/** Over which the fingerprint of a key is computed, under the reserved child. A change makes every stored one wrong. */
export const FINGERPRINT_LABEL = 'hufu/fingerprint/1';
export const FINGERPRINT_BYTES = 16;

/** Two times the input of the reserved factor 00×8: the 32 bytes of the fingerprint key are E(K, input). */
export function reservedInput(): Uint8Array {
  const once = diversificationInput(new Uint8Array(FACTOR_BYTES));
  return concatBytes(once, once);
}

/** ISO/IEC 9797-1 padding method 2: 80, then zeros to a whole block; always at least one byte. */
export function padMethod2(bytes: Uint8Array, blockBytes = 8): Uint8Array {
  const padded = new Uint8Array((Math.floor(bytes.length / blockBytes) + 1) * blockBytes);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  return padded;
}
