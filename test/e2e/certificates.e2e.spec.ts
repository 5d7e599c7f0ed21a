import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Keys } from '#libs/keys';
import { OcspResponder } from '#libs/ocsp';
import { makePair, makeRequest } from '../builders/certificate-request.js';
import { OpensslFolder } from '../builders/openssl.js';
import { foundScheme, openPkiScheme, type PkiScheme, RESPONDER } from '../builders/pki-scheme.js';
import { startTestHsm, type TestHsm } from '../env/test-hsm.js';
import { CertificateHistory, type EnrolmentRequest, Pki } from '#libs/pki';

const DAY_MS = 86_400_000;
const now = new Date(Math.floor(Date.now() / 1_000) * 1_000);
const day = (n: number): Date => new Date(now.getTime() + n * DAY_MS);

/** The certificate line on a real token: keys that never leave it, openssl as the judge of everything it signs. */
describe('certificates with token keys', () => {
  let token: TestHsm;
  let scheme: PkiScheme;
  let pki: Pki;
  let folder: OpensslFolder;

  beforeAll(async () => {
    token = await startTestHsm();
    scheme = await openPkiScheme(token.hsm);
    scheme.clock.set(now);
    pki = scheme.app.get(Pki);
    folder = new OpensslFolder();
  });
  afterAll(async () => {
    await scheme.close();
    await token.stop();
    folder.remove();
  });

  const request = (id: string, changes: Partial<EnrolmentRequest> = {}): EnrolmentRequest => ({
    profile: 'card',
    csr: makeRequest('p256').csr,
    subject: { country: 'CN', commonName: id },
    notBefore: day(-300),
    notAfter: day(300),
    holder: { kind: 'card', id },
    ...changes,
  });

  it('makes the hierarchy, issues, revokes, publishes and answers', async () => {
    const authorities = await foundScheme(scheme);
    await pki.issueForKey({ ...RESPONDER, notBefore: day(-1), notAfter: day(30) });
    await pki.issueForKey({ ...RESPONDER, profile: 'report-signer', keyLabel: 'report/1', subject: { country: 'CN', commonName: '报告' }, notBefore: day(-1), notAfter: day(30) });
    const hospital = { profile: 'hospital', holder: { kind: 'institution', id: 'H11010100001' } } as const;
    const results = await pki.enrol('issuing', [
      request('h', { ...hospital, subject: { country: 'CN', organisation: '第一医院', commonName: '第一医院' }, csr: makeRequest('rsa2048').csr }),
      request('123456788'),
      request('A12345674', { csr: makeRequest('p256', { signer: makePair('p256') }).csr }),
      request('A12345674'),
    ]);
    expect(results.map((result) => (result.ok ? 'ok' : result.code))).toEqual(['ok', 'ok', 'POP_FAILED', 'ok']);
    const [rsa, good, revoked] = results.flatMap((result) => (result.ok ? [result] : []));
    await pki.revoke({ issuer: 'issuing', serial: revoked?.serial ?? '', reason: 'cessationOfOperation', effectiveAt: day(-3) });

    folder.pem('root.pem', 'CERTIFICATE', authorities.root);
    folder.pem('issuing.pem', 'CERTIFICATE', authorities.issuing);
    folder.pem('crls.pem', 'X509 CRL', await pki.issueCrl('issuing', { thisUpdate: now, nextUpdate: day(7) }), await pki.issueCrl('root', { thisUpdate: now, nextUpdate: day(90) }));
    const trust = ['-x509_strict', '-crl_check_all', '-CAfile', 'root.pem', '-untrusted', 'issuing.pem', '-CRLfile', 'crls.pem'];
    for (const [name, each] of Object.entries({ rsa, good, revoked })) folder.pem(`${name}.pem`, 'CERTIFICATE', each?.certificate ?? new Uint8Array());
    expect(folder.run('verify', ...trust, 'rsa.pem', 'good.pem')).toEqual({ ok: true, text: 'rsa.pem: OK\ngood.pem: OK\n' });
    expect(folder.run('verify', ...trust, 'revoked.pem')).toMatchObject({ ok: false, text: expect.stringMatching(/certificate revoked/) });

    const asked = ['-issuer', 'issuing.pem', '-cert', 'good.pem', '-cert', 'revoked.pem', '-serial', '0x7777'];
    folder.run('ocsp', ...asked, '-reqout', 'request.der');
    folder.file('response.der', await scheme.app.get(OcspResponder).respond(readFileSync(join(folder.path, 'request.der'))));
    const { text } = folder.run('ocsp', '-reqin', 'request.der', '-no_nonce', ...asked, '-respin', 'response.der', '-CAfile', 'root.pem', '-verify_other', 'issuing.pem');
    expect(text).toMatch(/good.pem: good[\s\S]*revoked.pem: revoked[\s\S]*0x7777: unknown/);
    expect(text).toMatch(/^Response verify OK$/m);

    const signer = await scheme.app.get(CertificateHistory).forTokenKey('report/1');
    expect(signer).toMatchObject({ device: 'general-1', keyId: (await scheme.app.get(Keys).get('report/1')).keyId });
    expect(signer?.chain).toEqual([Buffer.from(authorities.issuing), Buffer.from(authorities.root)]);
    expect(await scheme.app.get(CertificateHistory).forTokenKey('ca/root')).toBeUndefined();
  });

  it('issues for a whole demonstration: 2,770 holders, each chain checked on reading', async () => {
    const requests = Array.from({ length: 2_770 }, (_, i) => request(String(i).padStart(9, '0')));
    const results = await pki.enrol('issuing', requests);
    const views = await scheme.app.get(CertificateHistory).load();
    expect(results.filter((result) => !result.ok)).toEqual([]);
    expect(views.filter((view) => view.chainValid)).toHaveLength(2_770 + 5);
  });
});
