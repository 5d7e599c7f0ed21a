import { once } from 'node:events';
import { createServer as createPlainServer, type IncomingMessage, request } from 'node:http';
import { Agent, createServer, get, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { FastifyRequest } from 'fastify';
import { toHex } from '#libs/platform';
import { OpensslFolder } from '../builders/openssl.js';
import { ConnectionCertificate } from '../../apps/service/src/http/client-certificate.js';

const connection = new ConnectionCertificate();
const seen = (raw: IncomingMessage): string => {
  const found = connection.of({ raw, headers: raw.headers } as unknown as FastifyRequest);
  return found === undefined ? 'none' : toHex(found.certificate);
};

describe('the certificate of a connection', () => {
  const folder = new OpensslFolder();
  let server: Server;
  const pem = (name: string): string => Buffer.from(folder.read(name)).toString();

  function make(name: string, issuer?: string): void {
    const signer = issuer === undefined ? [] : ['-CA', `${issuer}.pem`, '-CAkey', `${issuer}.key`];
    const { ok, text } = folder.run('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${name}.key`, '-out', `${name}.pem`, '-days', '30', '-subj', `/CN=${name}`, ...signer);
    if (!ok) throw new Error(text);
  }

  beforeAll(async () => {
    make('authority');
    make('stranger');
    make('operator', 'authority');
    make('outsider', 'stranger');
    server = createServer({ key: pem('authority.key'), cert: pem('authority.pem'), ca: pem('authority.pem'), requestCert: true, rejectUnauthorized: false }, (raw, response) => void response.end(seen(raw)));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterAll(() => {
    server.close();
    folder.remove();
  });

  async function told(name: string | undefined, headers: Record<string, string> = {}, agent = new Agent({ rejectUnauthorized: false, ...(name === undefined ? {} : { key: pem(`${name}.key`), cert: pem(`${name}.pem`) }) })): Promise<string> {
    const sent = get({ host: '127.0.0.1', port: (server.address() as AddressInfo).port, headers, agent });
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    return (await response.toArray()).join('');
  }
  const derOf = (name: string): string => {
    folder.run('x509', '-in', `${name}.pem`, '-outform', 'DER', '-out', `${name}.der`);
    return toHex(folder.read(`${name}.der`));
  };

  it('is the one that the listener accepted, byte for byte', async () => {
    expect(await told('operator')).toBe(derOf('operator'));
  });

  it('is the same on a connection that resumes another', async () => {
    const agent = new Agent({ rejectUnauthorized: false, keepAlive: false, maxCachedSessions: 10, key: pem('operator.key'), cert: pem('operator.pem') });
    for (let n = 0; n < 3; n++) expect([n, await told('operator', {}, agent)]).toEqual([n, derOf('operator')]);
  });

  it('is none without a certificate, with one of a stranger, or with one that a header claims', async () => {
    for (const name of [undefined, 'outsider', 'stranger']) expect([name, await told(name, { 'x-client-certificate': derOf('operator') })]).toEqual([name, 'none']);
  });

  it('is none over plain HTTP', async () => {
    const plain = createPlainServer((raw, response) => void response.end(seen(raw))).listen(0, '127.0.0.1');
    await once(plain, 'listening');
    const sent = request({ host: '127.0.0.1', port: (plain.address() as AddressInfo).port }).end();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    expect((await response.toArray()).join('')).toBe('none');
    plain.close();
  });
});
