import { createCipheriv, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { KNOWN_ANSWERS } from './known-answers.js';

type Vector = Record<string, unknown> & { name: string; source: string; recipe: string; expected: string };
const { entries } = JSON.parse(readFileSync('test/vectors/diversification.json', 'utf8')) as { entries: Vector[] };
const withoutNotes = ({ source: _, key: __, ...vector }: Vector): object => vector;

/* The recipes once more, by node:crypto alone. */
const hex = (text: unknown): Buffer => Buffer.from(text as string, 'hex');
const ecb = (algorithm: unknown, key: Uint8Array, data: Uint8Array): Buffer => {
  const cipher = createCipheriv(algorithm === 'aes128' ? 'aes-128-ecb' : 'des-ede-ecb', key, null).setAutoPadding(false);
  return Buffer.concat([cipher.update(data), cipher.final()]);
};
const input = (factor: Uint8Array): Buffer => Buffer.concat([factor, factor.map((octet) => octet ^ 0xff)]);
const childOf = (algorithm: unknown, root: Buffer, factors: readonly string[]): Buffer => factors.reduce((key, factor) => ecb(algorithm, key, input(hex(factor))), root);
const pad = (data: Uint8Array): Buffer => Buffer.concat([data, Buffer.of(0x80), Buffer.alloc(7 - (data.length % 8))]);
const desCbc = (key: Buffer, initial: Buffer, data: Buffer): Buffer => {
  const cipher = createCipheriv('des-ede-cbc', Buffer.concat([key, key]), initial).setAutoPadding(false);
  return Buffer.concat([cipher.update(data), cipher.final()]);
};
const retailMac = (key: Buffer, challenge: unknown, data: Buffer): Buffer => {
  const blocks = pad(data);
  const initial = Buffer.concat([hex(challenge), Buffer.alloc(8)]).subarray(0, 8);
  const chained = Buffer.concat([initial, desCbc(key.subarray(0, 8), initial, blocks.subarray(0, -8))]).subarray(-8);
  return ecb('3des2', key, Buffer.from(blocks.subarray(-8).map((octet, i) => octet ^ (chained[i] as number)))).subarray(0, 4);
};
const double = (block: Buffer): Buffer => {
  const shifted = (BigInt(`0x${block.toString('hex')}`) << 1n) ^ ((block[0] as number) & 0x80 ? 0x87n : 0n);
  return hex(BigInt.asUintN(128, shifted).toString(16).padStart(32, '0'));
};

const BY_NODE: Readonly<Record<string, (vector: Vector) => Buffer>> = {
  checkValue: ({ algorithm, root, factors, method }) => {
    const key = childOf(algorithm, hex(root), factors as string[]);
    const zero = ecb(algorithm, key, Buffer.alloc(algorithm === 'aes128' ? 16 : 8));
    return method === 'zero3' ? zero.subarray(0, 3) : ecb(algorithm, key, double(zero)).subarray(0, 5);
  },
  fingerprint: ({ algorithm, root }) => {
    const reserved = input(Buffer.alloc(8));
    return createHmac('sha256', ecb(algorithm, hex(root), Buffer.concat([reserved, reserved]))).update('hufu/fingerprint/1').digest().subarray(0, 16);
  },
  protectForCard: ({ root, factors, controlKey, header, command, challenge }) => {
    const key = childOf('3des2', hex(root), factors as string[]);
    const cipher = ecb('3des2', hex(controlKey), pad(Buffer.concat([Buffer.of(hex(header).length + 16), hex(header), key])));
    const mac = retailMac(hex(controlKey), challenge, Buffer.concat([hex(command), Buffer.of(cipher.length + 4), cipher]));
    return Buffer.concat([cipher, mac]);
  },
  commandMac: ({ controlKey, command, data, challenge }) =>
    retailMac(hex(controlKey), challenge, Buffer.concat([hex(command), Buffer.of(hex(data).length + 4), hex(data)])),
  authenticateToCard: ({ controlKey, challenge }) => ecb('3des2', hex(controlKey), hex(challenge)),
  purchaseMac: ({ root, sessionInput, data }) => desCbc(ecb('3des2', hex(root), hex(sessionInput)), Buffer.alloc(8), pad(hex(data))).subarray(-8, -4),
};

describe('known answers', () => {
  it('the agent computes exactly the vectors of the specification', () => {
    expect(KNOWN_ANSWERS).toEqual(entries.map(withoutNotes));
  });

  it.each(entries.map((vector) => [vector.name, vector] as const))('%s has a source and is right', (_, vector) => {
    expect(vector.source.length).toBeGreaterThan(20);
    expect(BY_NODE[vector.recipe]?.(vector).toString('hex').toUpperCase()).toBe(vector.expected);
  });
});
