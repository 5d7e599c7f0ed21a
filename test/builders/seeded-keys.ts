import { createCipheriv, createHash } from 'node:crypto';
import { concatBytes, toHex } from '#libs/platform/domain';

/*
 * What hsm-sim's seeded generator makes, computed anew outside of it: SHA-256(seed ‖ counter, 64 bits big-endian), block after
 * block, one stream for every draw (hsm-sim/README.md). So a test knows keys that no one outside the module may know.
 */

export function seededStream(seed: Uint8Array, bytes: number): Uint8Array {
  const blocks = Array.from({ length: Math.ceil(bytes / 32) }, (_, counter) => {
    const count = Buffer.alloc(8);
    count.writeBigUInt64BE(BigInt(counter));
    return createHash('sha256').update(seed).update(count).digest();
  });
  return concatBytes(...blocks).subarray(0, bytes);
}

export type RootAlgorithm = '3des2' | 'aes128';
const CIPHERS = { '3des2': 'des-ede-ecb', aes128: 'aes-128-ecb' } as const;

export function encrypted(algorithm: RootAlgorithm, key: Uint8Array, data: Uint8Array): Uint8Array {
  const cipher = createCipheriv(CIPHERS[algorithm], key, null).setAutoPadding(false);
  return Buffer.concat([cipher.update(data), cipher.final()]);
}

/** PBOC 2.0: E(K, X ‖ ~X). */
export function childOf(algorithm: RootAlgorithm, key: Uint8Array, factor: Uint8Array): Uint8Array {
  return encrypted(algorithm, key, concatBytes(factor, factor.map((octet) => octet ^ 0xff)));
}

/** First 3 bytes of E(K, 0), upper-case hex. */
export function checkValueOf(algorithm: RootAlgorithm, key: Uint8Array): string {
  return toHex(encrypted(algorithm, key, new Uint8Array(16)).subarray(0, 3));
}

/** DES keys have an odd number of ones in every byte (FIPS 46-3). */
export function withOddParity(key: Uint8Array): Uint8Array {
  return key.map((octet) => {
    let ones = 0;
    for (let bit = 1; bit < 8; bit++) ones ^= (octet >> bit) & 1;
    return (octet & 0xfe) | (ones ^ 1);
  });
}

/** The places in the stream where a key with this check value was drawn; 24 bits, so mostly one. */
export function drawnKeys(stream: Uint8Array, algorithm: RootAlgorithm, checkValue: string): Uint8Array[] {
  const found: Uint8Array[] = [];
  for (let at = 0; at + 16 <= stream.length; at++) {
    const drawn = stream.subarray(at, at + 16);
    const key = algorithm === '3des2' ? withOddParity(drawn) : drawn;
    if (checkValueOf(algorithm, key) === checkValue) found.push(key);
  }
  return found;
}
