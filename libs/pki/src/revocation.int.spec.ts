import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { makeRequest } from '../../../test/builders/certificate-request.js';
import { MemoryHsm } from '../../../test/builders/memory-hsm.js';
import { OpensslFolder } from '../../../test/builders/openssl.js';
import { foundScheme, openPkiScheme, type PkiScheme } from '../../../test/builders/pki-scheme.js';
import { CertificateHistory, type IssuedCertificate, Pki } from './index.js';

const at = (day: string): Date => new Date(`${day}T00:00:00Z`);
const seconds = (date: Date): string => String(date.getTime() / 1_000);

describe('revocation and CRLs, as openssl sees them', () => {
  let scheme: PkiScheme;
  let pki: Pki;
  let folder: OpensslFolder;
  let authorities: { root: Uint8Array; issuing: Uint8Array };
  let certificates: IssuedCertificate[];

  beforeAll(async () => {
    scheme = await openPkiScheme(new MemoryHsm());
    pki = scheme.app.get(Pki);
    folder = new OpensslFolder();
    authorities = await foundScheme(scheme);
    const results = await pki.enrol(
      'issuing',
      ['123456788', 'A12345674', '000000000'].map((id) => ({
        profile: 'card',
        csr: makeRequest('p256').csr,
        subject: { country: 'CN', commonName: `持卡人 ${id}` },
        notBefore: at('2024-01-01'),
        notAfter: at('2029-01-01'),
        holder: { kind: 'card', id },
      })),
    );
    certificates = results.flatMap((result) => (result.ok ? [result] : []));
    folder.pem('root.pem', 'CERTIFICATE', authorities.root);
    folder.pem('issuing.pem', 'CERTIFICATE', authorities.issuing);
    certificates.forEach((each, i) => folder.pem(`card-${i}.pem`, 'CERTIFICATE', each.certificate));
  });
  afterAll(async () => {
    folder.remove();
    await scheme.close();
  });

  const serial = (i: number): string => certificates[i]?.serial ?? '';
  const verify = (card: number, crl: string, date: Date): ReturnType<OpensslFolder['run']> =>
    folder.run('verify', '-x509_strict', '-attime', seconds(date), '-crl_check', '-CAfile', 'root.pem', '-untrusted', 'issuing.pem', '-CRLfile', crl, `card-${card}.pem`);

  it('refuses a revocation of what is unknown, revoked already, or impossible in time', async () => {
    const revoke = (i: number, effectiveAt: Date, invalidityAt?: Date): Promise<void> =>
      pki.revoke({ issuer: 'issuing', serial: serial(i), reason: 'keyCompromise', effectiveAt, invalidityAt });
    await expect(pki.revoke({ issuer: 'issuing', serial: '7'.repeat(32), reason: 'superseded', effectiveAt: at('2026-01-01') })).rejects.toMatchObject({
      code: 'CERTIFICATE_UNKNOWN',
    });
    await expect(pki.revoke({ issuer: 'root', serial: serial(0), reason: 'superseded', effectiveAt: at('2026-01-01') })).rejects.toMatchObject({
      code: 'CERTIFICATE_UNKNOWN',
    });
    await expect(revoke(1, at('2023-01-01'))).rejects.toMatchObject({ code: 'REVOCATION_INVALID' });
    await expect(revoke(1, at('2026-01-01'), at('2026-02-01'))).rejects.toMatchObject({ code: 'REVOCATION_INVALID' });
    await revoke(1, at('2026-03-01'), at('2026-02-01'));
    await expect(revoke(1, at('2026-04-01'))).rejects.toMatchObject({ code: 'CERTIFICATE_REVOKED_ALREADY' });
    await pki.revoke({ issuer: 'issuing', serial: serial(2), reason: 'unspecified', effectiveAt: at('2026-05-01') });
  });

  it('issues lists that openssl accepts: number, reasons, dates, and only what is revoked by then', async () => {
    const early = await pki.issueCrl('issuing', { thisUpdate: at('2026-04-01'), nextUpdate: at('2026-04-08') });
    const late = await pki.issueCrl('issuing', { thisUpdate: at('2026-06-01'), nextUpdate: at('2026-06-08') });
    folder.pem('early.pem', 'X509 CRL', early);
    folder.pem('late.pem', 'X509 CRL', late);
    for (const name of ['early.pem', 'late.pem']) expect(folder.run('crl', '-in', name, '-CAfile', 'issuing.pem', '-noout', '-verify').text).toMatch(/verify OK/);
    expect(folder.run('crl', '-in', 'late.pem', '-CAfile', 'root.pem', '-noout', '-verify').text).not.toMatch(/verify OK/);
    const { text } = folder.run('crl', '-in', 'late.pem', '-noout', '-text');
    expect(text).toMatch(/Version 2/);
    expect(text).toMatch(/CRL Number:\s+2\s/);
    expect(text).toMatch(new RegExp(`Serial Number: ${serial(1)}\\s+Revocation Date: Mar {2}1 00:00:00 2026 GMT[\\s\\S]*?Key Compromise[\\s\\S]*?Invalidity Date:\\s+Feb {2}1 00:00:00 2026 GMT`));
    expect(text).toContain(serial(2));
    expect(folder.run('crl', '-in', 'early.pem', '-noout', '-text').text).not.toContain(serial(2));

    expect(verify(0, 'late.pem', at('2026-06-02'))).toEqual({ ok: true, text: 'card-0.pem: OK\n' });
    expect(verify(1, 'late.pem', at('2026-06-02'))).toMatchObject({ ok: false, text: expect.stringMatching(/certificate revoked/) });
    expect(verify(2, 'early.pem', at('2026-04-02')).ok).toBe(true);
    expect(verify(2, 'late.pem', at('2026-06-02')).ok).toBe(false);
    expect((await pki.findCrl('issuing'))?.number).toBe(2n);
    expect((await pki.findCrl('issuing', 1n))?.crl).toEqual(Buffer.from(early));
  });

  it('issues an empty list of the root, and refuses impossible times', async () => {
    folder.pem('empty.pem', 'X509 CRL', await pki.issueCrl('root', { thisUpdate: at('2026-06-01'), nextUpdate: at('2026-07-01') }));
    expect(folder.run('crl', '-in', 'empty.pem', '-CAfile', 'root.pem', '-noout', '-verify', '-text').text).toMatch(/No Revoked Certificates[\s\S]*verify OK|verify OK[\s\S]*No Revoked Certificates/);
    await expect(pki.issueCrl('root', { thisUpdate: at('2026-06-01'), nextUpdate: at('2026-06-01') })).rejects.toMatchObject({ code: 'CRL_TIMES_INVALID' });
    await expect(pki.issueCrl('root', { thisUpdate: at('2014-06-01'), nextUpdate: at('2026-06-01') })).rejects.toMatchObject({ code: 'CRL_TIMES_INVALID' });
    await expect(pki.issueCrl('nobody', { thisUpdate: at('2026-06-01'), nextUpdate: at('2026-07-01') })).rejects.toMatchObject({ code: 'CA_UNKNOWN' });
  });

  it('tells judges from when on a certificate is not trusted: a compromised key from the day of suspicion', async () => {
    const views = new Map((await scheme.app.get(CertificateHistory).load()).map((view) => [view.serial, view]));
    expect(views.get(serial(0))).toMatchObject({ chainValid: true, revokedAt: undefined, algorithm: 'p256', issuer: 'CN=签发 CA,O=社保卡体系,C=CN' });
    expect(views.get(serial(1))?.revokedAt).toEqual(at('2026-02-01'));
    expect(views.get(serial(2))?.revokedAt).toEqual(at('2026-05-01'));
    // The clock stands before the last CRL's next update, which reaches further.
    expect(views.get(serial(0))?.statusKnownUntil).toEqual(at('2026-06-08'));
    expect(views.get(serial(0))?.holder).toEqual({ kind: 'card', id: '123456788' });
  });

  it('lets a revoked CA certify nothing more, and its certificates end with it', async () => {
    const { serial: issuingSerial } = await pki.authority('issuing');
    await pki.revoke({ issuer: 'root', serial: issuingSerial, reason: 'cACompromise', effectiveAt: at('2026-05-20') });
    await expect(pki.enrol('issuing', [])).rejects.toMatchObject({ code: 'CA_REVOKED' });
    const [view] = (await scheme.app.get(CertificateHistory).load()).filter((each) => each.serial === serial(0));
    expect(view?.chainNotAfter).toEqual(at('2026-05-20'));
    await pki.issueCrl('issuing', { thisUpdate: at('2026-06-02'), nextUpdate: at('2026-06-09') });
  });
});
