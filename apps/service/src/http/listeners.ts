import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { AppError } from '#libs/platform';
import type { HttpApp } from './adapter.js';
import { configured } from './configured-file.js';
import type { HttpConfig } from './http-config.js';
import { Sites } from './sites.js';
import { problem } from './problem-filter.js';
import { serverKey } from './server-key.js';

/** Opens the doors and tells `Sites` where they are. Returns what closes the second one. Throws PORT_IN_USE, CONFIG_INVALID. */
export async function openListeners(app: HttpApp, { host, port, clientCertificates }: HttpConfig): Promise<() => Promise<void>> {
  await free(port, async () => void (await app.listen(port, host)));
  const main = (app.getHttpServer().address() as AddressInfo).port;
  const asking = clientCertificates === undefined ? undefined : await listenForCertificates(app, clientCertificates);
  app.get(Sites).listening({ main, clientCertificates: asking === undefined ? undefined : (asking.address() as AddressInfo).port });
  return async () => {
    if (asking === undefined) return;
    const closed = new Promise<void>((resolve) => asking.close(() => resolve()));
    asking.closeAllConnections();
    await closed;
  };
}

/**
 * The same application behind a server that asks every caller for a certificate. A caller without one, or with one of a foreign
 * authority, is let in and is nobody: the page can say why, where an aborted handshake says nothing.
 */
async function listenForCertificates(app: HttpApp, config: NonNullable<HttpConfig['clientCertificates']>): Promise<Server> {
  const instance = app.getHttpAdapter().getInstance() as unknown as FastifyInstance;
  const options = { ...serverKey(config), ca: configured(config.caFile), requestCert: true, rejectUnauthorized: false };
  const server = createServer(options, (request, response) => {
    if (hostNameOf(request.headers.host) === config.hostName) return void instance.routing(request, response);
    // Another name on this connection would make the certificate speak for another site.
    const { status, body } = problem(new AppError('HOST_WRONG', { host: request.headers.host ?? '', place: config.hostName }));
    response.writeHead(status, { 'content-type': 'application/problem+json' }).end(body);
  });
  await free(config.port, () => new Promise<void>((resolve, reject) => void server.once('error', reject).listen(config.port, config.host, resolve)));
  return server;
}

export function hostNameOf(host: string | undefined): string {
  return (host ?? '').replace(/:\d+$/, '').toLowerCase();
}

async function free(port: number, listen: () => Promise<void>): Promise<void> {
  try {
    await listen();
  } catch (error) {
    if ((error as { code?: string }).code !== 'EADDRINUSE') throw error;
    throw new AppError('PORT_IN_USE', { port }, { cause: error });
  }
}
