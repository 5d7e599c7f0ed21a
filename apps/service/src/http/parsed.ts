import type { z } from 'zod';
import { AppError, zodReason } from '#libs/platform';

/** What a request carries, by its schema. Throws REQUEST_INVALID with the field's name. */
export function parse<S extends z.ZodType>(schema: S, value: unknown): z.infer<S> {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new AppError('REQUEST_INVALID', { reason: zodReason(parsed.error) });
  return parsed.data;
}
