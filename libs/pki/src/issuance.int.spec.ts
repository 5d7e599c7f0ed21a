import { X509Certificate } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import { openDataSource } from '#libs/platform';
import { equalBytes } from '#libs/platform/domain';
import { makePair, makeRequest } from '../../../test/builders/certificate-request.js';
import { MemoryHsm } from '../../../test/builders/memory-hsm.js';
import { foundScheme, ISSUING, openPkiScheme, type PkiScheme, RESPONDER, ROOT } from '../../../test/builders/pki-scheme.js';
import { CertificateHistory, type EnrolmentRequest, Pki, readCertificate } from './index.js';

const card = (id: string, changes: Partial<EnrolmentRequest> = {}): EnrolmentRequest => ({
  profile: 'card',
  csr: makeRequest('p256').csr,
  subject: { country: 'CN', commonName: id },
  notBefore: new Date('2024-01-01T00:00:00Z'),
  notAfter: new Date('2029-01-01T00:00:00Z'),
  holder: { kind: 'card', id },
  ...changes,
});

describe('issuance', () => {
  let hsm: MemoryHsm;
  let scheme: PkiScheme;
  let pki: Pki;

  beforeEach(async () => {
    hsm = new MemoryHsm();
    scheme = await openPkiScheme(hsm);
    pki = scheme.app.get(Pki);
  });
  afterEach(() => scheme.close());

  const stored = (): Promise<{ serial: string; tbs: Buffer; certificate: Buffer | null }[]> =>
    scheme.app.get(DataSource).query('SELECT serial, tbs, certificate FROM certificate ORDER BY serial');

  it('makes a root and a CA below it, once each, and refuses what must not be', async () => {
    const { root, issuing } = await foundScheme(scheme);
    const [rootShown, issuingShown] = [new X509Certificate(root), new X509Certificate(issuing)];
    expect(rootShown.verify(rootShown.publicKey)).toBe(true);
    expect(issuingShown.verify(rootShown.publicKey) && issuingShown.checkIssued(rootShown)).toBe(true);
    await expect(pki.createRootCa(ROOT)).rejects.toMatchObject({ code: 'CA_EXISTS' });
    await expect(pki.createRootCa({ ...ROOT, caId: 'root-2' })).rejects.toMatchObject({ code: 'CA_EXISTS' });
    await expect(pki.createIssuingCa({ ...ISSUING, caId: 'x', parent: 'nobody' })).rejects.toMatchObject({ code: 'CA_UNKNOWN' });
    await expect(pki.createIssuingCa({ ...ISSUING, caId: 'x', parent: 'issuing' })).rejects.toMatchObject({ code: 'PROFILE_REFUSED_BY_ISSUER' });
    await expect(pki.issueForKey({ ...RESPONDER, keyLabel: 'ca/root' })).rejects.toMatchObject({ code: 'KEY_CLASS_MISMATCH' });
  });

  it('refuses a faulty request by name, and the rest goes on', async () => {
    await foundScheme(scheme);
    const shared = makePair('p256');
    const results = await pki.enrol('issuing', [
      card('123456788'),
      card('A12345674', { csr: makeRequest('p256', { signer: makePair('p256') }).csr }),
      card('A12345674', { csr: makeRequest('rsa2048').csr }),
      card('A12345674', { profile: 'passport' }),
      card('A12345674', { profile: 'hospital', holder: { kind: 'institution', id: 'H99999999999' } }),
      card('A12345674', { csr: makeRequest('p256', { privateKey: shared }).csr }),
      card('000000000', { csr: makeRequest('p256', { privateKey: shared }).csr }),
      card('x', { profile: 'hospital', holder: { kind: 'institution', id: 'H11010100001' }, csr: makeRequest('rsa2048').csr }),
      card('x', { profile: 'terminal', holder: { kind: 'terminal', id: '110101000001' } }),
    ]);
    expect(results.map((result) => (result.ok ? 'ok' : result.code))).toEqual([
      'ok',
      'POP_FAILED',
      'KEY_ALGORITHM_REFUSED',
      'PROFILE_UNKNOWN',
      'HOLDER_UNKNOWN',
      'ok',
      'PUBLIC_KEY_TAKEN',
      'ok',
      'ok',
    ]);
  });

  it('gives the same request the same certificate, and another holder none for that key', async () => {
    await foundScheme(scheme);
    const request = card('123456788');
    const [first] = await pki.enrol('issuing', [request]);
    const [again] = await pki.enrol('issuing', [request]);
    expect(again).toEqual(first);
    expect(await pki.enrol('issuing', [{ ...request, holder: { kind: 'card', id: 'A12345674' } }])).toEqual([
      { ok: false, code: 'PUBLIC_KEY_TAKEN', details: {} },
    ]);
    const responder = await pki.issueForKey(RESPONDER);
    expect(await pki.issueForKey(RESPONDER)).toEqual(responder);
  });

  it('has the token sign each certificate once, and only what an intent holds', async () => {
    await foundScheme(scheme);
    const before = hsm.signed.length;
    const seen: number[] = [];
    const owner = await openDataSource({ url: scheme.database.url });
    hsm.beforeSign = (items) => seen.push(items.length);
    await pki.enrol('issuing', Array.from({ length: 502 }, (_, i) => card(String(i).padStart(9, '0'))));
    expect(seen).toEqual([500, 2]);
    expect(hsm.signed.length - before).toBe(502);
    const rows: { tbs: Buffer }[] = await owner.query(
      `SELECT c.tbs FROM certificate c JOIN journal_stage s ON s.id = c.entry_id AND s.kind = 'pki.issue' WHERE c.profile = 'card'`,
    );
    const intents = new Set(rows.map((row) => row.tbs.toString('hex')));
    expect(hsm.signed.slice(before).every((item) => intents.has(Buffer.from(item.bytes).toString('hex')))).toBe(true);
    await owner.destroy();
  });

  it.each(['before', 'after'] as const)('settles with the same bytes what a kill %s the signature left', async (moment) => {
    await foundScheme(scheme);
    const kill = (): void => {
      throw new Error('killed');
    };
    if (moment === 'before') hsm.beforeSign = kill;
    else hsm.afterSign = kill;
    await expect(pki.enrol('issuing', [card('123456788'), card('A12345674')])).rejects.toThrow('killed');
    await expect(pki.issueCrl('issuing', { thisUpdate: new Date('2026-06-01T00:00:00Z'), nextUpdate: new Date('2026-06-08T00:00:00Z') })).rejects.toThrow('killed');
    const open = (await stored()).filter((row) => row.certificate === null);
    expect(open).toHaveLength(2);
    expect(await pki.findCrl('issuing')).toBeUndefined();

    hsm.beforeSign = () => undefined;
    hsm.afterSign = () => undefined;
    const restarted = await openPkiScheme(hsm, scheme.database);
    const again = restarted.app.get(Pki);
    expect(await again.settleIntents()).toEqual({ certificates: 2, crls: 1 });
    expect(await again.settleIntents()).toEqual({ certificates: 0, crls: 0 });
    for (const row of (await stored()).filter((each) => open.some((intent) => intent.serial === each.serial))) {
      const intent = open.find((each) => each.serial === row.serial);
      expect(equalBytes(readCertificate(row.certificate ?? new Uint8Array()).tbs, intent?.tbs ?? new Uint8Array())).toBe(true);
    }
    expect((await again.findCrl('issuing'))?.number).toBe(1n);
    const views = await restarted.app.get(CertificateHistory).load();
    expect(views.map((view) => view.chainValid)).toEqual([true, true]);
    await restarted.close();
  });

  it('settles a root whose own certificate was not signed', async () => {
    hsm.beforeSign = () => {
      throw new Error('killed');
    };
    await expect(pki.createRootCa(ROOT)).rejects.toThrow('killed');
    hsm.beforeSign = () => undefined;
    await expect(pki.createIssuingCa(ISSUING)).rejects.toMatchObject({ code: 'CA_UNKNOWN' });
    expect(await pki.settleIntents()).toEqual({ certificates: 1, crls: 0 });
    await pki.createIssuingCa(ISSUING);
  });

  it('lets nobody change a signed form, a status or an intent', async () => {
    await foundScheme(scheme);
    const [issued] = await pki.enrol('issuing', [card('123456788')]);
    const serial = issued?.ok === true ? issued.serial : '';
    await pki.revoke({ issuer: 'issuing', serial, reason: 'superseded', effectiveAt: new Date('2026-03-01T00:00:00Z') });
    const owner = await openDataSource({ url: scheme.database.url });
    const service = scheme.app.get(DataSource);
    await expect(owner.query(`UPDATE certificate SET certificate = '\\x00' WHERE serial = $1`, [serial])).rejects.toThrow(/written once/);
    await expect(owner.query('UPDATE certificate_status SET effective_at = now()')).rejects.toThrow(/append-only/);
    await expect(service.query('UPDATE certificate SET tbs = certificate')).rejects.toThrow(/permission denied/);
    await expect(service.query('DELETE FROM certificate_status')).rejects.toThrow(/permission denied/);
    await owner.destroy();
  });

});
