import { z } from 'zod';
import { Institution, KIND_NAMES, LIST_ENCODINGS, LIST_FORMATS, ORGANISATION_STATUSES, OrganisationAct, Organisations, type OrganisationView, Region, SCHEME_NAMES, Terminal } from '#libs/organisations';
import type { JsonValue } from '#libs/platform';
import { command, type Command } from './command.js';
import { base64, instant } from './fields.js';

const code = z.string().min(1).max(32);
const filter = {
  at: instant.optional(),
  kinds: z.array(z.enum(KIND_NAMES)).min(1).optional(),
  regionPrefix: z.string().regex(/^[0-9]{1,6}$/).optional(),
  status: z.enum(Object.keys(ORGANISATION_STATUSES) as [keyof typeof ORGANISATION_STATUSES]).optional(),
};

/** The act as it comes over the socket: its time is a text. */
const act = z
  .looseObject({ effectiveAt: instant })
  .pipe(OrganisationAct);

export const ORGANISATION_COMMANDS: Readonly<Record<string, Command>> = {
  'organisations.register': command(
    z.strictObject({ regions: z.array(Region).max(10_000).optional(), institutions: z.array(Institution).max(10_000), terminals: z.array(Terminal).max(100_000) }),
    async (app, args) => {
      await app.get(Organisations).register(args);
      return app.get(Organisations).counts();
    },
  ),
  'organisations.act': command(act, async (app, args) => {
    await app.get(Organisations).act(args);
    return null;
  }),
  'organisations.import': command(
    z.strictObject({ bytes: base64, format: z.enum(LIST_FORMATS), encoding: z.enum(LIST_ENCODINGS).default('utf-8'), enter: z.enum(['whole', 'rest', 'none']).default('whole') }),
    async (app, args) => (await app.get(Organisations).import(args)) as unknown as JsonValue,
  ),
  'organisations.list': command(
    z.strictObject({ ...filter, after: z.strictObject({ kind: z.enum(KIND_NAMES), code }).optional(), limit: z.int().min(1).max(1_000).optional() }),
    async (app, args) => {
      const page = await app.get(Organisations).list(args);
      return { organisations: page.organisations.map(shown), next: page.next === undefined ? null : { ...page.next } };
    },
  ),
  'organisations.export': command(z.strictObject(filter), (app, args) => app.get(Organisations).exportCsv(args)),
  'organisations.resolve': command(
    z.strictObject({ scheme: z.enum(SCHEME_NAMES).default('institution'), code, at: instant, knownAt: instant.optional() }),
    async (app, args) => {
      const standing = await app.get(Organisations).resolve(args.scheme, args.code, args.at, args.knownAt);
      return standing === undefined ? null : { ...standing, code: standing.code ?? null };
    },
  ),
};

function shown(row: OrganisationView): JsonValue {
  return { ...row, parent: row.parent ?? null, region: row.region ?? null, successor: row.successor ?? null, effectiveAt: row.effectiveAt.toISOString() };
}
