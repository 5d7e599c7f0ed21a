import { readFileSync } from 'node:fs';
import type { z } from 'zod';
import { AppError } from '../domain/index.js';
import { zodReason } from '../zod-reason.js';

/** Reads a JSON configuration file through its schema; an unknown or missing field refuses the start. Throws CONFIG_INVALID. */
export function loadConfig<S extends z.ZodType>(file: string | undefined, schema: S): z.infer<S> {
  if (file === undefined) throw new AppError('CONFIG_INVALID', { file: 'HUFU_CONFIG', reason: 'HUFU_CONFIG is not set' });
  let raw: unknown;
  try {
    raw = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new AppError('CONFIG_INVALID', { file, reason: String((error as Error).message) }, { cause: error });
  }
  const parsed = schema.safeParse(raw);
  if (!parsed.success) throw new AppError('CONFIG_INVALID', { file, reason: zodReason(parsed.error) });
  return parsed.data;
}
