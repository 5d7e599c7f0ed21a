import { Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { type Session, Sessions } from '#libs/access';
import { ClientCertificate } from './client-certificate.js';
import { sessionToken } from './session-cookie.js';

export interface SignedInAs {
  readonly operatorId: string;
  /** When the person last proved who they are. */
  readonly provenAt: Date;
  readonly session?: Session;
}

/** Who sends a request. */
export abstract class SignedIn {
  /** Undefined: nobody that this service knows. */
  abstract of(request: FastifyRequest): Promise<SignedInAs | undefined>;
}

/** By the session's cookie, the proof of the browser's key and, where it opened the session, the connection's certificate. */
@Injectable()
export class SessionSignedIn extends SignedIn {
  constructor(
    private readonly sessions: Sessions,
    private readonly certificate: ClientCertificate,
  ) {
    super();
  }

  override async of(request: FastifyRequest): Promise<SignedInAs | undefined> {
    const token = sessionToken(request);
    if (token === undefined) return undefined;
    const session = await this.sessions.of({ token, ...arrivalOf(request), certificate: this.certificate.of(request)?.certificate });
    return session && { operatorId: session.operatorId, provenAt: session.provenAt, session };
  }
}

/** What a request's proof of key is about, and where the request came from. */
export function arrivalOf(request: FastifyRequest): { source: string; proof: string | undefined; method: string; path: string } {
  const { dpop } = request.headers;
  return { source: request.ip, proof: typeof dpop === 'string' ? dpop : undefined, method: request.method, path: request.url.split('?')[0] ?? '' };
}
