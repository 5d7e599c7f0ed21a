import { z } from 'zod';
import { Hsm } from '#libs/hsm';
import { checkJournal, JournalKeys, type LogKey, readJournalState } from '#libs/journal';
import { AppError, type JsonValue, toHex } from '#libs/platform';
import { DataSource } from 'typeorm';
import { command, type Command } from './command.js';

const newKey = { algorithm: z.enum(['p256', 'sm2']).default('p256'), device: z.string().min(1).max(64).optional() };
const year = z.int().min(2000).max(9999);

export const JOURNAL_COMMANDS: Readonly<Record<string, Command>> = {
  'journal.check': command(z.strictObject({}), async (app) => {
    const report = await checkJournal(app.get(DataSource));
    return { ...report, firstBad: report.firstBad ?? null };
  }),
  'journal.state': command(z.strictObject({}), async (app) => (await readJournalState(app.get(DataSource))) as unknown as JsonValue),
  'journal.keys': command(z.strictObject({}), async (app) => (await app.get(JournalKeys).list()).map(shown)),
  'journal.establish': command(z.strictObject(newKey), async (app, { algorithm, device }) =>
    shown(await app.get(JournalKeys).establish({ algorithm, device: device ?? (await generalDevice(app.get(Hsm))) })),
  ),
  'journal.rotate': command(z.strictObject({ ...newKey, fromShard: year.optional() }), async (app, { algorithm, device, fromShard }) =>
    shown(await app.get(JournalKeys).rotate({ algorithm, device: device ?? (await generalDevice(app.get(Hsm))), ...(fromShard === undefined ? {} : { fromShard }) })),
  ),
};

/** Where signing keys live when nobody names a device. Throws TOKEN_MISSING. */
async function generalDevice(hsm: Hsm): Promise<string> {
  const found = (await hsm.devices()).find(({ group, state }) => group === 'general' && state === 'up');
  if (found === undefined) throw new AppError('TOKEN_MISSING', { device: '@general' });
  return found.device;
}

function shown({ keyId, algorithm, spki, fromShard }: LogKey): JsonValue {
  return { keyId, algorithm, publicKey: toHex(spki), fromShard };
}
