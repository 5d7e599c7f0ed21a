import type { FastifyReply, FastifyRequest } from 'fastify';

/** `__Host-`: of this very host, over a secure connection, for all paths (RFC 6265bis 4.1.3.2). */
const COOKIE = '__Host-hufu-session';
const ATTRIBUTES = 'Path=/; HttpOnly; SameSite=Strict; Secure';

/** The token of a request; undefined when there is none, or more than one. */
export function sessionToken(request: FastifyRequest): string | undefined {
  const found = (request.headers.cookie ?? '').split(';').map((each) => each.trim()).filter((each) => each.startsWith(`${COOKIE}=`));
  const token = found.length === 1 ? found[0]?.slice(COOKIE.length + 1) : undefined;
  return token !== undefined && /^[A-Za-z0-9_-]{43}$/.test(token) ? token : undefined;
}

/** It goes with the browser; when the session ends is the service's to say. */
export function giveToken(reply: FastifyReply, token: string): void {
  void reply.header('set-cookie', `${COOKIE}=${token}; ${ATTRIBUTES}`);
}

export function takeToken(reply: FastifyReply): void {
  void reply.header('set-cookie', `${COOKIE}=; ${ATTRIBUTES}; Max-Age=0`);
}
