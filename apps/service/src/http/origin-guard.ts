import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Origins } from '#libs/access';
import { AppError } from '#libs/platform';

/** These change nothing (RFC 9110 9.2.1). */
const SAFE = new Set(['GET', 'HEAD']);

/**
 * A page of another site changes nothing here, whoever looks at it: browsers name the origin of every request that changes something.
 * It stands beside the cookie's SameSite and the proof that each signed-in request carries. Programs send no Origin.
 */
@Injectable()
export class OriginGuard implements CanActivate {
  constructor(private readonly origins: Origins) {}

  /** Throws ORIGIN_REFUSED. */
  canActivate(context: ExecutionContext): boolean {
    const { method, headers } = context.switchToHttp().getRequest<FastifyRequest>();
    const { origin } = headers;
    if (SAFE.has(method) || origin === undefined || this.origins.all().includes(origin)) return true;
    throw new AppError('ORIGIN_REFUSED', { origin: origin.slice(0, 300) });
  }
}
