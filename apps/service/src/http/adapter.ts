import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { HttpConfig } from './http-config.js';
import { addReplyHeaders } from './reply-headers.js';
import { serverKey } from './server-key.js';

export type HttpApp = NestFastifyApplication;

/** Requests are small: certificate requests arrive in batches over the command socket, files by the evidence store. */
const BODY_LIMIT = 64 * 1024;

/** Throws CONFIG_INVALID when a TLS file cannot be used. */
export function httpAdapter({ tls }: Pick<HttpConfig, 'tls'> = {}): FastifyAdapter {
  const adapter = new FastifyAdapter(tls === undefined ? { bodyLimit: BODY_LIMIT } : { bodyLimit: BODY_LIMIT, https: serverKey(tls) });
  addReplyHeaders(adapter);
  return adapter;
}
