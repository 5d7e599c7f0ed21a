import type { Logger } from '#libs/platform';

/** Between two looks at an empty table. Found work is followed at once by another look. */
const IDLE_MS = 200;
/** After a failure: the database or a device is away for a while. */
const FAILED_MS = 2_000;

/** Looks for work for ever. `look` does what it finds and returns how much it was; a failure is logged and tried again. */
export class IdleLoop {
  private stopped = false;
  private running: Promise<void> = Promise.resolve();

  constructor(
    private readonly name: string,
    private readonly look: () => Promise<number>,
    private readonly log: Logger,
    private readonly idleMs = IDLE_MS,
  ) {}

  start(): this {
    this.running = this.run();
    return this;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.running;
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      const waitMs = await this.look().then(
        (found) => (found > 0 ? 0 : this.idleMs),
        (error: unknown) => {
          this.log.error(`${this.name} failed`, error);
          return FAILED_MS;
        },
      );
      if (waitMs > 0 && !this.stopped) await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }
}
