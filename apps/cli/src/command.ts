import { parseArgs, type ParseArgsConfig } from 'node:util';
import { AppError } from '#libs/platform/domain';
import type { StateFolder } from './state-folder.js';
import type { Terminal } from './terminal.js';

/** What a command gets. It returns the exit code: 0 only when all it promises holds. */
export interface Invocation {
  readonly args: readonly string[];
  /** The checkout's root: dist/, node_modules/, certs/. */
  readonly checkout: string;
  readonly state: StateFolder;
  readonly terminal: Terminal;
}

export interface Command {
  run(invocation: Invocation): Promise<number>;
}

/** Arguments by node:util parseArgs; what it refuses becomes COMMAND_INVALID. */
export function parseArguments<T extends ParseArgsConfig>(config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config);
  } catch (error) {
    throw new AppError('COMMAND_INVALID', { reason: (error as Error).message.split('\n')[0] ?? '' }, { cause: error });
  }
}

/** A whole number in a range, or COMMAND_INVALID that names the option. */
export function wholeNumber(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > most) {
    throw new AppError('COMMAND_INVALID', { reason: `--${name} ${text}: ${least}…${most}` });
  }
  return value;
}
