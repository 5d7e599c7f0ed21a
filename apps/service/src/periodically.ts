import type { Logger } from '#libs/platform';

/** Does `act` every so many seconds, one at a time; what fails is logged under `what` and done again. Returns how to stop. */
export function periodically(everySeconds: number, what: string, log: Logger, act: () => Promise<unknown>): () => Promise<void> {
  let stopped = false;
  let acting: Promise<unknown> = Promise.resolve();
  const turn = (): Promise<unknown> => act().catch((error: unknown) => log.error(`${what} failed`, error));
  const timer = setInterval(() => {
    if (!stopped) acting = acting.then(turn);
  }, everySeconds * 1000);
  return async () => {
    stopped = true;
    clearInterval(timer);
    await acting;
  };
}
