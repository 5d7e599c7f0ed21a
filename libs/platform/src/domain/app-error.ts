import type { ErrorCode } from './error-texts.js';

export type ErrorDetails = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/** The only error that a room throws on purpose. Its texts, status and next action stand in one table: error-texts.ts. */
export class AppError extends Error {
  override readonly name = 'AppError';

  constructor(
    readonly code: ErrorCode,
    readonly details: ErrorDetails = {},
    options?: ErrorOptions,
  ) {
    super(code, options);
  }
}

/** Errors cross realms and sockets, so the name is what is looked at, not the prototype. */
export function isAppError(error: unknown): error is AppError {
  return typeof error === 'object' && error !== null && (error as { name?: unknown }).name === 'AppError';
}
