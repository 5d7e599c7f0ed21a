import type { INestApplicationContext } from '@nestjs/common';
import { PolicyChanges } from '#libs/access';
import { JournalKeys } from '#libs/journal';
import { Keys } from '#libs/keys';
import { Pki } from '#libs/pki';
import { isAppError, type Logger } from '#libs/platform';
import { Psam } from '#libs/psam';

/** Before anything is served: what a killed predecessor intended and did not finish is finished or closed, room by room. */
export async function settleIntents(app: INestApplicationContext, log: Logger): Promise<void> {
  const policies = await app.get(PolicyChanges).settle();
  const logKeys = await app.get(JournalKeys).settleIntents();
  const keys = await app.get(Keys).settleIntents();
  const certificates = await unlessJournalStale(() => app.get(Pki).settleIntents(), log);
  const cards = await app.get(Psam).settleIntents();
  log.info('intents settled', { policies, logKeys: JSON.stringify(logKeys), keys: JSON.stringify(keys), certificates: JSON.stringify(certificates ?? null), cards: JSON.stringify(cards) });
}

/** A log that stands still keeps a certificate of a CA from being signed again; it must not keep OCSP from being served. The intent stays. */
async function unlessJournalStale<T>(settle: () => Promise<T>, log: Logger): Promise<T | undefined> {
  try {
    return await settle();
  } catch (error) {
    if (!isAppError(error) || error.code !== 'JOURNAL_STALE') throw error;
    log.error('intents left for the next start', error);
    return undefined;
  }
}
