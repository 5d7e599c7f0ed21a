import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { DataSource } from 'typeorm';
import { type Acting, denied, holds, Operators, scopeOf, Sessions } from '#libs/access';
import { Journal } from '#libs/journal';
import { AppError, isAppError } from '#libs/platform';
import { ROUTE_ROLES, routeName, type RouteRule } from './route-roles.js';
import { SignedIn, type SignedInAs } from './signed-in.js';

/** What the guard leaves on a request that it let pass: who acts, and in which regions the route's roles count. */
export interface Admitted {
  readonly acting: Acting;
  readonly scope: readonly string[];
  readonly signedIn: SignedInAs;
}

const admissions = new WeakMap<object, Admitted>();

/** Undefined on a request that no guard admitted. */
export function admissionOf(request: FastifyRequest): Admitted | undefined {
  return admissions.get(request);
}

/** Throws NOT_SIGNED_IN on a request that no guard admitted. */
export function admitted(request: FastifyRequest): Admitted {
  const found = admissionOf(request);
  if (found === undefined) throw new AppError('NOT_SIGNED_IN');
  return found;
}

/** Default deny: a route passes when the table calls it public or open to everybody signed in, or names a role that the operator holds now. */
@Injectable()
export class OperatorGuard implements CanActivate {
  constructor(
    private readonly signedIn: SignedIn,
    private readonly operators: Operators,
    private readonly sessions: Sessions,
    private readonly journal: Journal,
    private readonly dataSource: DataSource,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const route = routeName(request.method, request.routeOptions.url ?? '');
    const rule = Object.hasOwn(ROUTE_ROLES, route) ? ROUTE_ROLES[route] : undefined;
    if (rule !== undefined && 'public' in rule) return true;
    const signedIn = await this.signedIn.of(request);
    if (signedIn === undefined) throw new AppError('NOT_SIGNED_IN');
    admissions.set(request, await this.admit(signedIn, route, rule ?? { roles: [] }));
    return true;
  }

  private async admit(signedIn: SignedInAs, route: string, rule: Exclude<RouteRule, { public: string }>): Promise<Admitted> {
    try {
      const acting = await this.operators.acting(signedIn.operatorId, signedIn.session?.credentialId);
      const roles = 'signedIn' in rule ? [] : rule.roles;
      if (!('signedIn' in rule) && !roles.some((role) => holds(acting, role))) throw denied(route, roles);
      if (rule.fresh === true) this.sessions.requireFresh(signedIn.provenAt);
      return { acting, scope: scopeOf(acting, roles), signedIn };
    } catch (error) {
      // Being asked for a fresh proof is no refusal: the same request comes again.
      if (isAppError(error) && error.code !== 'STEP_UP_REQUIRED') await this.journalRefusal(signedIn.operatorId, route, error);
      throw error;
    }
  }

  /** Somebody known was refused: that is worth an entry, under the account and not the person, whose record it does not change. */
  private async journalRefusal(operatorId: string, route: string, error: AppError): Promise<void> {
    await this.dataSource.transaction((tx) => this.journal.record(tx, { kind: 'access.denied', subject: operatorId, data: { route, code: error.code } }));
  }
}
