import { randomBytes } from 'node:crypto';
import { chmodSync } from 'node:fs';
import { request as plainRequest } from 'node:http';
import { type RequestOptions, request as tlsRequest } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { Module } from '@nestjs/common';
import { APP_FILTER, NestFactory } from '@nestjs/core';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { FastifyRequest } from 'fastify';
import { AccessConfig, AccessTerms, Origins } from '#libs/access';
import { Logger } from '#libs/platform';
import { OpensslFolder } from '../builders/openssl.js';
import { ServiceConfig } from '../../apps/service/src/config.js';
import { type HttpApp, httpAdapter } from '../../apps/service/src/http/adapter.js';
import { HttpConfig } from '../../apps/service/src/http/http-config.js';
import { openListeners } from '../../apps/service/src/http/listeners.js';
import { PageFiles } from '../../apps/service/src/http/page-files.js';
import { PagesController } from '../../apps/service/src/http/pages.controller.js';
import { ProblemFilter } from '../../apps/service/src/http/problem-filter.js';
import { UkeyAgentAddress } from '../../apps/service/src/http/ukey-agent-address.js';

/** What the service sees of a connection. */
function seen({ raw }: FastifyRequest): object {
  const socket = raw.socket as TLSSocket;
  if (socket.encrypted !== true) return { tls: false };
  const { subject } = socket.getPeerCertificate();
  return { tls: true, protocol: socket.getProtocol(), authorized: socket.authorized, name: subject?.CN ?? null };
}

interface Door {
  readonly main: number;
  readonly asking: number;
  close(): Promise<void>;
}

const doors: Door[] = [];

/** The real listeners and pages, without the rooms behind them. */
async function open(values: object): Promise<Door> {
  const config = HttpConfig.parse(values);
  const origins = new Origins(new AccessTerms(AccessConfig.parse({ nameKeyFile: `${openssl.path}/name-key` })));
  @Module({
    controllers: [PagesController],
    providers: [
      { provide: Origins, useValue: origins },
      { provide: UkeyAgentAddress, useValue: new UkeyAgentAddress(config) },
      { provide: PageFiles, useValue: PageFiles.load('apps/service/pages') },
      { provide: Logger, useValue: new Logger('test') },
      { provide: APP_FILTER, useClass: ProblemFilter },
    ],
  })
  class DoorModule {}
  const app = await NestFactory.create<HttpApp>(DoorModule, httpAdapter(config), { logger: false, abortOnError: false });
  app.getHttpAdapter().getInstance().get('/seen', async (request) => seen(request));
  const closeListeners = await openListeners(app, config);
  const portOf = (origin: string | undefined): number => Number(new URL(origin ?? 'http://x:1').port);
  const door = { main: portOf(origins.console()), asking: portOf(origins.certificate()), close: async () => void (await closeListeners(), await app.close()) };
  doors.push(door);
  return door;
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  readonly body: Record<string, unknown>;
}

function ask(scheme: 'http' | 'https', port: number, path: string, options: RequestOptions = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const send = scheme === 'http' ? plainRequest : tlsRequest;
    const request = send({ host: '127.0.0.1', port, path, agent: false, ...options }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text, body: text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {} }));
    });
    request.on('error', reject).end();
  });
}

const openssl = new OpensslFolder();
const files = { certificateFile: `${openssl.path}/server.pem`, keyFile: `${openssl.path}/server.key` };
const loopback = { host: '127.0.0.1', port: 0 };
const clientCertificates = { ...loopback, hostName: 'cert.hufu.localhost', ...files, caFile: `${openssl.path}/ca.pem` };
const tlsName = { rejectUnauthorized: false, servername: clientCertificates.hostName };

