import { setTimeout as sleep } from 'node:timers/promises';
import { Anchor, Anchoring, type LogKey, Sequencer } from '#libs/journal';
import { openDataSource, SystemClock } from '#libs/platform';
import { enterLogKey, LocalSigner } from '../builders/local-log.js';

/** Keeps the lines in memory. */
export class MemoryAnchor extends Anchor {
  readonly lines: string[] = [];
  /** Runs before each push; a throw stands for an anchor that is away. */
  beforePush: () => void = () => undefined;

  constructor(override readonly name = 'memory') {
    super();
  }

  override async push(lines: readonly string[]): Promise<void> {
    this.beforePush();
    this.lines.push(...lines);
  }

  override async close(): Promise<void> {
    // Nothing is open.
  }
}

export interface RunningJournal {
  readonly key: LogKey;
  readonly anchor: MemoryAnchor;
  stop(): Promise<void>;
}

/**
 * A log key, a sequencer and an anchor for tests of the rooms whose privileged acts wait for the log: the real sequencer on the
 * real database, signing with a key of this process.
 */
export async function startRunningJournal(databaseUrl: string): Promise<RunningJournal> {
  const clock = new SystemClock();
  const signer = new LocalSigner();
  const key = signer.make();
  const owner = await openDataSource({ url: databaseUrl, poolSize: 1 });
  await enterLogKey(owner, clock, key);
  await owner.destroy();
  const dataSource = await openDataSource({ url: databaseUrl, role: 'hufu_journal', poolSize: 1 });
  const anchor = new MemoryAnchor();
  const [sequencer, anchoring] = [new Sequencer(dataSource, signer, clock), new Anchoring(dataSource, anchor, clock)];
  let stopped = false;
  const running = (async () => {
    while (!stopped) {
      const placed = await sequencer.runOnce();
      // An anchor that is away is tried again with the next round, as the worker does.
      const pushed = await anchoring.runOnce().catch(() => 0);
      if (placed + pushed === 0) await sleep(10);
    }
  })();
  return {
    key,
    anchor,
    async stop() {
      stopped = true;
      await running;
      await dataSource.destroy();
    },
  };
}
