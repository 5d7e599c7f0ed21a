import type { DataSource, EntityManager } from 'typeorm';
import { Journal } from '#libs/journal';
import { AppError, type Clock, isAppError, type Logger } from '#libs/platform';
import type { ChunkQueue, ChunkTask, HeldTask } from './chunk-queue.js';
import { isFinished, type RunState, transitionRun } from './domain/run-state.js';
import type { PassJob, PassResult } from './passes/pass-jobs.js';
import type { PassThreads } from './passes/pass-threads.js';
import {
  countChunks, findChunkDigest, findChunks, findFiles, findRun, findSlices, findStates, insertAggregates, insertChunk, insertFailures, insertResult, insertState, type RunRow,
} from './verification.repository.js';

export interface WorkerParts {
  readonly dataSource: DataSource;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly queue: ChunkQueue;
  readonly threads: PassThreads;
  readonly logger: Logger;
}

/** How long a worker with nothing to do waits before it asks again. */
const IDLE_MS = 200;
/** After a failed question to the queue. */
const TROUBLE_MS = 2_000;
/** A third of the queue's heartbeat. */
const TOUCH_MS = 3_000;

/** These do not go away by trying again: the run ends, by name. */
const FINAL_ERRORS: ReadonlySet<string> = new Set(['EVIDENCE_MISSING', 'EVIDENCE_DAMAGED', 'CHUNK_DIGEST_DIFFERS', 'RUN_UNKNOWN']);

class HoldLost extends Error {}

/**
 * Takes chunks from the queue and runs them, as many at a time as there are threads. Any number of workers may run on any
 * number of hosts: what is committed depends on the files and the snapshot only.
 */
export class VerificationWorker {
  private readonly held = new Set<HeldTask>();
  private readonly sleeping = new Set<() => void>();
  private stopping = false;
  private loops: Promise<void>[] = [];
  private touching: NodeJS.Timeout | undefined;

  constructor(private readonly parts: WorkerParts) {}

  start(): void {
    this.touching = setInterval(() => void this.touchAll(), TOUCH_MS);
    // One task more than threads: while one chunk is committed, its thread already has the next.
    this.loops = Array.from({ length: this.parts.threads.size + 1 }, () => this.loop());
  }

