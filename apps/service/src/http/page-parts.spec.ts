import { readdirSync, readFileSync } from 'node:fs';
import { createHash, createPublicKey, randomBytes, verify, type webcrypto } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import ts from 'typescript';
import { canonicalJson, type JsonValue } from '#libs/platform/domain';
import { approvalBytes, approvalChallenge, type ApprovalTerms, HsmRequest, QuorumPolicy, subjectDigest, type SubjectLine, subjectLines, Ticket } from '#libs/signature';
import { PageFiles } from './page-files.js';

const FOLDER = join(import.meta.dirname, '../../pages');
/** What the pages run, loaded as it is served. */
const part = async <T>(name: string): Promise<T> => (await import(join(FOLDER, name))) as T;
const { canonicalJson: pageJson } = await part<{ canonicalJson(value: unknown): Uint8Array }>('canonical-json.js');
const page = await part<{ subjectDigest(subject: object): Promise<string>; approvalBytes(subject: object, terms: ApprovalTerms): Promise<Uint8Array>; approvalChallenge(bytes: Uint8Array): Promise<Uint8Array> }>('approval.js');
const lines = await part<{ subjectLines(subject: object): Promise<SubjectLine[]>; visible(text: string): string }>('subject-lines.js');
const proofs = await part<{ makeProofKey(): Promise<webcrypto.CryptoKeyPair>; proof(request: object): Promise<string> }>('proof-key.js');

const hex = (bytes: number): string => randomBytes(bytes).toString('hex').toUpperCase();
const times = { createdAt: '2026-11-24T08:00:00.000Z', notAfter: '2026-11-24T08:15:00.000Z' };
const request = HsmRequest.parse({
  format: 'hufu/request/1',
  ...{ requestId: hex(16), requester: 'service', requestedBy: 'key-1', recipe: 'generateKey' },
  devices: [{ device: 'general-1', tokenSerial: 'ABC 1' }, { device: 'general-2', tokenSerial: '' }],
  keys: [hex(16), hex(16)],
  parameters: { label: '根密钥 "1"\n\u202e', digests: ['a', 'b'], empty: [], Z: '1', a: '2' },
  policyVersion: 3,
  ...times,
});
const { requestedBy: _nobody, ...ofNobody } = request;
const ticket = Ticket.parse({ format: 'hufu/ticket/1', ticketId: hex(16), line: 'service', recipe: 'sign:certificate', keys: [hex(16)], count: 100_000, notBefore: times.createdAt, notAfter: times.notAfter, policyVersion: 3 });
const approver = { id: 'a', person: 'p-1', roles: ['keyAdministrator', 'x'], algorithm: 'p256Sha256', publicKey: hex(91), notAfter: '2027-01-01T00:00:00.000Z' };
const policy = QuorumPolicy.parse({
  ...{ format: 'hufu/hsm-policy/1', version: 2, previous: hex(32) },
  approvers: [approver, { ...approver, id: 'b', method: 'webauthn', webauthn: { rpId: 'approve.hufu.localhost', origins: ['http://approve.hufu.localhost:1', 'https://x'], credentialId: hex(32), aaguid: hex(16) } }],
  rules: { generateKey: { count: 2, roles: { ownerRepresentative: 1 }, ownerDocument: true }, 'sign:caCertificate': { count: 2 } },
  amend: { count: 2 },
});
const subjects: [string, HsmRequest | Ticket | QuorumPolicy][] = [['a request', request], ['a request of nobody', HsmRequest.parse({ ...ofNobody, devices: [], keys: [] })], ['a ticket', ticket], ['a policy', policy], ['a first policy', QuorumPolicy.parse({ ...policy, version: 1, previous: null })]];

