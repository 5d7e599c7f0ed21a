import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { makePair, makeRequest, type RequestAlgorithm } from '../../../../test/builders/certificate-request.js';
import { isAppError } from '#libs/platform/domain';
import { CertificateProfiles } from '../certificate-profiles.js';
import { encodeSigned, readCertificate } from './certificate.js';
import { readCertificateRequest } from './certificate-request.js';
import { decideEnrolment, type EnrolmentRequest, type Issuer, tbsOf } from './enrolment.js';
import { encodeName, nameText } from './name.js';

const profiles = CertificateProfiles.load('certs/profiles');
const issuer: Issuer = {
  caId: 'issuing',
  profile: 'issuing-ca',
  subject: encodeName({ country: 'CN', organisation: '社保中心', commonName: '签发 CA' }),
  publicKey: makeRequest('p256').publicKey,
  algorithm: 'p256',
  notBefore: new Date('2020-01-01T00:00:00Z'),
  notAfter: new Date('2030-01-01T00:00:00Z'),
};

const request = (changes: Partial<EnrolmentRequest> = {}): EnrolmentRequest => ({
  profile: 'card',
  csr: makeRequest('p256').csr,
  subject: { country: 'CN', commonName: '12345678 8' },
  notBefore: new Date('2021-01-01T00:00:00Z'),
  notAfter: new Date('2026-01-01T00:00:00Z'),
  holder: { kind: 'card', id: '123456788' },
  ...changes,
});
const decide = (changes: Partial<EnrolmentRequest> = {}): unknown => {
  const asked = request(changes);
  return decideEnrolment(asked, profiles.get(asked.profile), issuer);
};
const hospital = { profile: 'hospital', holder: { kind: 'institution', id: 'H11010100001' } } as const;
const flipped = (bytes: Uint8Array, at: number): Uint8Array => bytes.with(at, (bytes.at(at) ?? 0) ^ 1);

describe('enrolment', () => {
  it.each<[string, string, Partial<EnrolmentRequest>]>([
    ['a request signed by another key', 'POP_FAILED', { csr: makeRequest('p256', { signer: makePair('p256') }).csr }],
    ['a signature algorithm that does not fit the key', 'POP_FAILED', { csr: makeRequest('p256', { signer: makePair('rsa2048') }).csr }],
    ['a flipped bit in the signature', 'POP_FAILED', { csr: flipped(makeRequest('p256').csr, -1) }],
    ['an RSA card', 'KEY_ALGORITHM_REFUSED', { csr: makeRequest('rsa2048').csr }],
    ['RSA-1024', 'KEY_NOT_CERTIFIABLE', { ...hospital, csr: makeRequest('rsa1024').csr }],
    ['P-384', 'KEY_NOT_CERTIFIABLE', { csr: makeRequest('p384').csr }],
    ['trailing bytes', 'CSR_MALFORMED', { csr: Buffer.concat([makeRequest('p256').csr, Buffer.from([0])]) }],
    ['an empty request', 'CSR_MALFORMED', { csr: new Uint8Array() }],
    ['a token profile', 'HOLDER_INVALID', { profile: 'ocsp-responder', holder: { kind: 'service', id: 'ocsp' } }],
    ['a holder of another kind', 'HOLDER_INVALID', { holder: { kind: 'institution', id: 'H11010100001' } }],
    ['a holder that is misspelt', 'HOLDER_INVALID', { holder: { kind: 'card', id: '12345' } }],
    ['a control character in the name', 'SUBJECT_INVALID', { subject: { commonName: 'a\nb' } }],
    ['an end before the start', 'VALIDITY_REFUSED', { notBefore: new Date('2026-01-01T00:00:00Z'), notAfter: new Date('2025-01-01T00:00:00Z') }],
    ['fractions of seconds', 'VALIDITY_REFUSED', { notBefore: new Date('2021-01-01T00:00:00.001Z') }],
    ['no date', 'VALIDITY_REFUSED', { notBefore: new Date(Number.NaN) }],
    ['longer than the profile allows', 'VALIDITY_REFUSED', { ...hospital, notAfter: new Date('2027-01-01T00:00:00Z') }],
    ['longer than the CA lives', 'VALIDITY_REFUSED', { notAfter: new Date('2030-01-01T00:00:01Z') }],
    ['before the CA lived', 'VALIDITY_REFUSED', { notBefore: new Date('2019-12-31T23:59:59Z') }],
  ])('refuses %s: %s', (_name, code, changes) => {
    expect(() => decide(changes)).toThrow(expect.objectContaining({ code }));
  });

  it('does not let a root issue to cards', () => {
    const asked = request();
    expect(() => decideEnrolment(asked, profiles.get('card'), { ...issuer, profile: 'root-ca' })).toThrow(
      expect.objectContaining({ code: 'PROFILE_REFUSED_BY_ISSUER' }),
    );
  });

  it.each<RequestAlgorithm>(['p256', 'rsa2048'])('accepts a hospital with %s, and its certificate says what was decided', (algorithm) => {
    const { csr, publicKey } = makeRequest(algorithm, { name: 'a name that is not in the register' });
    const asked = request({ ...hospital, csr, subject: { country: 'CN', organisation: '第一医院', commonName: '第一医院' } });
    const content = decideEnrolment(asked, profiles.get('hospital'), issuer);
    const tbs = tbsOf(content, '7F'.padEnd(32, '0'), issuer);
    const der = encodeSigned(tbs, 'p256', new Uint8Array(8));
    const shown = new X509Certificate(der);
    expect(shown.serialNumber).toBe('7F'.padEnd(32, '0'));
    expect(shown.subject).toBe('C=CN\nO=第一医院\nCN=第一医院');
    expect(shown.ca).toBe(false);
    expect(shown.publicKey.export({ type: 'spki', format: 'der' })).toEqual(publicKey);
    const parsed = readCertificate(der);
    expect(parsed).toMatchObject({ notBefore: asked.notBefore, notAfter: asked.notAfter, isCa: false, mayCertify: false });
    expect(nameText(parsed.subject)).toBe('CN=第一医院,O=第一医院,C=CN');
    const text = execFileSync('openssl', ['x509', '-inform', 'DER', '-noout', '-text'], { input: der }).toString();
    expect(text).toMatch(/Key Usage: critical\s+Digital Signature, Non Repudiation/);
    expect(text).toMatch(/Basic Constraints: critical\s+CA:FALSE/);
  });

  it('answers any bytes with a named error or a verdict', () => {
    const { csr } = makeRequest('p256');
    const mutated = fc.tuple(fc.nat(csr.length - 1), fc.nat(255)).map(([at, value]) => Uint8Array.from(csr).with(at, value));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), mutated), (bytes) => {
        try {
          readCertificateRequest(bytes);
          return true;
        } catch (error) {
          return isAppError(error) && ['CSR_MALFORMED', 'KEY_NOT_CERTIFIABLE', 'POP_FAILED'].includes(error.code);
        }
      }),
      { numRuns: 300 },
    );
  });
});
