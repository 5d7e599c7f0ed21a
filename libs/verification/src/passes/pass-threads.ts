import { Worker } from 'node:worker_threads';
import { AppError, type ErrorCode, type ErrorDetails } from '#libs/platform';
import type { PassJob, PassResult } from './pass-jobs.js';

export interface ThreadRequest {
  readonly id: number;
  readonly job: PassJob;
}

export interface ThreadAnswer {
  readonly id: number;
  readonly result?: PassResult;
  readonly error?: { readonly code: ErrorCode; readonly details: ErrorDetails } | { readonly message: string };
}

interface Slot {
  readonly worker: Worker;
  readonly waiting: Map<number, { resolve: (result: PassResult) => void; reject: (error: unknown) => void }>;
}

/** Records are short-lived objects by the million; a larger nursery holds memory and verifies no faster. */
const YOUNG_GENERATION_MB = 24;

/**
 * Threads that run passes, so that the process's own loop stays free for heartbeats and the database. A thread that
 * dies fails what it was doing and is replaced.
 */
export class PassThreads {
  private readonly slots: Slot[] = [];
  private nextId = 1;
  private closed = false;

  constructor(
    readonly size: number,
    private readonly evidenceDir: string,
  ) {
    for (let i = 0; i < size; i++) this.slots.push(this.start());
  }

  /** The least busy thread takes it. */
  run(job: PassJob): Promise<PassResult> {
    const slot = this.slots.reduce((best, each) => (each.waiting.size < best.waiting.size ? each : best));
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      slot.waiting.set(id, { resolve, reject });
      slot.worker.postMessage({ id, job } satisfies ThreadRequest);
    });
  }

  /** Nest calls it when the process closes. */
  async onModuleDestroy(): Promise<void> {
    await this.close();
  }

  async close(): Promise<void> {
    this.closed = true;
    await Promise.all(this.slots.map(({ worker }) => worker.terminate()));
  }

  private start(): Slot {
    const slot: Slot = { worker: new Worker(threadProgram(), { workerData: { evidenceDir: this.evidenceDir }, resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB } }), waiting: new Map() };
    slot.worker.on('message', (answer: ThreadAnswer) => {
      const asked = slot.waiting.get(answer.id);
      slot.waiting.delete(answer.id);
      if (answer.result !== undefined) asked?.resolve(answer.result);
      else asked?.reject(thrown(answer));
    });
    let cause: unknown = new Error('a verification thread ended');
    slot.worker.on('error', (error) => (cause = error));
    slot.worker.on('exit', () => {
      for (const { reject } of slot.waiting.values()) reject(cause);
      if (!this.closed) this.slots[this.slots.indexOf(slot)] = this.start();
    });
    return slot;
  }
}

function thrown({ error }: ThreadAnswer): Error {
  if (error !== undefined && 'code' in error) return new AppError(error.code, error.details);
  return new Error(error?.message ?? 'a verification thread answered nothing');
}

/** Threads run compiled code: under the tests, which run the sources, that is the build in dist/. */
function threadProgram(): URL {
  const here = new URL('./pass-thread.js', import.meta.url);
  return import.meta.url.endsWith('.ts') ? new URL(here.href.replace('/libs/verification/src/', '/dist/libs/verification/src/')) : here;
}
