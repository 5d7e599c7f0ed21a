import { isUtf8 } from 'node:buffer';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import iconv from 'iconv-lite';
import { firstNotAscii, firstNotGb18030, firstNotUtf8 } from './text-bytes.js';

const hex = (text: string): Buffer => Buffer.from(text, 'hex');

describe('firstNotUtf8', () => {
  it.each([
    ['overlong slash', '41C0AF', 1],
    ['overlong in three bytes', 'E08080', 0],
    ['a surrogate', '41EDA080', 1],
    ['beyond U+10FFFF', 'F4908080', 0],
    ['a lone continuation', '4180', 1],
    ['cut short', 'E5BC', 0],
    ['GB18030', 'D5C5CEB0', 0],
  ])('%s', (_name, bytes, at) => expect(firstNotUtf8(hex(bytes))).toBe(at));

  it('agrees with the runtime on every string of bytes', () => {
    const near = fc.array(fc.constantFrom(0x41, 0x80, 0xbf, 0xc1, 0xc2, 0xdf, 0xe0, 0x9f, 0xa0, 0xed, 0xee, 0xef, 0xf0, 0x8f, 0x90, 0xf4, 0xf5), { maxLength: 12 });
    fc.assert(
      fc.property(fc.oneof(near.map((bytes) => Uint8Array.from(bytes)), fc.uint8Array({ maxLength: 40 })), (bytes) => {
        const at = firstNotUtf8(bytes);
        expect(at === undefined).toBe(isUtf8(bytes));
        if (at !== undefined) expect(isUtf8(bytes.subarray(0, at))).toBe(true);
      }),
      { numRuns: 5_000 },
    );
  });
});

describe('firstNotGb18030', () => {
  it.each([
    ['control character', '41424309', 3],
    ['DEL', '7F', 0],
    ['0x80', '4180', 1],
    ['0xFF', 'FF41', 0],
    ['trail below 0x40', 'D520', 0],
    ['trail 7F', 'D57F', 0],
    ['cut two-byte character', '41D5', 1],
    ['cut four-byte character', '8130AD', 0],
    ['four-byte character with a bad third byte', '81302030', 0],
  ])('%s', (_name, bytes, at) => expect(firstNotGb18030(hex(bytes))).toBe(at));

  it('accepts what an encoder writes, rare characters included, and no comma hides in it', () => {
    expect(firstNotGb18030(iconv.encode('张伟，东城区㐀𠮷𠀀', 'gb18030'))).toBeUndefined();
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }).filter((text) => !/[\x00-\x1f\x7f,\ufffd]/.test(text)), (text) => {
        const bytes = iconv.encode(text, 'gb18030');
        expect(bytes.indexOf(0x2c)).toBe(-1);
        expect(firstNotGb18030(bytes)).toBeUndefined();
      }),
    );
  });
});

describe('firstNotAscii', () => {
  it('finds the place', () => {
    expect([firstNotAscii(hex('')), firstNotAscii(hex('417F')), firstNotAscii(hex('4180'))]).toEqual([undefined, undefined, 1]);
  });
});
