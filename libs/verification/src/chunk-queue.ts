import type { DataSource, EntityManager } from 'typeorm';

/** One unit of work: which partition of which pass of which run. Everything else stands in the run's rows. */
export interface ChunkTask {
  readonly runId: string;
  readonly pass: 1 | 2 | 3;
  readonly partition: number;
}

/** A task as one worker holds it. `id` and `attempt` together name the hold: a hold that was lost settles nothing. */
export interface HeldTask {
  readonly id: string;
  readonly attempt: number;
  readonly task: ChunkTask;
  /** No further attempt follows this one when it fails. */
  readonly isLastAttempt: boolean;
}

/**
 * Hands tasks to workers, each to one at a time, at least once. A hold lapses when it is not touched for its heartbeat;
 * the task then goes to another worker. Results are committed together with `completeIn`, which is what makes the effect
 * of every task exactly one.
 */
export abstract class ChunkQueue {
  /** Adds tasks in the caller's transaction. */
  abstract enqueueIn(tx: EntityManager, tasks: readonly ChunkTask[]): Promise<void>;
  abstract fetch(): Promise<HeldTask | undefined>;
  /** False when the hold was lost. */
  abstract touch(held: HeldTask): Promise<boolean>;
  /** False when the hold was lost: the caller rolls back, another attempt does or did the work. */
  abstract completeIn(tx: EntityManager, held: HeldTask): Promise<boolean>;
  /** Gives the task back for another attempt, after a pause. */
  abstract fail(held: HeldTask, reason: string): Promise<void>;
}

/** The connection a transaction runs on, for a library that speaks SQL itself. */
export interface SqlConnection {
  query(text: string, values?: unknown[]): Promise<unknown>;
}

export async function connectionOf(tx: EntityManager): Promise<SqlConnection> {
  if (tx.queryRunner === undefined) throw new Error('not inside a transaction');
  return (await tx.queryRunner.connect()) as SqlConnection;
}

/** Runs one statement on a connection of the pool. */
export async function onPool(dataSource: DataSource, text: string, values?: unknown[]): Promise<unknown> {
  const runner = dataSource.createQueryRunner();
  try {
    return await ((await runner.connect()) as SqlConnection).query(text, values);
  } finally {
    await runner.release();
  }
}
