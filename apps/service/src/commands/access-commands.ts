import { z } from 'zod';
import { CodeRequest, Enrolments, Founding, Initialisation, Operators } from '#libs/access';
import type { JsonValue } from '#libs/platform';
import { command, type Command } from './command.js';

/** The first operators come through the local door, since nobody can sign in before them; it opens once. */
export const ACCESS_COMMANDS: Readonly<Record<string, Command>> = {
  'access.initialise': command(Founding, async (app, founding) => app.get(Initialisation).found(founding)),
  'access.enrolmentCode': command(CodeRequest, async (app, wanted) => JSON.parse(JSON.stringify(await app.get(Enrolments).firstCode(wanted))) as JsonValue),
  'access.forecast': command(z.strictObject({}), async (app) => JSON.parse(JSON.stringify(await app.get(Operators).forecast())) as JsonValue),
};
