import { createCipheriv, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { PACKED_RECIPES } from './batch.js';
import { KNOWN_ANSWERS } from './known-answers.js';

type Vector = Record<string, unknown> & { name: string; source: string; recipe: string; expected: string };
const { entries } = JSON.parse(readFileSync('test/vectors/diversification.json', 'utf8')) as { entries: Vector[] };
const withoutNotes = ({ source: _, key: __, ...vector }: Vector): object => vector;

/* The recipes once more, by node:crypto alone. */
interface Cipher {
  readonly ecb: string;
  readonly cbc: string;
  readonly block: number;
}
const CIPHERS: Readonly<Record<string, Cipher>> = {
  '3des2': { ecb: 'des-ede-ecb', cbc: 'des-ede-cbc', block: 8 },
  aes128: { ecb: 'aes-128-ecb', cbc: 'aes-128-cbc', block: 16 },
  sm4: { ecb: 'sm4-ecb', cbc: 'sm4-cbc', block: 16 },
};
const of = ({ algorithm }: Vector): Cipher => CIPHERS[algorithm as string] as Cipher;
const hex = (text: unknown): Buffer => Buffer.from(text as string, 'hex');
const run = (name: string, key: Uint8Array, initial: Uint8Array | null, data: Uint8Array): Buffer => {
  const cipher = createCipheriv(name, key, initial).setAutoPadding(false);
  return Buffer.concat([cipher.update(data), cipher.final()]);
};
const ecb = (cipher: Cipher, key: Uint8Array, data: Uint8Array): Buffer => run(cipher.ecb, key, null, data);
const input = (factor: Uint8Array): Buffer => Buffer.concat([factor, factor.map((octet) => octet ^ 0xff)]);
const keyAt = (vector: Vector): Buffer => ((vector.factors ?? []) as string[]).reduce((key, factor) => ecb(of(vector), key, input(hex(factor))), hex(vector.root));
const pad = (data: Uint8Array, block: number): Buffer => Buffer.concat([data, Buffer.of(0x80), Buffer.alloc(block - 1 - (data.length % block))]);
const filled = (data: Uint8Array, bytes: number): Buffer => Buffer.concat([data, Buffer.alloc(bytes)]).subarray(0, bytes);
const xor = (a: Uint8Array, b: Uint8Array): Buffer => Buffer.from(a.map((octet, i) => octet ^ (b[i] as number)));
/** CBC-MAC with padding 2, leftmost 4 bytes; 8-byte keys are single DES. */
const cbcMac = (cipher: Cipher, key: Buffer, initial: Uint8Array, data: Uint8Array): Buffer => {
  const whole = key.length === 8 ? Buffer.concat([key, key]) : key;
  return run(cipher.cbc, whole, filled(initial, cipher.block), pad(data, cipher.block)).subarray(-cipher.block).subarray(0, 4);
};
/** ISO/IEC 9797-1 algorithm 3 for 3DES, CBC-MAC for SM4. */
const commandMac = (vector: Vector, key: Buffer, data: Buffer): Buffer => {
  const cipher = of(vector);
  if (cipher.block === 16) return cbcMac(cipher, key, hex(vector.challenge), data);
  const blocks = pad(data, 8);
  const initial = filled(hex(vector.challenge), 8);
  const left = Buffer.concat([key.subarray(0, 8), key.subarray(0, 8)]);
  const chained = Buffer.concat([initial, run(cipher.cbc, left, initial, blocks.subarray(0, -8))]).subarray(-8);
  return ecb(cipher, key, xor(blocks.subarray(-8), chained)).subarray(0, 4);
};
const double = (block: Buffer): Buffer => {
  const shifted = (BigInt(`0x${block.toString('hex')}`) << 1n) ^ ((block[0] as number) & 0x80 ? 0x87n : 0n);
  return hex(BigInt.asUintN(128, shifted).toString(16).padStart(32, '0'));
};

const BY_NODE: Readonly<Record<string, (vector: Vector) => Buffer>> = {
  checkValues: (vector) => {
    const key = keyAt(vector);
    const zero = ecb(of(vector), key, Buffer.alloc(of(vector).block));
    return vector.method === 'cmac5' ? ecb(of(vector), key, double(zero)).subarray(0, 5) : zero.subarray(0, vector.method === 'zero3' ? 3 : 4);
  },
  fingerprints: (vector) => {
    const reserved = input(Buffer.alloc(8));
    const key = ecb(of(vector), keyAt(vector), Buffer.concat([reserved, reserved]));
    return createHmac('sha256', key).update('hufu/fingerprint/1').digest().subarray(0, 16);
  },
  protectForCard: (vector) => {
    const { cardKey, header, command } = vector;
    const cipher = ecb(of(vector), hex(cardKey), pad(Buffer.concat([Buffer.of(hex(header).length + 16), hex(header), keyAt(vector)]), of(vector).block));
    return Buffer.concat([cipher, commandMac(vector, hex(cardKey), Buffer.concat([hex(command), Buffer.of(cipher.length + 4), cipher]))]);
  },
  commandMacs: (vector) => commandMac(vector, hex(vector.cardKey), Buffer.concat([hex(vector.command), Buffer.of(hex(vector.data).length + 4), hex(vector.data)])),
  authenticateToCard: (vector) => {
    const block = ecb(of(vector), hex(vector.cardKey), filled(hex(vector.challenge), of(vector).block));
    return block.length === 8 ? block : xor(block.subarray(0, 8), block.subarray(8));
  },
  purchaseMacs: (vector) => {
    const x = hex(vector.sessionInput);
    const second = of(vector).block === 8 ? x : vector.sm4Session === 'zeros' ? Buffer.alloc(8) : xor(x, Buffer.alloc(8, 0xff));
    return cbcMac(of(vector), ecb(of(vector), keyAt(vector), Buffer.concat([x, second])), Buffer.alloc(0), hex(vector.data));
  },
  tacs: (vector) => {
    const key = keyAt(vector);
    return cbcMac(of(vector), of(vector).block === 8 ? xor(key.subarray(0, 8), key.subarray(8)) : key, Buffer.alloc(0), hex(vector.data));
  },
};

describe('known answers', () => {
  it('the agent computes exactly the vectors of the specification', () => {
    expect(KNOWN_ANSWERS).toEqual(entries.map(withoutNotes));
  });

  it('there are vectors for every recipe in 3DES and in SM4', () => {
    for (const recipe of PACKED_RECIPES) {
      const algorithms = entries.filter((vector) => vector.recipe === recipe).map(({ algorithm }) => algorithm);
      expect(algorithms).toEqual(expect.arrayContaining(['3des2', 'sm4']));
    }
  });

  it.each(entries.map((vector) => [vector.name, vector] as const))('%s has a source and is right', (_, vector) => {
    expect(vector.source.length).toBeGreaterThan(20);
    expect(BY_NODE[vector.recipe]?.(vector).toString('hex').toUpperCase()).toBe(vector.expected);
  });
});
