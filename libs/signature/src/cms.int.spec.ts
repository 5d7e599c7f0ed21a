import { execFileSync, spawnSync } from 'node:child_process';
import { createHash, createPrivateKey, generateKeyPairSync, sign, X509Certificate, type KeyObject } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { derChildren, readDer, toHex } from '#libs/platform/domain';
import { detachedCms, signedAttributes, type CmsAlgorithm, type DetachedCms } from './cms.js';

/** OpenSSL is the stranger here: it makes the certificates and judges what we sign. */
const folder = mkdtempSync(join(tmpdir(), 'hufu-cms-'));
const path = (name: string): string => join(folder, name);
const openssl = (...parameters: string[]): void => void execFileSync('openssl', parameters, { cwd: folder, stdio: 'pipe' });

const CONTENT = Buffer.from('重新验签报告 run 1\n');
const SIGNING_TIME = new Date('2026-07-02T01:02:03.456Z');
const ALGORITHMS: readonly CmsAlgorithm[] = ['p256', 'rsa2048'];
const NEW_KEY: Readonly<Record<CmsAlgorithm, readonly string[]>> = { p256: ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'], rsa2048: ['rsa:2048'] };

function certificate(name: string, issuer: string | undefined, algorithm: CmsAlgorithm, extensions: readonly string[]): void {
  openssl(
    'req', '-x509', '-newkey', ...NEW_KEY[algorithm], '-nodes', '-keyout', `${name}.key`, '-subj', `/O=Hufu test/CN=${name}`, '-days', '30',
    '-out', `${name}.pem`, ...extensions.flatMap((extension) => ['-addext', extension]), ...(issuer ? ['-CA', `${issuer}.pem`, '-CAkey', `${issuer}.key`] : []),
  );
}

const der = (name: string): Uint8Array => new X509Certificate(readFileSync(path(`${name}.pem`))).raw;
const key = (name: string): KeyObject => createPrivateKey(readFileSync(path(`${name}.key`)));

function request(algorithm: CmsAlgorithm, changes: Partial<DetachedCms> = {}): DetachedCms {
  return {
    content: { bytes: CONTENT },
    signerCertificate: der(algorithm),
    chain: [der('issuing')],
    algorithm,
    signingTime: SIGNING_TIME,
    sign: async (attributes) => sign('sha256', attributes, key(algorithm)),
    ...changes,
  };
}

function verifyCms(cms: Uint8Array, content: Uint8Array, ...more: string[]): { status: number | null; output: string } {
  writeFileSync(path('signature.p7s'), cms);
  writeFileSync(path('content'), content);
  const result = spawnSync(
    'openssl',
    ['cms', '-verify', '-binary', '-inform', 'DER', '-in', 'signature.p7s', '-content', 'content', '-CAfile', 'root.pem', '-out', 'out', ...more],
    { cwd: folder, encoding: 'utf8' },
  );
  return { status: result.status, output: result.stderr };
}

beforeAll(() => {
  certificate('root', undefined, 'p256', ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign']);
  certificate('issuing', 'root', 'p256', ['basicConstraints=critical,CA:TRUE,pathlen:0', 'keyUsage=critical,keyCertSign,cRLSign']);
  for (const algorithm of ALGORITHMS) certificate(algorithm, 'issuing', algorithm, ['basicConstraints=critical,CA:FALSE', 'keyUsage=critical,digitalSignature,nonRepudiation', 'extendedKeyUsage=emailProtection']);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each(ALGORITHMS)('detached CMS by %s', (algorithm) => {
  it('is accepted by openssl cms, also as CAdES (the certificate is bound)', async () => {
    const cms = await detachedCms(request(algorithm));
    expect(verifyCms(cms, CONTENT)).toEqual({ status: 0, output: expect.stringContaining('Verification successful') });
    expect(verifyCms(cms, CONTENT, '-cades')).toMatchObject({ status: 0 });
    expect(readFileSync(path('out'))).toEqual(CONTENT);
  });

  it('signs a digest as it signs the bytes', async () => {
    const digest = createHash('sha256').update(CONTENT).digest();
    expect(verifyCms(await detachedCms(request(algorithm, { content: { sha256: digest } })), CONTENT)).toMatchObject({ status: 0 });
  });

  it('is refused over other content, and without the chain', async () => {
    expect(verifyCms(await detachedCms(request(algorithm)), Buffer.from(`${CONTENT.toString()} `))).toMatchObject({ status: 4 });
    const alone = verifyCms(await detachedCms(request(algorithm, { chain: [] })), CONTENT);
    expect(alone.status).toBe(4);
    expect(alone.output).toContain('unable to get local issuer certificate');
  });

  it('states the signing time in whole seconds', async () => {
    writeFileSync(path('printed.p7s'), await detachedCms(request(algorithm)));
    const printed = execFileSync('openssl', ['cms', '-cmsout', '-print', '-inform', 'DER', '-in', 'printed.p7s', '-noout'], { cwd: folder, encoding: 'utf8' });
    expect(printed).toContain('UTCTIME:Jul  2 01:02:03 2026 GMT');
  });

  it.each([
    ['a signature by another key', async (attributes: Uint8Array) => sign('sha256', attributes, generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)],
    ['a signature over something else', async () => sign('sha256', CONTENT, key(algorithm))],
    ['no signature', async () => new Uint8Array(0)],
  ])('refuses %s before it is released', async (_name, wrong) => {
    await expect(detachedCms(request(algorithm, { sign: wrong }))).rejects.toMatchObject({ code: 'CMS_SIGNATURE_MISMATCH' });
  });

  it('hands on the error of the signer', async () => {
    const broken = async (): Promise<Uint8Array> => Promise.reject(new Error('token gone'));
    await expect(detachedCms(request(algorithm, { sign: broken }))).rejects.toThrow('token gone');
  });
});

describe('signed attributes', () => {
  it('are a DER SET in ascending order, the same for the same input', () => {
    const bytes = signedAttributes({ bytes: CONTENT }, der('p256'), SIGNING_TIME);
    expect(bytes[0]).toBe(0x31);
    const members = derChildren(bytes, readDer(bytes)).map((member) => toHex(bytes.subarray(member.start, member.end)));
    expect(members).toHaveLength(4);
    expect([...members].sort()).toEqual(members);
    expect(signedAttributes({ bytes: CONTENT }, der('p256'), SIGNING_TIME)).toEqual(bytes);
  });

  it('refuse a digest that is not SHA-256, and a certificate that is not one', async () => {
    expect(() => signedAttributes({ sha256: new Uint8Array(20) }, der('p256'), SIGNING_TIME)).toThrow(RangeError);
    await expect(detachedCms(request('p256', { signerCertificate: Uint8Array.of(0x30, 0) }))).rejects.toThrow();
  });
});
