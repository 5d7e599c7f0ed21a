import { randomUUID } from 'node:crypto';
import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { AppError, type Bilingual, type ErrorDetails, ERROR_TEXTS, isAppError, Logger } from '#libs/platform';

/** An error as RFC 9457 problem details, with its text and next step in zh and en. What nobody expected stays in the log. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly log: Logger) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    if (error instanceof HttpException) {
      void reply.code(error.getStatus()).send(error.getResponse());
      return;
    }
    const known = isAppError(error) ? error : new AppError('INTERNAL', { requestId: randomUUID() }, { cause: error });
    if (known !== error) this.log.error('request failed', error, known.details as Record<string, string>);
    const { status, body } = problem(known);
    void reply.code(status).type('application/problem+json').send(body);
  }
}

/** Status and JSON text of a problem (RFC 9457 3). */
export function problem({ code, details }: AppError): { readonly status: number; readonly body: string } {
  const { status, retry, text, next } = ERROR_TEXTS[code];
  return { status, body: JSON.stringify({ type: `urn:hufu:error:${code}`, title: filled(text.en, details), status, code, retry, text: both(text, details), next: both(next, details) }) };
}

function both({ zh, en }: Bilingual, details: ErrorDetails): Bilingual {
  return { zh: filled(zh, details), en: filled(en, details) };
}

function filled(template: string, details: ErrorDetails): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) => (Object.hasOwn(details, name) ? String(details[name]) : whole));
}
