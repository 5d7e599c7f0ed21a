import { writeFileSync } from 'node:fs';
import { AppError } from '#libs/platform/domain';

/** A file that exists is not written over: it may be somebody's key or answer. Throws COMMAND_INVALID. */
export function writeNewFile(path: string, text: string): void {
  try {
    writeFileSync(path, text, { flag: 'wx', mode: 0o600, flush: true });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new AppError('COMMAND_INVALID', { reason: `--out ${path}: ${code ?? 'unwritable'}` }, { cause: error });
  }
}
