import type { NestFastifyApplication } from '@nestjs/platform-fastify';

/** OCSP requests arrive as DER (RFC 6960 A.1): the bytes are handed on as they came. */
export function acceptBinaryBodies(app: NestFastifyApplication): void {
  app
    .getHttpAdapter()
    .getInstance()
    .addContentTypeParser('application/ocsp-request', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
}
