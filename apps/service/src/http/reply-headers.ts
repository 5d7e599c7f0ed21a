import type { TLSSocket } from 'node:tls';
import type { FastifyAdapter } from '@nestjs/platform-fastify';

const YEAR_SECONDS = 31_536_000;

/** What every answer says to a browser; a page widens the content policy for itself. OCSP answers may be kept (RFC 5019 6). */
const HEADERS = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
} as const;

export function addReplyHeaders(adapter: FastifyAdapter): void {
  adapter.getInstance().addHook('onRequest', (request, reply, done) => {
    void reply.headers(HEADERS);
    if (!request.url.startsWith('/ocsp')) void reply.header('cache-control', 'no-store');
    if ((request.raw.socket as TLSSocket).encrypted === true) void reply.header('strict-transport-security', `max-age=${YEAR_SECONDS}`);
    done();
  });
}
