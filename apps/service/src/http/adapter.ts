import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';

export type HttpApp = NestFastifyApplication;

/** Requests are small: certificate requests arrive in batches over the command socket, files by the evidence store. */
export function httpAdapter(): FastifyAdapter {
  return new FastifyAdapter({ bodyLimit: 64 * 1024 });
}
