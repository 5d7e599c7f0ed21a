import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { readEcdsaSignature } from './ecdsa-signature.js';

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));
const ORDER = 'FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551';
const LAST = 'FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632550';

describe('readEcdsaSignature', () => {
  it('reads the smallest and the largest signature', () => {
    expect(readEcdsaSignature(hex('3006020101020102'))).toEqual({ r: hex('01'), s: hex('02') });
    const largest = readEcdsaSignature(hex(`3046022100${LAST}022100${LAST}`));
    expect(Buffer.from(largest?.r ?? []).toString('hex').toUpperCase()).toBe(LAST);
  });

  it.each([
    ['r = 0', '3006020100020102'],
    ['s = 0', '3006020101020100'],
    ['r = n', `3026022100${ORDER}020101`],
    ['s = n', `3026020101022100${ORDER}`],
    ['negative r', '3006020181020101'],
    ['needless leading zero', '300702020001020101'],
    ['long form of the length', '308106020101020102'],
    ['bytes after it', '300602010102010200'],
    ['a third integer', '3009020101020102020103'],
    ['sequence shorter than its parts', '3005020101020102'],
    ['empty integer', '30050200020101'],
    ['cut', '30060201010201'],
    ['set instead of sequence', '3106020101020102'],
    ['raw r and s', `${LAST}${LAST}`],
    ['empty', ''],
  ])('refuses %s', (_name, text) => {
    expect(readEcdsaSignature(hex(text))).toBeUndefined();
  });

  it('accepts exactly one encoding of every pair', () => {
    const integer = (value: bigint): string => {
      let digits = value.toString(16);
      if (digits.length % 2 === 1) digits = `0${digits}`;
      if (Number.parseInt(digits.slice(0, 2), 16) >= 0x80) digits = `00${digits}`;
      return `02${(digits.length / 2).toString(16).padStart(2, '0')}${digits}`;
    };
    const number = fc.bigInt({ min: 1n, max: BigInt(`0x${LAST}`) });
    fc.assert(
      fc.property(number, number, (r, s) => {
        const body = integer(r) + integer(s);
        const read = readEcdsaSignature(hex(`30${(body.length / 2).toString(16).padStart(2, '0')}${body}`));
        expect(BigInt(`0x${Buffer.from(read?.r ?? []).toString('hex')}`)).toBe(r);
        expect(BigInt(`0x${Buffer.from(read?.s ?? []).toString('hex')}`)).toBe(s);
      }),
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => void readEcdsaSignature(bytes)));
  });
});
