import type { z } from 'zod';
import { AppError, zodReason } from '#libs/platform';

/** Throws REQUEST_INVALID with the field's name. */
export function parse<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const result = schema.safeParse(value);
  if (!result.success) throw new AppError('REQUEST_INVALID', { reason: zodReason(result.error) });
  return result.data;
}
