import type { DataSource } from 'typeorm';

/** One number for "this database's journal has one sequencer" (pg_advisory_xact_lock). */
const SEQUENCER_LOCK = 0x4855_4a4e;
const BATCH = 1_000;

/**
 * Gives staged entries their place in the log. The next batch is found by anti-join, not by a high-water mark, so an
 * entry whose transaction committed late is never skipped. One at a time by advisory lock; whole batches or nothing.
 */
export class Sequencer {
  constructor(private readonly dataSource: DataSource) {}

  /** Sequences up to one batch; returns how many entries it placed. */
  async runOnce(): Promise<number> {
    return this.dataSource.transaction(async (tx) => {
      const [lock]: { held: boolean }[] = await tx.query('SELECT pg_try_advisory_xact_lock($1) AS held', [SEQUENCER_LOCK]);
      if (lock?.held !== true) return 0;
      const placed: unknown[] = await tx.query(
        `INSERT INTO journal_entry (idx, stage_id, leaf_hash)
         SELECT (SELECT coalesce(max(idx) + 1, 0) FROM journal_entry) + row_number() OVER (ORDER BY recorded_at, id) - 1, id, leaf_hash
         FROM (SELECT id, recorded_at, leaf_hash FROM journal_stage s
               WHERE NOT EXISTS (SELECT 1 FROM journal_entry e WHERE e.stage_id = s.id)
               ORDER BY recorded_at, id LIMIT ${BATCH}) AS batch
         RETURNING 1`,
      );
      return placed.length;
    });
  }

  /** Sequences until nothing is staged. */
  async drain(): Promise<number> {
    let total = 0;
    for (let placed = await this.runOnce(); placed > 0; placed = await this.runOnce()) total += placed;
    return total;
  }
}
