import { z } from 'zod';
import { Founding, Initialisation, Operators } from '#libs/access';
import type { JsonValue } from '#libs/platform';
import { command, type Command } from './command.js';

/** The first operators come through the local door, since nobody can sign in before them; it opens once. */
export const ACCESS_COMMANDS: Readonly<Record<string, Command>> = {
  'access.initialise': command(Founding, async (app, founding) => app.get(Initialisation).found(founding)),
  'access.forecast': command(z.strictObject({}), async (app) => JSON.parse(JSON.stringify(await app.get(Operators).forecast())) as JsonValue),
};
