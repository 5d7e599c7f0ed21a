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

  /** Items a second from the first batch to the last answer. Throws when a batch failed. */
  async stop(): Promise<number> {
    if (!this.child.connected) throw new Error('the load ended before its time');
    const done = this.#told('perSecond');
    this.child.send('stop');
    const rate = await done;
    this.child.disconnect();
    await this.ended;
    return rate;
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
  let stopped = false;
  process.on('message', (message: 'stop' | { id: number; approvals: Approval[] }) => {
    if (message === 'stop') stopped = true;
    else asked.get(message.id)?.(message.approvals);
  });
  process.on('disconnect', () => process.exit(stopped ? 0 : 1));
  const authoriser = new AskingAuthoriser({ client: 'service', ticketCount: 1_000_000, ticketHours: 1, requestMinutes: 5 }, (subject) =>
    new Promise<Approval[]>((resolve) => {
      asked.set(asked.size, resolve);
      process.send?.({ ask: { id: asked.size - 1, subject } });
    }),
  );
  const hsm = new SupervisorHsm(socket as string, { authoriser });
  const batch = cards(Number(items));
  const periodMs = 1000 / Number(batchesASecond);
  const send = (): Promise<unknown> => protectForCard(hsm, device as '@diversification', batch, { priority: 'batch' });
  await send();
  process.send?.({ running: 1 });
  const started = performance.now();
  const sent: Promise<unknown>[] = [];
  for (let next = started; !stopped; next += periodMs) {
    const call = send();
    call.catch(() => undefined); // told by the sum below
    sent.push(call);
    await sleep(Math.max(0, next + periodMs - performance.now()));
  }
  await Promise.all(sent);
  process.send?.({ perSecond: (sent.length * batch.length) / ((performance.now() - started) / 1000) });
  hsm.close();
}

if (process.argv[1] === import.meta.filename) {
  main(process.argv.slice(2)).catch((error: unknown) => {
    process.stderr.write(`steady load: ${String(error)}\n`);
    process.exit(1);
  });
}
