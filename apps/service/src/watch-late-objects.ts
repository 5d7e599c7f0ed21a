import type { INestApplicationContext } from '@nestjs/common';
import { Keys } from '#libs/keys';
import type { Logger } from '#libs/platform';

const LOOK_EVERY_SECONDS = 30;

/** Looks now and then for objects that a device completed after their command was given up. Returns how to stop. */
export function watchLateObjects(app: INestApplicationContext, log: Logger): () => Promise<void> {
  let stopped = false;
  let looking: Promise<void> = Promise.resolve();
  const look = async (): Promise<void> => {
    try {
      const destroyed = await app.get(Keys).destroyLate();
      if (destroyed > 0) log.warn('late objects destroyed', { destroyed });
    } catch (error) {
      log.error('looking for late objects failed', error);
    }
  };
  const timer = setInterval(() => {
    if (!stopped) looking = looking.then(look);
  }, LOOK_EVERY_SECONDS * 1000);
  return async () => {
    stopped = true;
    clearInterval(timer);
    await looking;
  };
}
