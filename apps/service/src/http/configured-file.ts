import { readFileSync } from 'node:fs';
import { AppError } from '#libs/platform';

/** Bytes of a file that the configuration names. Throws CONFIG_INVALID. */
export function configured(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new AppError('CONFIG_INVALID', { file, reason: (error as Error).message }, { cause: error });
  }
}
