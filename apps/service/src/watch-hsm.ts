import type { INestApplicationContext } from '@nestjs/common';
import { Keys, PinLogins } from '#libs/keys';
import type { Logger } from '#libs/platform';
import { periodically } from './periodically.js';

const LATE_OBJECTS_SECONDS = 30;
const PINS_SECONDS = 1;

/** Objects that a device completed after their command was given up. */
export function watchLateObjects(app: INestApplicationContext, log: Logger): () => Promise<void> {
  return periodically(LATE_OBJECTS_SECONDS, 'looking for late objects', log, async () => {
    const destroyed = await app.get(Keys).destroyLate();
    if (destroyed > 0) log.warn('late objects destroyed', { destroyed });
  });
}

/** What the supervisor asks before it logs in with a PIN that is new to it. */
export function answerPins(app: INestApplicationContext, log: Logger): () => Promise<void> {
  return periodically(PINS_SECONDS, 'answering about PINs', log, () => app.get(PinLogins).answer());
}
