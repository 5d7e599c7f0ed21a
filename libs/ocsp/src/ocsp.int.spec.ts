import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { DataSource } from 'typeorm';
import { Pki, readCertificate } from '#libs/pki';
import { AppError, derContext, derElement, derInteger, derOctetString, derOid, derSequence, derUnsigned, encodeExtension, fromHex, toHex } from '#libs/platform/domain';
import { makeRequest } from '../../../test/builders/certificate-request.js';
import { MemoryHsm } from '../../../test/builders/memory-hsm.js';
import { OpensslFolder } from '../../../test/builders/openssl.js';
import { foundScheme, openPkiScheme, type PkiScheme, RESPONDER } from '../../../test/builders/pki-scheme.js';
import { OcspResponder } from './index.js';

/** OCSPResponse with a bare error (RFC 6960 4.2.1). */
const ERROR = { malformedRequest: '30030A0101', internalError: '30030A0102', tryLater: '30030A0103', unauthorized: '30030A0106' };
const DAY_MS = 86_400_000;

describe('OCSP responder, as openssl sees it', () => {
  // openssl judges answers by its own clock, so this scheme lives now.
  const now = new Date(Math.floor(Date.now() / 1_000) * 1_000);
  const day = (n: number): Date => new Date(now.getTime() + n * DAY_MS);
  let hsm: MemoryHsm;
  let scheme: PkiScheme;
  let pki: Pki;
  let responder: OcspResponder;
  let folder: OpensslFolder;
  let issuing: Uint8Array;
  const serials: Record<string, string> = {};

  beforeAll(async () => {
    hsm = new MemoryHsm();
    scheme = await openPkiScheme(hsm);
    scheme.clock.set(now);
    pki = scheme.app.get(Pki);
    responder = scheme.app.get(OcspResponder);
    folder = new OpensslFolder();
    const authorities = await foundScheme(scheme);
    issuing = authorities.issuing;
    await pki.issueForKey({ ...RESPONDER, notBefore: day(-10), notAfter: day(10) });
    const names = { good: '123456788', revoked: 'A12345674', later: '000000000' };
    for (const [name, id] of Object.entries(names)) {
      const [result] = await pki.enrol('issuing', [
        {
          profile: 'card',
          csr: makeRequest('p256').csr,
          subject: { country: 'CN', commonName: id },
          notBefore: day(-100),
          notAfter: day(100),
          holder: { kind: 'card', id },
        },
      ]);
      if (result?.ok !== true) throw new Error(result?.code);
      serials[name] = result.serial;
    }
    await pki.revoke({ issuer: 'issuing', serial: serials['revoked'] ?? '', reason: 'keyCompromise', effectiveAt: day(-5) });
    await pki.revoke({ issuer: 'issuing', serial: serials['later'] ?? '', reason: 'superseded', effectiveAt: day(1) });
    folder.pem('root.pem', 'CERTIFICATE', authorities.root);
    folder.pem('issuing.pem', 'CERTIFICATE', issuing);
  });
  afterEach(() => {
    hsm.beforeSign = () => undefined;
    scheme.clock.set(now);
  });
  afterAll(async () => {
    folder.remove();
    await scheme.close();
  });

  /** openssl makes the request, we answer, openssl judges the answer. */
  async function ask(hash: 'sha1' | 'sha256', ...asked: readonly string[]): Promise<string> {
    const request = ['-issuer', 'issuing.pem', `-${hash}`, ...asked.flatMap((serial) => ['-serial', `0x${serial}`])];
    expect(folder.run('ocsp', ...request, '-reqout', 'request.der').text).toBe('');
    folder.file('response.der', await responder.respond(readFileSync(join(folder.path, 'request.der'))));
    const judged = ['-reqin', 'request.der', '-respin', 'response.der', '-CAfile', 'root.pem', '-verify_other', 'issuing.pem', '-no_nonce', ...request];
    const { text } = folder.run('ocsp', ...judged);
    expect(text).toMatch(/^Response verify OK/m);
    expect(text).not.toMatch(/WARNING|Nonce Verify error/);
    return text;
  }

  it.each(['sha1', 'sha256'] as const)('answers good, revoked and unknown under %s identifiers', async (hash) => {
    const never = 'B'.repeat(31) + '1';
    const text = await ask(hash, serials['good'] ?? '', serials['revoked'] ?? '', serials['later'] ?? '', never);
    expect(text).toContain(`0x${serials['good'] ?? ''}: good`);
    expect(text).toMatch(new RegExp(`0x${serials['revoked'] ?? ''}: revoked\\n[\\s\\S]*Reason: keyCompromise`));
    expect(text).toContain(`0x${serials['later'] ?? ''}: good`);
    expect(text).toContain(`0x${never}: unknown`);
    const shown = folder.run('ocsp', '-respin', 'response.der', '-noverify', '-resp_text').text;
    expect(shown).toMatch(/OCSP Signing/);
    expect(shown).toMatch(/OCSP No Check|noCheck|No Check/i);
  });

  it('tells a revocation from its time on', async () => {
    scheme.clock.set(day(2));
    const response = toHex(await responder.respond(request({ serial: serials['later'] ?? '' })));
    // revoked [1] { revocationTime, reason superseded (4) }
    expect(response).toContain('A0030A0104');
  });

  it('counts an intent as issued before the token has signed it', async () => {
    hsm.beforeSign = () => {
      throw new Error('killed');
    };
    const [id, csr] = ['00000006X', makeRequest('p256').csr];
    const asked = { profile: 'card', csr, subject: { commonName: id }, notBefore: day(-1), notAfter: day(1), holder: { kind: 'card', id } } as const;
    await expect(pki.enrol('issuing', [asked])).rejects.toThrow('killed');
    hsm.beforeSign = () => undefined;
    // The killed call told nobody its serial; the intent row has it.
    const [open]: { serial: string }[] = await scheme.app.get(DataSource).query('SELECT serial FROM certificate WHERE certificate IS NULL');
    expect(await ask('sha1', open?.serial ?? '')).toContain(`0x${open?.serial ?? ''}: good`);
    await pki.settleIntents();
  });

  const nameHash = (): Uint8Array => createHash('sha1').update(readCertificate(issuing).subject).digest();
  const keyHash = (): Uint8Array => createHash('sha1').update(readCertificate(issuing).publicKey.subarray(26)).digest();
  const nonce = (length: number): Uint8Array => encodeExtension('1.3.6.1.5.5.7.48.1.2', derOctetString(new Uint8Array(length).fill(7)));

  function certId(shape: { serial: string; hash?: string; keyHash?: Uint8Array }): Uint8Array {
    const algorithm = derSequence(derOid(shape.hash ?? '1.3.14.3.2.26'), derElement(0x05));
    return derSequence(algorithm, derOctetString(nameHash()), derOctetString(shape.keyHash ?? keyHash()), derUnsigned(fromHex(shape.serial)));
  }
  function request(shape: { serial: string; hash?: string; keyHash?: Uint8Array; copies?: number; version?: number; extensions?: Uint8Array[] }): Uint8Array {
    const single = derSequence(certId(shape));
    return derSequence(
      derSequence(
        ...(shape.version === undefined ? [] : [derContext(0, derInteger(shape.version))]),
        derSequence(...Array.from({ length: shape.copies ?? 1 }, () => single)),
        ...(shape.extensions === undefined ? [] : [derContext(2, derSequence(...shape.extensions))]),
      ),
    );
  }

  it('echoes a nonce of 1 to 128 octets (RFC 9654)', async () => {
    for (const length of [1, 32, 128]) {
      const response = await responder.respond(request({ serial: serials['good'] ?? '', extensions: [nonce(length)], version: 0 }));
      expect(toHex(response)).toContain(toHex(nonce(length)));
    }
  });

  it.each<[string, () => Uint8Array, keyof typeof ERROR]>([
    ['nothing', () => new Uint8Array(), 'malformedRequest'],
    ['rubbish', () => Buffer.from('not a request'), 'malformedRequest'],
    ['a request with bytes behind it', () => Buffer.concat([request({ serial: '01' }), Buffer.from([0])]), 'malformedRequest'],
    ['more than 4 KiB', () => request({ serial: '01', copies: 16, extensions: [encodeExtension('1.2.3', new Uint8Array(4_000))] }), 'malformedRequest'],
    ['no identifier', () => request({ serial: '01', copies: 0 }), 'malformedRequest'],
    ['17 identifiers', () => request({ serial: '01', copies: 17 }), 'malformedRequest'],
    ['an empty nonce', () => request({ serial: '01', extensions: [nonce(0)] }), 'malformedRequest'],
    ['a nonce of 129 octets', () => request({ serial: '01', extensions: [nonce(129)] }), 'malformedRequest'],
    ['two nonces', () => request({ serial: '01', extensions: [nonce(8), nonce(8)] }), 'malformedRequest'],
    ['an unknown critical extension', () => request({ serial: '01', extensions: [encodeExtension('1.2.3', derOctetString(new Uint8Array()), true)] }), 'malformedRequest'],
    ['another version', () => request({ serial: '01', version: 1 }), 'malformedRequest'],
    ['a CA that is not ours', () => request({ serial: '01', keyHash: new Uint8Array(20) }), 'unauthorized'],
    ['a hash that nobody uses', () => request({ serial: '01', hash: '1.2.840.113549.2.5' }), 'unauthorized'],
  ])('answers %s with an error', async (_name, bytes, error) => {
    expect(toHex(await responder.respond(bytes()))).toBe(ERROR[error]);
  });

  it('is not authorised for a CA without a responder, or when its certificate has ended', async () => {
    scheme.clock.set(day(11));
    expect(toHex(await responder.respond(request({ serial: serials['good'] ?? '' })))).toBe(ERROR.unauthorized);
  });

  it('asks to come later when the token does not answer, and hides what else went wrong', async () => {
    hsm.beforeSign = () => {
      throw new AppError('HSM_TIMEOUT', { device: 'general-1' });
    };
    expect(toHex(await responder.respond(request({ serial: serials['good'] ?? '' })))).toBe(ERROR.tryLater);
    hsm.beforeSign = () => {
      throw new Error('a bug');
    };
    expect(toHex(await responder.respond(request({ serial: serials['good'] ?? '' })))).toBe(ERROR.internalError);
  });

  it('always answers, whatever the bytes', async () => {
    const good = request({ serial: '01', extensions: [nonce(8)] });
    const mutated = fc.tuple(fc.nat(good.length - 1), fc.nat(255)).map(([at, value]) => Uint8Array.from(good).with(at, value));
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.uint8Array({ maxLength: 200 }), mutated), async (bytes) => {
        const response = await responder.respond(bytes);
        return response[0] === 0x30 && toHex(response) !== ERROR.internalError;
      }),
      { numRuns: 100 },
    );
  });
});
