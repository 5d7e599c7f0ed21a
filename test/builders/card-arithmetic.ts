import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { SymmetricAlgorithm } from '#libs/hsm';

/*
 * What a card computes, by node:crypto over keys in clear: the independent side of the tests of card recipes. PBOC 2.0 for
 * 3DES; the SM4 forms are those of test/vectors/diversification.json.
 */

const CIPHERS: Readonly<Record<SymmetricAlgorithm, { readonly ecb: string; readonly cbc: string; readonly block: number }>> = {
  '3des2': { ecb: 'des-ede-ecb', cbc: 'des-ede-cbc', block: 8 },
  aes128: { ecb: 'aes-128-ecb', cbc: 'aes-128-cbc', block: 16 },
  sm4: { ecb: 'sm4-ecb', cbc: 'sm4-cbc', block: 16 },
};

const run = (name: string, key: Uint8Array, initial: Uint8Array | null, data: Uint8Array): Buffer => {
  const cipher = createCipheriv(name, key, initial).setAutoPadding(false);
  return Buffer.concat([cipher.update(data), cipher.final()]);
};
export const blockOf = (algorithm: SymmetricAlgorithm): number => CIPHERS[algorithm].block;
export const ecb = (algorithm: SymmetricAlgorithm, key: Uint8Array, data: Uint8Array): Buffer => run(CIPHERS[algorithm].ecb, key, null, data);
export const openEcb = (algorithm: SymmetricAlgorithm, key: Uint8Array, data: Uint8Array): Buffer => {
  const cipher = createDecipheriv(CIPHERS[algorithm].ecb, key, null).setAutoPadding(false);
  return Buffer.concat([cipher.update(data), cipher.final()]);
};
const complement = (bytes: Uint8Array): Uint8Array => bytes.map((octet) => octet ^ 0xff);
const xor = (a: Uint8Array, b: Uint8Array): Buffer => Buffer.from(a.map((octet, i) => octet ^ (b[i] as number)));
const filled = (bytes: Uint8Array, length: number): Buffer => Buffer.concat([bytes, Buffer.alloc(length)]).subarray(0, length);
export const padded = (data: Uint8Array, block: number): Buffer => Buffer.concat([data, Buffer.of(0x80), Buffer.alloc(block - 1 - (data.length % block))]);

export const childOf = (algorithm: SymmetricAlgorithm, key: Uint8Array, factor: Uint8Array): Buffer => ecb(algorithm, key, Buffer.concat([factor, complement(factor)]));

/** The last block of a CBC encryption; an 8-byte key is single DES. */
const cbcLast = (algorithm: SymmetricAlgorithm, key: Uint8Array, initial: Uint8Array, blocks: Uint8Array): Buffer => {
  const { cbc, block } = CIPHERS[algorithm];
  return run(cbc, key.length === 8 ? Buffer.concat([key, key]) : key, filled(initial, block), blocks).subarray(-block);
};

export function commandMac(algorithm: SymmetricAlgorithm, key: Uint8Array, challenge: Uint8Array, command: Uint8Array, data: Uint8Array): Buffer {
  const block = blockOf(algorithm);
  const blocks = padded(Buffer.concat([command, Buffer.of(data.length + 4), data]), block);
  if (algorithm !== '3des2') return cbcLast(algorithm, key, challenge, blocks).subarray(0, 4);
  const before = blocks.subarray(0, -block);
  const chained = before.length === 0 ? filled(challenge, block) : cbcLast(algorithm, key.subarray(0, 8), challenge, before);
  return ecb(algorithm, key, xor(blocks.subarray(-block), chained)).subarray(0, 4);
}

/** Cipher ‖ MAC of a WRITE KEY. */
export function keyLoad(algorithm: SymmetricAlgorithm, control: Uint8Array, key: Uint8Array, header: Uint8Array, command: Uint8Array, challenge: Uint8Array): Buffer {
  const cipher = ecb(algorithm, control, padded(Buffer.concat([Buffer.of(header.length + 16), header, key]), blockOf(algorithm)));
  return Buffer.concat([cipher, commandMac(algorithm, control, challenge, command, cipher)]);
}

export function authentication(algorithm: SymmetricAlgorithm, key: Uint8Array, challenge: Uint8Array): Buffer {
  const block = ecb(algorithm, key, filled(challenge, blockOf(algorithm)));
  return block.length === 8 ? block : xor(block.subarray(0, 8), block.subarray(8));
}

export function purchaseMac(algorithm: SymmetricAlgorithm, key: Uint8Array, input: Uint8Array, data: Uint8Array, form: 'complement' | 'zeros'): Buffer {
  const second = algorithm === '3des2' ? input : form === 'zeros' ? Buffer.alloc(8) : complement(input);
  const session = ecb(algorithm, key, Buffer.concat([input, second]));
  return cbcLast(algorithm, session, Buffer.alloc(0), padded(data, blockOf(algorithm))).subarray(0, 4);
}

export function tac(algorithm: SymmetricAlgorithm, key: Uint8Array, data: Uint8Array): Buffer {
  const used = algorithm === '3des2' ? xor(key.subarray(0, 8), key.subarray(8)) : key;
  return cbcLast(algorithm, used, Buffer.alloc(0), padded(data, blockOf(algorithm))).subarray(0, 4);
}

export const zeroCheck = (algorithm: SymmetricAlgorithm, key: Uint8Array, bytes: number): Buffer => ecb(algorithm, key, Buffer.alloc(blockOf(algorithm))).subarray(0, bytes);
