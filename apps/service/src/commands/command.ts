import type { Abstract, Type } from '@nestjs/common';
import type { z } from 'zod';
import type { JsonValue } from '#libs/platform';

/** Where a command finds the use cases of the rooms. */
export interface UseCases {
  get<T>(token: Type<T> | Abstract<T>): T;
}

export type Progress = (done: number, total: number) => void;

/** One use case under a name. Arguments come from outside, so they pass a schema; bytes travel as Base64, money as strings. */
export interface Command {
  readonly arguments: z.ZodType;
  run(app: UseCases, args: unknown, progress: Progress): Promise<JsonValue>;
}

/** Ties a schema to a handler that gets the parsed type. */
export function command<S extends z.ZodType>(
  schema: S,
  run: (app: UseCases, args: z.infer<S>, progress: Progress) => Promise<JsonValue>,
): Command {
  return { arguments: schema, run: (app, args, progress) => run(app, args as z.infer<S>, progress) };
}
