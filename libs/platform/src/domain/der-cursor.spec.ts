import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isAppError } from './app-error.js';
import { fromHex } from './bytes.js';
import { DerCursor } from './der-cursor.js';
import { derBoolean, derContext, derElement, derInteger, derNull, derOctetString, derOid, derSequence, derUnsigned } from './der-writer.js';
import { encodeExtension, readExtensions } from './x509-extension.js';

const inside = (...elements: Uint8Array[]): DerCursor => DerCursor.whole(derSequence(...elements));
const text = (tag: number, value: string): Uint8Array => derElement(tag, Buffer.from(value));

describe('DER cursor', () => {
  it('reads elements in order and says where one is missing, foreign or left over', () => {
    const cursor = inside(derInteger(5), derContext(0, derNull()), derOctetString(Uint8Array.of(1)));
    expect(cursor.optional(0xa1)).toBeUndefined();
    expect(cursor.integerHex()).toBe('05');
    expect(cursor.insideOptional(0xa0)?.take(0x05)).toBeDefined();
    expect(() => cursor.end()).toThrow(expect.objectContaining({ code: 'DER_MALFORMED', details: { offset: 9 } }));
    expect(() => cursor.take(0x02)).toThrow(expect.objectContaining({ details: { offset: 9 } }));
    expect([...cursor.content(0x04)]).toEqual([1]);
    expect(() => cursor.take()).toThrow(expect.objectContaining({ details: { offset: 12 } }));
  });

  it('refuses trailing bytes, another outer tag, and a BIT STRING of broken octets', () => {
    expect(() => DerCursor.whole(fromHex('300000'))).toThrow(expect.objectContaining({ code: 'DER_MALFORMED' }));
    expect(() => DerCursor.whole(fromHex('3100'))).toThrow(expect.objectContaining({ code: 'DER_MALFORMED' }));
    expect(() => inside(fromHex('03020480')).bitString()).toThrow(expect.objectContaining({ code: 'DER_MALFORMED' }));
  });

  it.each([
    ['UTCTime of this century', 0x17, '491231235959Z', '2049-12-31T23:59:59.000Z'],
    ['UTCTime of the last', 0x17, '500101000000Z', '1950-01-01T00:00:00.000Z'],
    ['GeneralizedTime', 0x18, '20500101000000Z', '2050-01-01T00:00:00.000Z'],
  ])('reads %s', (_name, tag, value, iso) => expect(inside(text(tag, value)).time().toISOString()).toBe(iso));

  it.each([
    [0x17, '4912312359Z'],
    [0x17, '491331235959Z'],
    [0x17, '260230000000Z'],
    [0x18, '20500101000000'],
    [0x18, '20500101000000.5Z'],
    [0x17, '20500101000000Z'],
    [0x0c, '491231235959Z'],
  ])('refuses the time %i %s', (tag, value) => expect(() => inside(text(tag, value)).time()).toThrow(expect.objectContaining({ code: 'DER_MALFORMED' })));

  it('keeps unsigned integers and object identifiers', () => {
    const number = fc.bigInt({ min: 0n, max: 2n ** 200n });
    fc.assert(fc.property(number, (value) => BigInt(`0x${inside(derInteger(value)).integerHex()}`) === value));
    expect(inside(derUnsigned(fromHex('00FF'))).integerHex()).toBe('FF');
    const oid = fc.tuple(fc.constantFrom('0.9', '1.2', '2.16', '2.999'), fc.array(fc.nat(2 ** 31 - 1), { maxLength: 6 })).map(([top, rest]) => [top, ...rest].join('.'));
    fc.assert(fc.property(oid, (dotted) => inside(derOid(dotted)).oid() === dotted));
  });

  it('meets any bytes with DER_MALFORMED or a reading', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          readExtensions(DerCursor.whole(derSequence(bytes)));
          return true;
        } catch (error) {
          return isAppError(error) && error.code === 'DER_MALFORMED';
        }
      }),
    );
  });
});

describe('X.509 extensions', () => {
  it('are read as they were written, and never twice', () => {
    const [plain, critical] = [encodeExtension('2.5.29.14', derNull()), encodeExtension('2.5.29.15', derBoolean(true), true)];
    const read = readExtensions(inside(plain, critical));
    expect(read.get('2.5.29.14')).toEqual({ critical: false, value: derNull() });
    expect(read.get('2.5.29.15')).toEqual({ critical: true, value: derBoolean(true) });
    expect(() => readExtensions(inside(plain, plain))).toThrow(expect.objectContaining({ code: 'DER_MALFORMED' }));
    expect(readExtensions(undefined).size).toBe(0);
  });
});
