import { AsyncLocalStorage } from 'node:async_hooks';
import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Observable } from 'rxjs';
import { admissionOf } from './operator-guard.js';

const acting = new AsyncLocalStorage<string>();

/** The operator whose request is being served, wherever the calls lead: it stands in what is put before approvers. Undefined for commands and jobs. */
export function actingOperator(): string | undefined {
  return acting.getStore();
}

/** Goes with every request that the guard admitted. */
@Injectable()
export class ActingOperatorInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const operatorId = admissionOf(context.switchToHttp().getRequest<FastifyRequest>())?.acting.operatorId;
    if (operatorId === undefined) return next.handle();
    return new Observable((subscriber) => acting.run(operatorId, () => next.handle().subscribe(subscriber)));
  }
}
