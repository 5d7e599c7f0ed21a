import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  checkpointBytes, concatBytes, derBitString, derBoolean, derContext, derElement, derEnumerated, derGeneralizedTime, derInteger, derOctetString, derOid, derSequence, derSetOf,
  derTime, derUtf8String, isAppError, SIGN_PURPOSES, type SignPurpose,
} from '#libs/platform/domain';
import { requireSignStructure } from './sign-structure.js';

const algorithm = derSequence(derOid('1.2.840.10045.4.3.2'));
const name = derSequence(derSetOf(derSequence(derOid('2.5.4.3'), derUtf8String('虎符'))));
const at = derTime(new Date('2026-01-01T00:00:00Z'));
const spki = derSequence(algorithm, derBitString(new Uint8Array(65)));
const extensions = (tag: number): Uint8Array => derContext(tag, derSequence(derSequence(derOid('2.5.29.19'), derBoolean(true), derOctetString(derSequence()))));
const version3 = derContext(0, derInteger(2));
const tbs = [version3, derInteger(77), algorithm, name, derSequence(at, at), name, spki, extensions(3)] as const;
const crl = [derInteger(1), algorithm, name, at, at, derSequence(derSequence(derInteger(9), at)), extensions(0)] as const;
const response = derSequence(derSequence(algorithm, derOctetString(new Uint8Array(20)), derOctetString(new Uint8Array(20)), derInteger(7)), derElement(0x80), derGeneralizedTime(new Date(0)));
const ocsp = [derContext(2, derOctetString(new Uint8Array(20))), derGeneralizedTime(new Date(0)), derSequence(response), derContext(1, derSequence())] as const;
const attribute = (oid: string, value: Uint8Array): Uint8Array => derSequence(derOid(oid), derSetOf(value));
const CONTENT_TYPE = '1.2.840.113549.1.9.3';
const DIGEST = '1.2.840.113549.1.9.4';
const contentType = attribute(CONTENT_TYPE, derOid('1.2.840.113549.1.7.1'));
const digest = attribute(DIGEST, derOctetString(new Uint8Array(32)));

const GOOD: Readonly<Record<SignPurpose, Uint8Array>> = {
  tbsCertificate: derSequence(...tbs),
  tbsCrl: derSequence(...crl),
  ocspResponse: derSequence(...ocsp),
  report: derSetOf(contentType, digest, attribute('1.2.840.113549.1.9.5', at)),
  checkpoint: checkpointBytes({ shard: 2026, size: 7, sha256Root: 'A1'.repeat(32), sm3Root: 'B2'.repeat(32), at: new Date(0), keyId: 'C3'.repeat(16) }),
};
const accepts = (purpose: SignPurpose, bytes: Uint8Array): boolean => {
  try {
    requireSignStructure(purpose, bytes);
    return true;
  } catch (error) {
    if (isAppError(error) && error.code === 'SIGN_TYPE_MISMATCH') return false;
    throw error;
  }
};
const without = (parts: readonly Uint8Array[], index: number): Uint8Array => derSequence(...parts.filter((_, i) => i !== index));

describe('what a key of one purpose may sign', () => {
  it.each(SIGN_PURPOSES.flatMap((purpose) => SIGN_PURPOSES.map((structure) => [purpose, structure] as const)))('purpose %s, bytes of a %s', (purpose, structure) => {
    expect(accepts(purpose, GOOD[structure])).toBe(purpose === structure);
  });

  it.each(SIGN_PURPOSES)('%s: every cut and every appended octet is refused', (purpose) => {
    const good = GOOD[purpose];
    for (let length = 0; length < good.length; length++) expect(accepts(purpose, good.subarray(0, length))).toBe(false);
    expect(accepts(purpose, concatBytes(good, Uint8Array.of(0)))).toBe(false);
  });

  it.each<[SignPurpose, string, Uint8Array]>([
    ['tbsCertificate', 'version 1', derSequence(...tbs.slice(1))],
    ['tbsCertificate', 'version 2', derSequence(derContext(0, derInteger(1)), ...tbs.slice(1))],
    ['tbsCertificate', 'no extensions', without(tbs, 7)],
    ['tbsCertificate', 'extensions twice', derSequence(...tbs, extensions(3))],
    ['tbsCertificate', 'no key', without(tbs, 6)],
    ['tbsCertificate', 'a whole certificate', derSequence(derSequence(...tbs), algorithm, derBitString(new Uint8Array(70)))],
    ['tbsCrl', 'no version', without(crl, 0)],
    ['tbsCrl', 'no nextUpdate', without(crl, 4)],
    ['tbsCrl', 'extensions before entries', derSequence(...crl.slice(0, 5), crl[6], crl[5])],
    ['ocspResponse', 'no responder', without(ocsp, 0)],
    ['ocspResponse', 'UTCTime', derSequence(ocsp[0], at, ocsp[2])],
    ['ocspResponse', 'an OCSPResponse envelope', derSequence(derEnumerated(0), derContext(0, derSequence()))],
    ['report', 'no digest', derSetOf(contentType)],
    ['report', 'a SHA-1 digest', derSetOf(contentType, attribute(DIGEST, derOctetString(new Uint8Array(20))))],
    ['report', 'no content type', derSetOf(digest)],
    ['report', 'the digest twice', derElement(0x31, contentType, digest, digest)],
    ['report', 'not in DER order', derElement(0x31, ...[contentType, digest].sort((a, b) => Buffer.compare(b, a)))],
    ['report', 'an [0] instead of the SET', derElement(0xa0, contentType, digest)],
    ['checkpoint', 'a text with one line more', concatBytes(Buffer.from('hufu/journal/1\nx\n'))],
    ['checkpoint', 'the text in an OCTET STRING', derOctetString(checkpointBytes({ shard: 2026, size: 7, sha256Root: 'A1'.repeat(32), sm3Root: 'B2'.repeat(32), at: new Date(0), keyId: 'C3'.repeat(16) }))],
  ])('%s refuses %s', (purpose, _, bytes) => {
    expect(accepts(purpose, bytes)).toBe(false);
  });

  it('a CRL without entries and an OCSP answer by name are structures too', () => {
    expect(accepts('tbsCrl', without(crl, 5))).toBe(true);
    expect(accepts('ocspResponse', derSequence(derContext(1, name), ocsp[1], ocsp[2]))).toBe(true);
  });

  it('random bytes are never one', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(...SIGN_PURPOSES), (bytes, purpose) => {
        expect(accepts(purpose, bytes)).toBe(false);
      }),
    );
  });
});
