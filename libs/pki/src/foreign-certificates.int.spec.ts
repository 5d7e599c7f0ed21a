import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import { makeRequest } from '../../../test/builders/certificate-request.js';
import { MemoryHsm } from '../../../test/builders/memory-hsm.js';
import { OpensslFolder } from '../../../test/builders/openssl.js';
import { foundScheme, openPkiScheme, type PkiScheme } from '../../../test/builders/pki-scheme.js';
import { CertificateHistory, type CertificateView, Pki } from './index.js';

/** CAs that openssl makes: nothing of the product is in them. */
class ForeignCa {
  constructor(
    private readonly folder: OpensslFolder,
    readonly name: string,
    subject: string,
    algorithm: readonly string[] = ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  ) {
    this.openssl('req', '-x509', '-newkey', ...algorithm, '-nodes', '-keyout', `${name}.key`, '-out', `${name}.pem`, '-subj', subject, '-days', '30', '-utf8');
    folder.file(`${name}.index`, '');
    folder.file(`${name}.number`, '01\n');
    folder.file(`${name}.cnf`, `[ca]\ndefault_ca=d\n[d]\ndatabase=${name}.index\ncrlnumber=${name}.number\ndefault_md=sha256\ndefault_crl_days=7\n`);
  }

  certificate(): Uint8Array {
    return this.der(`${this.name}.pem`);
  }

  issue(leaf: string): Uint8Array {
    this.openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'leaf.key', '-out', 'leaf.csr', '-subj', `/CN=${leaf}`);
    this.openssl('x509', '-req', '-in', 'leaf.csr', '-CA', `${this.name}.pem`, '-CAkey', `${this.name}.key`, '-days', '20', '-out', `${leaf}.pem`);
    return this.der(`${leaf}.pem`);
  }

  revoke(leaf: string): void {
    this.openssl('ca', '-config', `${this.name}.cnf`, '-cert', `${this.name}.pem`, '-keyfile', `${this.name}.key`, '-revoke', `${leaf}.pem`, '-crl_reason', 'superseded');
  }

  crl(): Uint8Array {
    this.openssl('ca', '-config', `${this.name}.cnf`, '-cert', `${this.name}.pem`, '-keyfile', `${this.name}.key`, '-gencrl', '-out', 'list.pem');
    this.openssl('crl', '-in', 'list.pem', '-outform', 'DER', '-out', 'list.der');
    return readFileSync(join(this.folder.path, 'list.der'));
  }

  private der(name: string): Uint8Array {
    return Uint8Array.from(new X509Certificate(readFileSync(join(this.folder.path, name))).raw);
  }

  private openssl(...args: readonly string[]): void {
    const done = this.folder.run(...args);
    if (!done.ok) throw new Error(done.text);
  }
}

describe('foreign certificates', () => {
  let scheme: PkiScheme;
  let pki: Pki;
  let folder: OpensslFolder;

  beforeAll(async () => {
    folder = new OpensslFolder();
    scheme = await openPkiScheme(new MemoryHsm());
    pki = scheme.app.get(Pki);
    await foundScheme(scheme);
  });
  afterAll(async () => {
    folder.remove();
    await scheme.close();
  });

  const views = async (): Promise<Map<string, CertificateView>> =>
    new Map((await scheme.app.get(CertificateHistory).load()).map((view) => [view.subject, view]));

  it('are judged by chain and by what is known of their status', async () => {
    const listed = new ForeignCa(folder, 'listed', '/C=CN/CN=外部 CA 甲', ['rsa:2048']);
    const silent = new ForeignCa(folder, 'silent', '/C=CN/CN=B');
    const untrusted = new ForeignCa(folder, 'untrusted', '/C=CN/O=社保卡体系/CN=签发 CA');
    const good = listed.issue('good');
    const revoked = listed.issue('revoked');
    listed.revoke('revoked');
    const crl = { der: listed.crl(), receivedAt: new Date() };
    expect(await pki.importForeign({ certificates: [good, revoked], caCertificates: [listed.certificate()], crls: [crl], trusted: true })).toEqual({
      certificates: 3,
      crls: 1,
    });
    await pki.importForeign({ certificates: [silent.issue('nobody-knows')], caCertificates: [silent.certificate()], trusted: true });
    await pki.importForeign({ certificates: [untrusted.issue('stranger')], caCertificates: [untrusted.certificate()], trusted: false });
    const seen = await views();
    expect(seen.get('CN=good')).toMatchObject({ chainValid: true, revokedAt: undefined, statusKnownUntil: expect.any(Date), holder: undefined });
    expect(seen.get('CN=good')?.issuer).toBe('CN=外部 CA 甲,C=CN');
    expect(seen.get('CN=revoked')).toMatchObject({ chainValid: true, revokedAt: expect.any(Date) });
    expect(seen.get('CN=nobody-knows')).toMatchObject({ chainValid: true, statusKnownUntil: undefined });
    expect(seen.get('CN=stranger')).toMatchObject({ chainValid: false });
  });

  it('are passed over when they are held already, and refused when another one is', async () => {
    const [ca, twin] = [new ForeignCa(folder, 'one', '/CN=one'), new ForeignCa(folder, 'two', '/CN=two')];
    const leaf = ca.issue('leaf');
    const material = { certificates: [leaf], caCertificates: [ca.certificate()], trusted: true };
    expect(await pki.importForeign(material)).toEqual({ certificates: 2, crls: 0 });
    expect(await pki.importForeign(material)).toEqual({ certificates: 0, crls: 0 });
    const changed = leaf.with(-1, (leaf.at(-1) ?? 0) ^ 1);
    await expect(pki.importForeign({ ...material, certificates: [changed] })).rejects.toMatchObject({ code: 'CERTIFICATE_CONFLICT' });
    const [own] = await pki.enrol('issuing', [
      {
        profile: 'card',
        csr: makeRequest('p256').csr,
        subject: { commonName: 'own' },
        notBefore: new Date('2024-01-01T00:00:00Z'),
        notAfter: new Date('2025-01-01T00:00:00Z'),
        holder: { kind: 'card', id: '123456788' },
      },
    ]);
    await expect(pki.importForeign({ ...material, certificates: [own?.ok === true ? own.certificate : leaf] })).rejects.toMatchObject({
      code: 'CERTIFICATE_CONFLICT',
    });
    const foreignList = { der: twin.crl(), receivedAt: new Date() };
    await expect(pki.importForeign({ ...material, crls: [foreignList] })).rejects.toMatchObject({ code: 'FOREIGN_CRL_REFUSED', details: { index: 0, reason: 'signature' } });
  });

  it('are named by their place when they cannot be read', async () => {
    const ca = new ForeignCa(folder, 'three', '/CN=three');
    const nothing = { certificates: [], caCertificates: [], trusted: false };
    await expect(pki.importForeign({ ...nothing, certificates: [ca.issue('x'), Buffer.from('rubbish')] })).rejects.toMatchObject({
      code: 'CERTIFICATE_MALFORMED',
      details: { index: 1 },
    });
    await expect(pki.importForeign({ ...nothing, caCertificates: [ca.issue('y')] })).rejects.toMatchObject({ code: 'CERTIFICATE_MALFORMED' });
    await expect(pki.importForeign({ ...nothing, crls: [{ der: Buffer.from('rubbish'), receivedAt: new Date() }] })).rejects.toMatchObject({ code: 'FOREIGN_CRL_REFUSED' });
    expect((await views()).has('CN=x')).toBe(false);
  });
});
