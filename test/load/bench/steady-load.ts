import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';
import { AskingAuthoriser, SupervisorHsm } from '#libs/hsm';
import type { Approval } from '#libs/signature';
import type { TestHsm } from '../../env/test-hsm.js';
import { cards, protectForCard } from './work.js';

/**
 * Batches at a steady pace, whether the ones before have come back or not. They come from a process of their own, as a batch
 * job's do: whoever measures beside them must not pay for their packing.
 */
export class SteadyLoad {
  private constructor(
    private readonly child: ReturnType<typeof fork>,
    private readonly ended: Promise<unknown[]>,
  ) {}

  static async start(rig: TestHsm, device: string, items: number, batchesASecond: number): Promise<SteadyLoad> {
    const child = fork(import.meta.filename, [join(rig.socketDir, 'service.sock'), device, String(items), String(batchesASecond)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    child.on('message', (message: { ask?: { id: number; subject: Parameters<typeof rig.quorum.approve>[0] } }) => {
      const { ask } = message;
      if (ask !== undefined) void rig.quorum.approve(ask.subject).then((approvals) => child.send({ id: ask.id, approvals }));
    });
    const load = new SteadyLoad(child, once(child, 'exit'));
    await load.#told('running');
    return load;
  }

  /** Goes on, or begins. */
  run(): void {
    this.child.send('run');
  }

  /** Items a second since `run`, from its first batch to its last answer. Throws when a batch failed. */
  async rest(): Promise<number> {
    if (!this.child.connected) throw new Error('the load ended before its time');
    const done = this.#told('perSecond');
    this.child.send('rest');
    return done;
  }

  async stop(): Promise<void> {
    this.child.disconnect();
    await this.ended;
  }

  #told(what: 'running' | 'perSecond'): Promise<number> {
    return new Promise((resolve, reject) => {
      this.child.once('exit', (code) => reject(new Error(`the load ended with ${code}`)));
      this.child.on('message', (message: Record<string, unknown>) => {
        if (what in message) resolve(Number(message[what]));
      });
    });
  }
}

async function main([socket, device, items, batchesASecond]: readonly string[]): Promise<void> {
  const asked = new Map<number, (approvals: Approval[]) => void>();
  const authoriser = new AskingAuthoriser({ client: 'service', ticketCount: 1_000_000, ticketHours: 1, requestMinutes: 5 }, (subject) =>
    new Promise<Approval[]>((resolve) => {
      asked.set(asked.size, resolve);
      process.send?.({ ask: { id: asked.size - 1, subject } });
    }),
  );
  const hsm = new SupervisorHsm(socket as string, { authoriser });
  const batch = cards(Number(items));
  const send = (): Promise<unknown> => protectForCard(hsm, device as '@diversification', batch, { priority: 'batch' });
  let resting = true;
  process.on('message', (message: 'run' | 'rest' | { id: number; approvals: Approval[] }) => {
    if (typeof message === 'object') return asked.get(message.id)?.(message.approvals);
    resting = message === 'rest';
    // A batch that fails ends the process, and with it the measurement.
    if (!resting) void pace(send, 1000 / Number(batchesASecond), () => resting).then((perSecond) => process.send?.({ perSecond: perSecond * batch.length }));
  });
  process.on('disconnect', () => process.exit(0));
  await send();
  process.send?.({ running: 1 });
}

/** Sends every `periodMs` until told to rest; how many a second came back, until the last. */
async function pace(send: () => Promise<unknown>, periodMs: number, resting: () => boolean): Promise<number> {
  const started = performance.now();
  const sent: Promise<unknown>[] = [];
  for (let next = started; !resting(); next += periodMs) {
    // What came back is let go, as by a job that passes it on; a failure is told by the sum below.
    const call = send().then(() => undefined);
    call.catch(() => undefined);
    sent.push(call);
    await sleep(Math.max(0, next + periodMs - performance.now()));
  }
  await Promise.all(sent);
  return sent.length / ((performance.now() - started) / 1000);
}

if (process.argv[1] === import.meta.filename) {
  main(process.argv.slice(2)).catch((error: unknown) => {
    process.stderr.write(`steady load: ${String(error)}\n`);
    process.exit(1);
  });
}