  /** Finishes the chunks in hand, then stops. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.wakeAll();
    await Promise.all(this.loops);
    clearInterval(this.touching);
  }

  private async loop(): Promise<void> {
    while (!this.stopping) {
      try {
        const held = await this.parts.queue.fetch();
        if (held === undefined) await this.idle(IDLE_MS);
        else await this.work(held);
      } catch (error) {
        // The database is down or restarts; the worker outlives it.
        this.parts.logger.error('fetch', error);
        await this.idle(TROUBLE_MS);
      }
    }
  }

  /** Waits a while, or until this worker has itself made new tasks or is to stop. */
  private idle(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.sleeping.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.sleeping.add(wake);
    });
  }

  private wakeAll(): void {
    for (const wake of [...this.sleeping]) wake();
  }

  private async work(held: HeldTask): Promise<void> {
    this.held.add(held);
    try {
      await this.runTask(held);
      // What was committed may have opened the next pass.
      this.wakeAll();
    } catch (error) {
      if (error instanceof HoldLost) this.parts.logger.warn('hold lost', { ...held.task });
      else await this.failed(held, error);
    } finally {
      this.held.delete(held);
    }
  }

  private async runTask(held: HeldTask): Promise<void> {
    const { task } = held;
    const run = await findRun(this.parts.dataSource, task.runId);
    if (run === undefined) throw new AppError('RUN_UNKNOWN', { run: task.runId });
    const job = await this.jobOf(task, run);
    const result = job === undefined ? undefined : await this.parts.threads.run(job);
    await this.parts.dataSource.transaction(async (tx) => {
      // One commit of a run at a time: the last one of a pass sees that it is the last.
      await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [task.runId]);
      const state = (await findStates(tx, task.runId)).at(-1)?.state ?? 'verifying';
      if (result !== undefined) await this.commit(tx, run, task, state, result);
      if (!(await this.parts.queue.completeIn(tx, held))) throw new HoldLost();
    });
  }

  /** What a thread has to do for a task; undefined when the run is over. */
  private async jobOf(task: ChunkTask, run: RunRow): Promise<PassJob | undefined> {
    const { dataSource } = this.parts;
    const states = await findStates(dataSource, run.id);
    if (states.some(({ state }) => isFinished(state))) return undefined;
    const files = new Map((await findFiles(dataSource, run.id)).map((file) => [file.fileNo, file]));
    if (task.pass === 1) {
      const [slice] = await findSlices(dataSource, run.id, task.partition);
      const file = slice && files.get(slice.fileNo);
      if (slice === undefined || file === undefined) throw new AppError('RUN_UNKNOWN', { run: run.id });
      return {
        pass: 1, snapshotDigest: run.snapshotDigest, fileDigest: file.digest, fileName: file.name, fileNo: file.fileNo, format: file.format,
        firstLine: slice.firstLine, byteStart: slice.byteStart, byteEnd: slice.byteEnd, sliceDigest: slice.digest, buckets: run.buckets,
      };
    }
    const chunks = await findChunks(dataSource, run.id, 1);
    if (task.pass === 2) return { pass: 2, bucket: task.partition, chunkDigests: chunks.map(({ digest }) => digest) };
    const slices = await findSlices(dataSource, run.id);
    return {
      pass: 3,
      slices: slices.map((slice, i) => ({
        chunkDigest: chunks[i]?.digest ?? '', fileNo: slice.fileNo, fileName: files.get(slice.fileNo)?.name ?? '', firstLine: slice.firstLine,
      })),
      duplicateDigests: (await findChunks(dataSource, run.id, 2)).map(({ digest }) => digest),
    };
  }

  private async commit(tx: EntityManager, run: RunRow, task: ChunkTask, state: RunState, result: PassResult): Promise<void> {
    const { clock, journal, queue } = this.parts;
    const { pass, partition } = task;
    const committed = await findChunkDigest(tx, run.id, pass, partition);
    if (committed !== undefined && committed !== result.digest) throw new AppError('CHUNK_DIGEST_DIFFERS', { pass, partition });
    // A second attempt that came to the same answer, or a run that is over: nothing to add.
    if (committed !== undefined || isFinished(state)) return;
    const now = clock.now();
    const data = { pass, partition, digest: result.digest, lines: result.lines };
    const entryId = await journal.record(tx, { kind: 'verification.chunk', subject: run.id, data: { ...data, root: result.merged?.merkleRoot ?? null } });
    await insertChunk(tx, run.id, { ...data, counts: result.counts }, now, entryId);
    const counts = await countChunks(tx, run.id, pass);
    const wanted = { 1: counts.slices, 2: run.buckets, 3: 1 };
    if (counts.committed < wanted[pass]) return;

    const next = { 1: 'comparing', 2: 'merging', 3: 'done' } as const;
    await insertState(tx, run.id, { state: transitionRun(state, next[pass]), at: now, reason: undefined }, entryId);
    if (pass === 1) await queue.enqueueIn(tx, Array.from({ length: run.buckets }, (_, bucket) => ({ runId: run.id, pass: 2, partition: bucket })));
    if (pass === 2) await queue.enqueueIn(tx, [{ runId: run.id, pass: 3, partition: 0 }]);
    if (result.merged === undefined) return;
    await insertFailures(tx, run.id, result.merged.failures, entryId);
    await insertAggregates(tx, run.id, result.merged.aggregates, entryId);
    await insertResult(tx, run.id, { merkleRoot: result.merged.merkleRoot, resultDigest: result.digest, resultBytes: result.bytes, lines: result.lines }, entryId);
  }

  /** Final errors and the last attempt end the run; everything else is tried again later. */
  private async failed(held: HeldTask, error: unknown): Promise<void> {
    const { logger, queue } = this.parts;
    const { task } = held;
    logger.error('chunk failed', error, { ...task, attempt: held.attempt });
    const reason = isAppError(error) ? `${error.code} ${JSON.stringify(error.details)}` : 'INTERNAL';
    const isFinal = held.isLastAttempt || (isAppError(error) && FINAL_ERRORS.has(error.code));
    try {
      if (isFinal) await this.endRun(held, reason);
      else await queue.fail(held, reason);
    } catch (second) {
      // Nothing could be written (the database is down): the hold lapses by itself and the chunk is taken up again.
      logger.error('chunk failure not recorded', second, { ...task });
    }
  }

  private async endRun(held: HeldTask, reason: string): Promise<void> {
    const { clock, dataSource, journal, queue } = this.parts;
    const { runId, pass, partition } = held.task;
    await dataSource.transaction(async (tx) => {
      await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [runId]);
      const state = (await findStates(tx, runId)).at(-1)?.state;
      if (state !== undefined && !isFinished(state)) {
        const entryId = await journal.record(tx, { kind: 'verification.failed', subject: runId, data: { pass, partition, reason } });
        await insertState(tx, runId, { state: transitionRun(state, 'failed'), at: clock.now(), reason }, entryId);
      }
      await queue.completeIn(tx, held);
    });
  }

  private async touchAll(): Promise<void> {
    for (const held of this.held) {
      await this.parts.queue.touch(held).catch((error: unknown) => this.parts.logger.error('touch', error, { ...held.task }));
    }
  }
}