beforeAll(() => {
  openssl.file('name-key', randomBytes(32));
  const must = (...args: string[]): void => expect(openssl.run(...args)).toEqual(expect.objectContaining({ ok: true }));
  const authority = (name: string): void => must('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.pem`);
  const leaf = (name: string, ca: string): void => {
    must('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`);
    must('x509', '-req', '-in', `${name}.csr`, '-CA', `${ca}.pem`, '-CAkey', `${ca}.key`, '-CAcreateserial', '-days', '2', '-out', `${name}.pem`);
    chmodSync(`${openssl.path}/${name}.key`, 0o600);
  };
  for (const name of ['ca', 'foreign']) authority(name);
  leaf('server', 'ca');
  leaf('operator', 'ca');
  leaf('stranger', 'foreign');
});
afterAll(async () => {
  for (const door of doors) await door.close();
  openssl.remove();
});

describe('the main listener', () => {
  it.each(['0.0.0.0', '::', '192.0.2.1', 'hufu.example', '127.0.0.1.example', '::ffff:127.0.0.1'])('plain HTTP on %s is refused by name', (host) => {
    expect(HttpConfig.safeParse({ host, port: 0 }).error?.issues).toEqual([expect.objectContaining({ path: ['tls'], message: expect.stringContaining('loopback') })]);
    expect(HttpConfig.safeParse({ host, port: 0, tls: files }).success).toBe(true);
  });

  it('plain HTTP on loopback is let be', () => {
    for (const host of ['127.0.0.1', '127.8.0.1', '::1', 'localhost']) expect(HttpConfig.safeParse({ host, port: 0 }).success).toBe(true);
  });

  it('origins are https, or names that never leave the machine', () => {
    const values = { databaseUrl: 'x', hsmSocket: 'x', commandSocket: 'x', evidenceDir: 'x', pagesDir: 'x', profilesDir: 'x', calendarsDir: 'x' };
    const faults = (http: object, origins?: object): unknown => ServiceConfig.safeParse({ ...values, http: { ...loopback, ...http }, access: { nameKeyFile: 'x', signIn: { ...(origins === undefined ? {} : { origins }) } } }).error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
    expect(faults({})).toBeUndefined();
    expect(faults({}, { console: 'http://a.localhost:1', approve: 'https://approve.hufu.example' })).toBeUndefined();
    expect(faults({ tls: files }, { console: 'https://hufu.example', approve: 'https://approve.hufu.example' })).toBeUndefined();
    expect(faults({ tls: files })).toEqual(['access.signIn.origins: with TLS the origins are named']);
    expect(faults({}, { console: 'http://hufu.example', approve: 'https://approve.hufu.example' })).toEqual([expect.stringMatching(/^access\.signIn\.origins: origins are https/)]);
  });

  it('with a certificate it speaks TLS 1.2 and newer, and says to browsers that it always will', async () => {
    const { main } = await open({ ...loopback, tls: files });
    expect(await ask('https', main, '/seen', { rejectUnauthorized: false })).toMatchObject({ status: 200, body: { tls: true, protocol: 'TLSv1.3', name: null }, headers: { 'strict-transport-security': 'max-age=31536000' } });
    expect(await ask('https', main, '/seen', { rejectUnauthorized: false, maxVersion: 'TLSv1.2' })).toMatchObject({ body: { protocol: 'TLSv1.2' } });
    await expect(ask('https', main, '/seen', { rejectUnauthorized: false, minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' })).rejects.toThrow(/protocol version|alert/);
    await expect(ask('http', main, '/seen')).rejects.toThrow();
  });

  it('a key file that others may read, or none, keeps it from starting', async () => {
    const refused = (keyFile: string, reason: RegExp) => expect(() => httpAdapter({ tls: { ...files, keyFile } })).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', details: { file: keyFile, reason: expect.stringMatching(reason) } }));
    refused(`${openssl.path}/none.key`, /ENOENT/);
    chmodSync(`${openssl.path}/stranger.key`, 0o640);
    refused(`${openssl.path}/stranger.key`, /chmod 600/);
    chmodSync(`${openssl.path}/stranger.key`, 0o600);
    expect(() => httpAdapter({ tls: files })).not.toThrow();
  });

  it('a port that is taken is named', async () => {
    const { main } = await open(loopback);
    await expect(open({ ...loopback, port: main })).rejects.toMatchObject({ code: 'PORT_IN_USE', details: { port: main } });
  });
});

describe('the listener for client certificates', () => {
  const keyOf = (name: string): RequestOptions => ({ ...tlsName, key: Buffer.from(openssl.read(`${name}.key`)), cert: Buffer.from(openssl.read(`${name}.pem`)) });
  const at = (port: number): RequestOptions => ({ headers: { host: `${clientCertificates.hostName}:${port}` } });

  it('shows the certificate to the same application, and judges who issued it', async () => {
    const { asking } = await open({ ...loopback, clientCertificates });
    const seenOf = async (options: RequestOptions): Promise<unknown> => (await ask('https', asking, '/seen', { ...options, ...at(asking) })).body;
    expect(await seenOf(keyOf('operator'))).toMatchObject({ authorized: true, name: 'operator' });
    expect(await seenOf(keyOf('stranger'))).toMatchObject({ authorized: false, name: 'stranger' });
    expect(await seenOf(tlsName)).toMatchObject({ authorized: false, name: null });
  });

  it('answers for its own name only', async () => {
    const { asking } = await open({ ...loopback, clientCertificates });
    for (const host of ['hufu.localhost', `approve.hufu.localhost:${asking}`, `cert.hufu.localhost.example:${asking}`, '127.0.0.1', '']) {
      const answer = await ask('https', asking, '/seen', { ...keyOf('operator'), headers: { host } });
      expect([host, answer.status, answer.body['code']]).toEqual([host, 421, 'HOST_WRONG']);
    }
  });

  it('the main listener asks nobody for a certificate', async () => {
    const { main } = await open({ ...loopback, tls: files, clientCertificates });
    expect((await ask('https', main, '/seen', keyOf('operator'))).body).toMatchObject({ tls: true, name: null });
  });

  it('is closed with the application', async () => {
    const { asking, close } = await open({ ...loopback, clientCertificates });
    await ask('https', asking, '/seen', { ...tlsName, ...at(asking) });
    await close();
    doors.pop();
    await expect(ask('https', asking, '/seen', tlsName)).rejects.toThrow(/ECONNREFUSED/);
  });
});

describe('pages', () => {
  it('each page stands at its own host, and at no other name', async () => {
    const { main, asking } = await open({ ...loopback, clientCertificates });
    const hosts = { console: `hufu.localhost:${main}`, approve: `approve.hufu.localhost:${main}`, foreign: `rebound.example:${main}`, noPort: 'hufu.localhost', bare: `127.0.0.1:${main}` };
    const statuses = async (path: string): Promise<unknown> => Object.fromEntries(await Promise.all(Object.entries(hosts).map(async ([name, host]) => [name, (await ask('http', main, path, { headers: { host } })).status])));
    const elsewhere = { foreign: 421, noPort: 421, bare: 421 };
    expect(await statuses('/sign-in')).toEqual({ console: 200, approve: 200, ...elsewhere });
    expect(await statuses('/enrol')).toEqual({ console: 200, approve: 200, ...elsewhere });
    expect(await statuses('/approve')).toEqual({ console: 421, approve: 200, ...elsewhere });
    expect(await statuses('/pages/api.js')).toEqual({ console: 200, approve: 200, ...elsewhere });
    const refused = await ask('http', main, '/approve', { headers: { host: hosts.console } });
    expect(refused.body).toMatchObject({ code: 'HOST_WRONG', next: { en: `Open http://${hosts.approve}`, zh: expect.stringContaining(hosts.approve) } });
    const certificates = { ...tlsName, headers: { host: `${clientCertificates.hostName}:${asking}` } };
    expect((await ask('https', asking, '/sign-in', certificates)).status).toBe(200);
    expect((await ask('https', asking, '/approve', certificates)).status).toBe(421);
  });

  it('a page may load its own parts and ask the UKey agent, and nothing else', async () => {
    const { main } = await open(loopback);
    const headers = { host: `approve.hufu.localhost:${main}` };
    const page = await ask('http', main, '/approve', { headers });
    expect(page.headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' http://127.0.0.1:17317; frame-ancestors 'none'; form-action 'none'; base-uri 'none'",
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'permissions-policy': expect.stringContaining('publickey-credentials-get=(self)'),
      'cross-origin-opener-policy': 'same-origin',
    });
    expect(page.headers['strict-transport-security']).toBeUndefined();
    const script = await ask('http', main, '/pages/approve.js', { headers });
    expect(script.headers['content-type']).toBe('text/javascript; charset=utf-8');
    expect((await ask('http', main, '/pages/approve.js', { headers: { ...headers, 'if-none-match': String(script.headers['etag']) } })).status).toBe(304);
    for (const planted of ['..%2Fconfig.ts', '%2e%2e%2f%2e%2e%2fpackage.json', 'approve.html', 'none.js', 'toString']) expect([planted, (await ask('http', main, `/pages/${planted}`, { headers })).status]).toEqual([planted, 404]);
    expect((await ask('http', main, '/pages/site.json', { headers })).body).toMatchObject({ console: `http://hufu.localhost:${main}`, approve: `http://approve.hufu.localhost:${main}`, clientCertificates: null, roles: { keyAdministrator: { zh: '密钥管理员', en: 'key administrator' } } });
    expect((await ask('http', main, '/seen')).headers).toMatchObject({ 'content-security-policy': "default-src 'none'; frame-ancestors 'none'", 'cache-control': 'no-store' });
  });
});
