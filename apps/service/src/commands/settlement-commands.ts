import { z } from 'zod';
import { Card, Cards } from '#libs/cards';
import type { JsonValue } from '#libs/platform';
import { Reports, SETTLEMENT_FORMATS, Verification } from '#libs/verification';
import { command, type Command } from './command.js';
import { instant, label, toBase64 } from './fields.js';

const runId = z.uuid();
const cardNumber = z.string().max(16);

export const SETTLEMENT_COMMANDS: Readonly<Record<string, Command>> = {
  'cards.register': command(
    z.strictObject({ cards: z.array(z.strictObject({ cardNumber, region: Card.shape.region, activeFrom: instant })).max(10_000) }),
    async (app, args) => {
      await app.get(Cards).register(args.cards);
      return args.cards.length;
    },
  ),
  'cards.cancel': command(z.strictObject({ cardNumber, effectiveAt: instant }), async (app, args) => {
    await app.get(Cards).cancel(args.cardNumber, args.effectiveAt);
    return null;
  }),
  'verification.submit': command(
    z.strictObject({
      files: z.array(z.strictObject({ path: z.string().min(1), format: z.enum(SETTLEMENT_FORMATS) })).min(1).max(1_000),
      /** Label of the key that signs the report; no report without it. */
      reportSigner: label.optional(),
    }),
    async (app, args) => {
      const run = await app.get(Verification).submit({ files: args.files });
      if (args.reportSigner !== undefined) await app.get(Reports).request(run, args.reportSigner);
      return run;
    },
  ),
  'verification.status': command(z.strictObject({ runId }), async (app, args) => {
    const progress = await app.get(Verification).status(args.runId);
    return { ...progress, reason: progress.reason ?? null, secondsLeft: progress.secondsLeft ?? null };
  }),
  'verification.results': command(z.strictObject({ runId }), async (app, args) => {
    const { run, files, result, aggregates } = await app.get(Verification).results(args.runId);
    return {
      lines: run.lines,
      files: files.map((file) => ({ name: file.name, digest: file.digest, bytes: file.bytes, lines: file.lines })),
      result: { ...result },
      aggregates: aggregates.map((each) => ({ ...each, totalFen: each.totalFen.toString() })),
    };
  }),
  'report.read': command(z.strictObject({ runId }), async (app, args) => {
    const report = await app.get(Reports).read(args.runId);
    return Object.fromEntries(Object.entries(report).map(([part, bytes]) => [part, toBase64(bytes as Uint8Array)])) as JsonValue;
  }),
};
