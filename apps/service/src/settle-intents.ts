import type { INestApplicationContext } from '@nestjs/common';
import { PolicyChanges } from '#libs/access';
import { JournalKeys } from '#libs/journal';
import { Keys } from '#libs/keys';
import { Pki } from '#libs/pki';
import type { Logger } from '#libs/platform';
import { Psam } from '#libs/psam';

/** Before anything is served: what a killed predecessor intended and did not finish is finished or closed, room by room. */
export async function settleIntents(app: INestApplicationContext, log: Logger): Promise<void> {
  const policies = await app.get(PolicyChanges).settle();
  const logKeys = await app.get(JournalKeys).settleIntents();
  const keys = await app.get(Keys).settleIntents();
  const certificates = await app.get(Pki).settleIntents();
  const cards = await app.get(Psam).settleIntents();
  log.info('intents settled', { policies, logKeys: JSON.stringify(logKeys), keys: JSON.stringify(keys), certificates: JSON.stringify(certificates), cards: JSON.stringify(cards) });
}
