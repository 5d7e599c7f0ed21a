import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { AppError } from '#libs/platform/domain';
import { parseScript, type Script } from './domain/script.js';

/** A script of `certs/ceremonies/`. Throws CEREMONY_SCRIPT_INVALID with the file's name. */
export function readScript(file: string): Script {
  let content: unknown;
  try {
    content = parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new AppError('CEREMONY_SCRIPT_INVALID', { file, reason: (error as Error).message.split('\n')[0] ?? '' }, { cause: error });
  }
  return parseScript(content, file);
}