describe('what the pages compute is what the service computes', () => {
  it('canonical JSON', () => {
    const value: fc.Arbitrary<JsonValue> = fc.letrec<{ value: JsonValue }>((tie) => ({
      value: fc.oneof(fc.string({ unit: 'grapheme' }), fc.maxSafeInteger(), fc.boolean(), fc.constant(null), fc.array(tie('value'), { maxLength: 4 }), fc.dictionary(fc.string({ unit: 'grapheme' }), tie('value'), { maxKeys: 5, noNullPrototype: true })),
    })).value;
    fc.assert(fc.property(value, (each) => expect(Buffer.from(pageJson(each)).toString()).toBe(Buffer.from(canonicalJson(each)).toString())), { numRuns: 500 });
    for (const planted of [1.5, Number.NaN, 2 ** 53, '\ud800', undefined, { a: undefined }, 1n]) expect(() => pageJson(planted)).toThrow(RangeError);
  });

  it.each(subjects)('lines, digest, bytes and challenge of %s', async (_name, subject) => {
    expect(await lines.subjectLines(subject)).toEqual(subjectLines(subject));
    expect(await page.subjectDigest(subject)).toBe(subjectDigest(subject));
    const terms: ApprovalTerms = { method: 'webauthn', approver: 'a', nonce: hex(16), policyVersion: 2, notAfter: times.notAfter, decision: 'approve' };
    for (const each of [terms, { ...terms, ownerDocument: { number: '人社〔2026〕1号', digest: hex(32) } }]) {
      const bytes = await page.approvalBytes(subject, each);
      expect([...bytes]).toEqual([...approvalBytes(subject, each)]);
      expect([...(await page.approvalChallenge(bytes))]).toEqual([...approvalChallenge(bytes)]);
      expect([...bytes]).not.toEqual([...approvalBytes(subject, { ...each, approver: 'b' })]);
    }
  });

  it('a subject that says more than the page shows is not shown, so nobody signs it', async () => {
    const planted = [
      { ...request, extra: 1 },
      { ...request, devices: [{ device: 'd', tokenSerial: 's', slot: 1 }] },
      { ...policy, approvers: [{ ...approver, weight: 2 }] },
      { ...policy, amend: { count: 1, roles: {}, anyone: true } },
      { ...ticket, format: 'hufu/ticket/2' },
    ];
    for (const each of planted) await expect(lines.subjectLines(each)).rejects.toThrow(/unknown (field|format)/);
  });

  it('no character of a subject moves, hides or turns round others on the screen', () => {
    expect(lines.visible('根密钥 A-1 ①😀')).toBe('根密钥 A-1 ①😀');
    expect(lines.visible('a\u202eb\u0007c\nd\u200be\u2028f\u2066g\ufeffh\u0085\u00adi')).toBe('a\\u{202E}b\\u{7}c\\u{A}d\\u{200B}e\\u{2028}f\\u{2066}g\\u{FEFF}h\\u{85}\\u{AD}i');
  });

  it('a proof of possession is a DPoP proof that another program verifies (RFC 9449)', async () => {
    const key = await proofs.makeProofKey();
    expect(key.privateKey.extractable).toBe(false);
    const made = await proofs.proof({ key, method: 'POST', url: 'http://hufu.localhost:8080/sign-in/proofs?x=1#y', at: 1_764_000_000_999, tokenDigest: 'digest' });
    const [header = '', claims = '', signature = ''] = made.split('.');
    const { jwk, ...rest } = JSON.parse(Buffer.from(header, 'base64url').toString()) as { jwk: webcrypto.JsonWebKey };
    expect(rest).toEqual({ typ: 'dpop+jwt', alg: 'ES256' });
    expect(Object.keys(jwk)).toEqual(['kty', 'crv', 'x', 'y']);
    expect(JSON.parse(Buffer.from(claims, 'base64url').toString())).toEqual({ jti: expect.stringMatching(/^[\w-]{22}$/), htm: 'POST', htu: 'http://hufu.localhost:8080/sign-in/proofs', iat: 1_764_000_000, ath: 'digest' });
    const publicKey = createPublicKey({ key: jwk as { kty: string }, format: 'jwk' });
    const verified = (text: string): boolean => verify('sha256', Buffer.from(text), { key: publicKey, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url'));
    expect([verified(`${header}.${claims}`), verified(`${header}.${claims}A`)]).toEqual([true, false]);
  });
});

describe('the files of the pages', () => {
  const files = readdirSync(FOLDER);
  const text = (name: string): string => readFileSync(join(FOLDER, name), 'utf8');
  const html = files.filter((name) => name.endsWith('.html'));

  it('are all served, and nothing beside them', () => {
    const served = PageFiles.load(FOLDER);
    for (const name of files.filter((each) => !html.includes(each))) expect(served.part(name)).toEqual({ type: expect.any(String), bytes: readFileSync(join(FOLDER, name)), tag: `"${createHash('sha256').update(text(name)).digest('base64url')}"` });
    for (const planted of [...html, '../package.json', 'page-files.ts', 'constructor', '', 'PAGE.CSS']) expect(() => served.part(planted)).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }));
    expect(() => PageFiles.load(join(FOLDER, '..'))).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });

  it.each(html)('%s asks nothing of another site, runs nothing inline, and speaks both languages', (name) => {
    const source = text(name);
    expect(source).not.toMatch(/https?:\/\/|\/\/[a-z]|\son\w+=|style=|<style/i);
    expect([...source.matchAll(/<script[^>]*>([^<]*)<\/script>/g)].map(([, inline]) => inline)).toEqual(['']);
    const [zh, en] = ['zh-CN', 'en'].map((lang) => source.match(new RegExp(`<span lang="${lang}">[^<]+</span>`, 'g')) ?? []);
    expect(zh?.length).toBeGreaterThan(10);
    expect(en?.length).toBe(zh?.length);
    for (const [, id] of source.matchAll(/<(?:input|textarea)[^>]* id="([\w-]+)"/g)) expect(source).toContain(`<label for="${id}">`);
  });

  it('name only elements that the page has', () => {
    for (const name of html) {
      const used = [...text(name.replace('.html', '.js')).matchAll(/(?:\bat|field|list)\('([\w-]+)'/g)].map(([, id]) => id);
      expect(used.length).toBeGreaterThan(5);
      for (const id of [...used, 'alert', 'status', 'choice', 'choices']) expect([name, id, text(name).includes(`id="${id}"`)]).toEqual([name, id, true]);
    }
  });

  it('are well typed', () => {
    const options: ts.CompilerOptions = { allowJs: true, checkJs: true, noEmit: true, strict: true, noUncheckedIndexedAccess: true, lib: ['lib.es2024.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'], target: ts.ScriptTarget.ES2024, module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler, types: [] };
    const program = ts.createProgram(files.filter((name) => name.endsWith('.js')).map((name) => join(FOLDER, name)), options);
    const found = ts.getPreEmitDiagnostics(program).map(({ file, start, messageText }) => `${file?.fileName.split('/').pop()}:${file?.getLineAndCharacterOfPosition(start ?? 0).line} ${ts.flattenDiagnosticMessageText(messageText, ' ')}`);
    expect(found).toEqual([]);
    for (const name of files.filter((each) => each.endsWith('.js'))) expect(text(name).startsWith('// @ts-check\n')).toBe(true);
  });
});
