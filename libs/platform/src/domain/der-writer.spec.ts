import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  derBitString, derBoolean, derContext, derContextPrimitive, derElement, derEnumerated, derGeneralizedTime, derIa5String, derInteger, derNamedBits,
  derNull, derOctetString, derOid, derPrintableString, derSequence, derSetOf, derTime, derUnsigned, derUtf8String,
} from './der-writer.js';
import { derChildren, derContent, readDer } from './der.js';
import { fromHex, toHex } from './bytes.js';

describe('DER writer', () => {
  // X.690 8.1.3, 8.3, 8.19, 11.2.2; RFC 5280 4.1.2.5
  it.each([
    ['INTEGER 0', derInteger(0), '020100'],
    ['INTEGER 127', derInteger(127), '02017F'],
    ['INTEGER 128 has a sign octet', derInteger(128), '02020080'],
    ['INTEGER -128', derInteger(-128), '020180'],
    ['INTEGER -129', derInteger(-129n), '0202FF7F'],
    ['unsigned, leading zeros dropped', derUnsigned(fromHex('000012')), '020112'],
    ['unsigned, sign octet added', derUnsigned(fromHex('FF01')), '020300FF01'],
    ['unsigned zero', derUnsigned(fromHex('0000')), '020100'],
    ['unsigned of no octets', derUnsigned(fromHex('')), '020100'],
    ['OID 1.2.840.113549.1.7.2', derOid('1.2.840.113549.1.7.2'), '06092A864886F70D010702'],
    ['OID 2.999.3 (X.690 8.19.5)', derOid('2.999.3'), '0603883703'],
    ['OID 2.16.840.1.101.3.4.2.1', derOid('2.16.840.1.101.3.4.2.1'), '0609608648016503040201'],
    ['TRUE', derBoolean(true), '0101FF'],
    ['FALSE', derBoolean(false), '010100'],
    ['NULL', derNull(), '0500'],
    ['ENUMERATED 4', derEnumerated(4), '0A0104'],
    ['BIT STRING', derBitString(fromHex('6E5DC0'), 6), '0304066E5DC0'],
    ['named bits keyCertSign, cRLSign', derNamedBits([5, 6]), '03020106'],
    ['named bits digitalSignature', derNamedBits([0]), '03020780'],
    ['named bits decipherOnly', derNamedBits([8]), '0303070080'],
    ['no named bit', derNamedBits([]), '030100'],
    ['UTF8String', derUtf8String('虎符'), '0C06E8998EE7ACA6'],
    ['PrintableString', derPrintableString('CN'), '1302434E'],
    ['IA5String', derIa5String('a@b'), '1603614062'],
    ['UTCTime', derTime(new Date('2026-07-01T16:30:05.999Z')), '170D3236303730313136333030355A'],
    ['UTCTime ends with 2049', derTime(new Date('2049-12-31T23:59:59Z')), '170D3439313233313233353935395A'],
    ['GeneralizedTime from 2050', derTime(new Date('2050-01-01T00:00:00Z')), '180F32303530303130313030303030305A'],
    ['GeneralizedTime', derGeneralizedTime(new Date('2026-07-01T16:30:05Z')), '180F32303236303730313136333030355A'],
    ['[0] constructed', derContext(0, derNull()), 'A0020500'],
    ['[1] primitive', derContextPrimitive(1, fromHex('AA')), '8101AA'],
    ['SET OF is sorted', derSetOf(derInteger(2), derInteger(1)), '3106020101020102'],
    ['SEQUENCE is not', derSequence(derInteger(2), derInteger(1)), '3006020102020101'],
  ])('%s', (_name, bytes, hex) => expect(toHex(bytes)).toBe(hex));

  it.each([[0x7f, '047F'], [0x80, '048180'], [0xff, '0481FF'], [0x100, '04820100'], [0x10000, '0483010000']])('length %i is minimal', (length, header) => {
    const bytes = derOctetString(new Uint8Array(length));
    expect(toHex(bytes.subarray(0, header.length / 2))).toBe(header);
    expect(bytes.length).toBe(header.length / 2 + length);
  });

  it.each(['', '1', '1.', '3.1', '1.40', '1.02', 'a.b', '1..2'])('refuses %p as an object identifier', (text) => expect(() => derOid(text)).toThrow(RangeError));

  it('refuses characters outside the string type, a lone surrogate and a year of five digits', () => {
    expect(() => derPrintableString('a@b')).toThrow(RangeError);
    expect(() => derIa5String('虎')).toThrow(RangeError);
    expect(() => derUtf8String('\ud800')).toThrow(RangeError);
    expect(() => derGeneralizedTime(new Date(8.64e15))).toThrow(RangeError);
  });

  it('writes integers that read back as the same number, in the shortest form', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(1n << 200n), max: 1n << 200n }), (value) => {
        const bytes = derInteger(value);
        const content = derContent(bytes, readDer(bytes));
        const unsigned = BigInt(`0x${toHex(content)}`);
        expect(BigInt.asIntN(content.length * 8, unsigned)).toBe(value);
        if (content.length > 1) expect([0, 0x1ff]).not.toContain(((content[0] as number) << 1) | ((content[1] as number) >> 7));
      }),
    );
  });

  it('writes what the reader reads', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 }), (parts) => {
        const bytes = derSequence(...parts.map(derOctetString));
        const whole = readDer(bytes);
        expect(whole.end).toBe(bytes.length);
        expect(derChildren(bytes, whole).map((child) => toHex(derContent(bytes, child)))).toEqual(parts.map(toHex));
        expect(toHex(derElement(0x30, bytes.subarray(whole.contentStart)))).toBe(toHex(bytes));
      }),
    );
  });
});
