import { hash } from 'node:crypto';
import { Body, Controller, Delete, Get, Header, HttpCode, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type ChallengeView, type RoleName, scopeOf, type Session, Sessions, type SignedInSession, SignIn } from '#libs/access';
import { AppError } from '#libs/platform';
import { ClientCertificate } from './client-certificate.js';
import { admitted } from './operator-guard.js';
import { giveToken, takeToken } from './session-cookie.js';
import { arrivalOf } from './signed-in.js';

interface NewSessionView {
  readonly operatorId: string;
  readonly roles: readonly RoleName[];
  readonly expiresAt: Date;
  readonly idleSeconds: number;
  /** base64url SHA-256 of the token, for the proofs of a page that cannot read its cookie. */
  readonly tokenDigest: string;
}

/** Sign-in, step-up and sign-out. The room parses and judges. */
@Controller('sign-in')
export class SignInController {
  constructor(
    private readonly signIn: SignIn,
    private readonly sessions: Sessions,
    private readonly certificate: ClientCertificate,
  ) {}

  @Post('challenges')
  @Header('cache-control', 'no-store')
  challenge(@Req() request: FastifyRequest, @Body() body: unknown): Promise<ChallengeView> {
    return this.signIn.challenge(body as never, request.ip);
  }

  @Post('sessions')
  @Header('cache-control', 'no-store')
  async open(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply, @Body() body: unknown): Promise<NewSessionView> {
    return this.opened(reply, await this.signIn.open(body as never, arrivalOf(request)));
  }

  @Post('certificate')
  @Header('cache-control', 'no-store')
  async openByCertificate(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply, @Body() body: unknown): Promise<NewSessionView> {
    return this.opened(reply, await this.signIn.openByCertificate(body as never, this.certificate.of(request)?.certificate, arrivalOf(request)));
  }

  @Get('session')
  @Header('cache-control', 'no-store')
  session(@Req() request: FastifyRequest): object {
    const { acting, signedIn } = admitted(request);
    const { session, provenAt } = signedIn;
    const roles = [...new Set(acting.assignments.map(({ role }) => role))];
    return { operatorId: acting.operatorId, roles, scope: scopeOf(acting, roles), provenAt, ...(session === undefined ? {} : { signedInAt: session.signedInAt, expiresAt: session.expiresAt }) };
  }

  @Delete('session')
  @HttpCode(204)
  async signOut(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<void> {
    await this.sessions.signOut(sessionOf(request));
    takeToken(reply);
  }

  @Post('proofs')
  @HttpCode(204)
  stepUp(@Req() request: FastifyRequest, @Body() body: unknown): Promise<void> {
    return this.signIn.stepUp(sessionOf(request), body as never, request.ip);
  }

  private async opened(reply: FastifyReply, { token, operatorId, expiresAt }: SignedInSession): Promise<NewSessionView> {
    giveToken(reply, token);
    return { operatorId, roles: await this.sessions.rolesOf(operatorId), expiresAt, idleSeconds: this.sessions.idleSeconds, tokenDigest: hash('sha256', token, 'base64url') };
  }
}

/** Throws NOT_FOUND where the guard let somebody in without a session. */
function sessionOf(request: FastifyRequest): Session {
  const { session } = admitted(request).signedIn;
  if (session === undefined) throw new AppError('NOT_FOUND', { what: 'session' });
  return session;
}
