import { createReadStream } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { basename } from 'node:path';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { Journal } from '#libs/journal';
import { AppError, Clock } from '#libs/platform';
import { ChunkQueue } from './chunk-queue.js';
import { bucketCount } from './domain/duplicates.js';
import { type CutLimits, CUT_LIMITS, FileCutter } from './domain/file-cutter.js';
import { type RunProgress, runProgress } from './domain/progress.js';
import { isFinished } from './domain/run-state.js';
import type { SettlementFormat } from './domain/settlement-format.js';
import { encodeSnapshot } from './domain/status-snapshot.js';
import { RULE_VERSION, VERIFIER_VERSION } from './domain/version.js';
import { EvidenceStore } from './evidence-store.js';
import { StatusSnapshotSource } from './status-snapshot-source.js';
import {
  type FailureFilter, type FileRow, findAggregates, findChunks, findFailures, findFiles, findResult, findRun, findSlices, findStates,
  insertFiles, insertRun, insertSlices, insertState, type ResultRow, type RunRow, type SliceRow, type StateRow,
} from './verification.repository.js';
import type { Aggregate, Failure } from './passes/pass-jobs.js';

export interface SubmittedFile {
  readonly path: string;
  readonly format: SettlementFormat;
  /** As it shall stand in verdicts and reports; the last part of the path when absent. Unique within a run. */
  readonly name?: string | undefined;
}

export interface RunResults {
  readonly run: RunRow;
  readonly states: readonly StateRow[];
  readonly files: readonly FileRow[];
  readonly result: ResultRow;
  readonly aggregates: readonly Aggregate[];
}

/** Use cases around a run: hand in files, watch it, read its results. The passes themselves run in the worker. */
@Injectable()
export class Verification {
  /** Tests cut smaller. */
  limits: CutLimits = CUT_LIMITS;

  constructor(
    private readonly dataSource: DataSource,
    private readonly journal: Journal,
    private readonly clock: Clock,
    private readonly evidence: EvidenceStore,
    private readonly queue: ChunkQueue,
    private readonly snapshots: StatusSnapshotSource,
  ) {}

  /**
   * Keeps the files as they were received, fixes the status snapshot and queues pass 1. A file that cannot be what it is
   * said to be refuses the whole submission by name (FILE_*) and no run exists. Returns the run id.
   */
  async submit(order: { files: readonly SubmittedFile[] }): Promise<string> {
    const { files, slices } = await this.receive(order.files);
    const snapshot = await this.snapshots.take();
    const { digest: snapshotDigest } = await this.evidence.keep([encodeSnapshot(snapshot)]);
    const lines = files.reduce((sum, file) => sum + file.lines, 0);
    const now = this.clock.now();
    const run: RunRow = {
      id: randomUUID(), submittedAt: now, ruleVersion: RULE_VERSION, verifierVersion: VERIFIER_VERSION,
      snapshotDigest, snapshotAt: new Date(snapshot.takenAtMs), lines, buckets: bucketCount(lines),
    };
    await this.dataSource.transaction(async (tx) => {
      const entryId = await this.journal.record(tx, {
        kind: 'verification.submit',
        subject: run.id,
        data: { files: files.map(({ name, digest }) => ({ name, digest })), lines, snapshot: snapshotDigest, rules: RULE_VERSION, verifier: VERIFIER_VERSION },
      });
      await insertRun(tx, run, entryId);
      await insertFiles(tx, run.id, files, entryId);
      await insertSlices(tx, run.id, slices, entryId);
      await insertState(tx, run.id, { state: 'verifying', at: now, reason: undefined }, entryId);
      await this.queue.enqueueIn(tx, slices.map(({ partition }) => ({ runId: run.id, pass: 1, partition })));
    });
    return run.id;
  }

  /** Throws RUN_UNKNOWN. */
  async status(runId: string): Promise<RunProgress> {
    const run = await this.run(runId);
    const [states, chunks] = [await findStates(this.dataSource, runId), await findChunks(this.dataSource, runId, 1)];
    return runProgress(run.lines, states, chunks, this.clock.now());
  }

  /** What a finished run found. Throws RUN_UNKNOWN; RUN_STATE_ILLEGAL while it is not done. */
  async results(runId: string): Promise<RunResults> {
    const run = await this.run(runId);
    const states = await findStates(this.dataSource, runId);
    const result = await findResult(this.dataSource, runId);
    if (result === undefined) throw new AppError('RUN_STATE_ILLEGAL', { from: states.at(-1)?.state ?? '', to: 'done' });
    return { run, states, files: await findFiles(this.dataSource, runId), result, aggregates: await findAggregates(this.dataSource, runId) };
  }

  /** Records that are not plainly OK, in file order. */
  async failures(runId: string, filter: FailureFilter): Promise<Failure[]> {
    return findFailures(this.dataSource, runId, filter);
  }

  /** The result file: one verdict a line, in file order. */
  async *resultFile(runId: string): AsyncIterable<Buffer> {
    yield* this.evidence.stream((await this.results(runId)).result.resultDigest);
  }

  /** Waits, asking every `everyMs`, until the run is finished; then its progress. */
  async finished(runId: string, everyMs = 200): Promise<RunProgress> {
    for (;;) {
      const progress = await this.status(runId);
      if (isFinished(progress.state)) return progress;
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  }

  private async run(runId: string): Promise<RunRow> {
    const isId = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/.test(runId);
    const run = isId ? await findRun(this.dataSource, runId) : undefined;
    if (run === undefined) throw new AppError('RUN_UNKNOWN', { run: runId });
    return run;
  }

  private async receive(submitted: readonly SubmittedFile[]): Promise<{ files: FileRow[]; slices: SliceRow[] }> {
    if (submitted.length === 0) throw new AppError('REQUEST_INVALID', { reason: 'no files' });
    const files: FileRow[] = [];
    const slices: SliceRow[] = [];
    for (const [fileNo, each] of submitted.entries()) {
      const name = each.name ?? basename(each.path);
      const cutter = new FileCutter(name, each.format, this.limits);
      const { digest } = await this.evidence.keep(passThrough(each.path, name, cutter));
      const cut = cutter.result();
      if (files.some((file) => file.digest === digest || file.name === name)) throw new AppError('FILE_DUPLICATE', { name });
      files.push({ fileNo, name, format: each.format, digest, bytes: cut.bytes, lines: cut.lines });
      for (const slice of cut.slices) slices.push({ ...slice, partition: slices.length, fileNo });
    }
    return { files, slices };
  }
}

/** Reads the file once: every block is looked at and handed on. What the cutter refuses is not kept. */
async function* passThrough(path: string, name: string, cutter: FileCutter): AsyncIterable<Uint8Array> {
  try {
    for await (const block of createReadStream(path, { highWaterMark: 1_048_576 }) as AsyncIterable<Buffer>) {
      cutter.add(block);
      yield block;
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'EACCES' || code === 'EISDIR' || code === 'ERR_ACCESS_DENIED') throw new AppError('FILE_NOT_FOUND', { name }, { cause: error });
    throw error;
  }
  cutter.finish();
}
