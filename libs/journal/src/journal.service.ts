import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Clock, prepared } from '#libs/platform';
import { AppError } from '#libs/platform/domain';
import { type JournalAct, type JournalLeaf, journalLeaf } from './domain/entry.js';
import { entryId, type EntryTick, nextTick } from './domain/entry-id.js';
import { type Standing, whyStale } from './domain/staleness.js';

/** A privileged act waits this long for its intent to be in an anchored checkpoint. */
const ANCHORED_MILLISECONDS = 5_000;
const POLL_MILLISECONDS = 20;

/** Stages entries in the caller's transaction, so that the act and its entry commit together or not at all. */
@Injectable()
export class Journal {
  private tick: EntryTick | undefined;

  constructor(private readonly clock: Clock) {}

  /** Returns the entry id, which the rows that the act changes must carry in `entry_id`. */
  async record(tx: EntityManager, act: JournalAct): Promise<string> {
    const [id] = await this.recordMany(tx, [act]);
    return id as string;
  }

  async recordMany(tx: EntityManager, acts: readonly JournalAct[]): Promise<string[]> {
    const at = this.clock.now();
    const leaves = acts.map((act) => journalLeaf(this.nextId(at), act, at));
    for (let i = 0; i < leaves.length; i += 1_000) await this.stage(tx, leaves.slice(i, i + 1_000));
    return leaves.map((leaf) => leaf.id);
  }

  /**
   * Between the committed intent of a privileged act and the device: returns when the entry stands under a signed head that at
   * least one anchor has taken, so that nobody can do the act and then take its trace away. Throws JOURNAL_STALE after 5 s.
   * `db`: outside the transaction that recorded the entry.
   */
  async anchored(db: Pick<EntityManager, 'query'>, entryId: string): Promise<void> {
    const until = performance.now() + ANCHORED_MILLISECONDS;
    for (;;) {
      const { anchored, ...standing } = await standingOf(db, entryId);
      if (anchored) return;
      if (performance.now() >= until || standing.logKeys === 0) {
        const { zh, en } = whyStale(standing);
        throw new AppError('JOURNAL_STALE', { reasonZh: zh, reasonEn: en });
      }
      await sleep(POLL_MILLISECONDS);
    }
  }

  private nextId(at: Date): string {
    this.tick = nextTick(this.tick, at.getTime());
    return entryId(this.tick, randomBytes(8));
  }

  private async stage(tx: EntityManager, leaves: readonly JournalLeaf[]): Promise<void> {
    const [only] = leaves;
    if (only !== undefined && leaves.length === 1) {
      // Nearly every act is one entry: without arrays neither side has to build and take them apart.
      await prepared(tx, 'journal-stage', 'INSERT INTO journal_stage (id, kind, subject, body, leaf_hash) VALUES ($1, $2, $3, $4, $5)', [only.id, only.kind, only.subject, only.body, only.leafHash]);
      return;
    }
    await tx.query(
      `INSERT INTO journal_stage (id, kind, subject, body, leaf_hash)
       SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bytea[], $5::bytea[])`,
      [
        leaves.map((leaf) => leaf.id),
        leaves.map((leaf) => leaf.kind),
        leaves.map((leaf) => leaf.subject),
        leaves.map((leaf) => Buffer.from(leaf.body)),
        leaves.map((leaf) => Buffer.from(leaf.leafHash)),
      ],
    );
  }
}

async function standingOf(db: Pick<EntityManager, 'query'>, entryId: string): Promise<Standing & { readonly anchored: boolean }> {
  const [row]: { keys: string; placed: boolean; anchored: boolean; last: string | null }[] = await db.query(
    `SELECT (SELECT count(*) FROM journal_key) AS keys, e.idx IS NOT NULL AS placed,
            EXISTS (SELECT 1 FROM journal_anchor a WHERE a.shard = e.shard AND a.size > e.idx) AS anchored,
            (SELECT extract(epoch FROM now() - a.anchored_at) FROM journal_anchor a ORDER BY a.shard DESC, a.size DESC LIMIT 1) AS last
     FROM (SELECT $1::uuid AS id) AS asked LEFT JOIN journal_entry e ON e.stage_id = asked.id`,
    [entryId],
  );
  return { logKeys: Number(row?.keys), placed: row?.placed === true, anchored: row?.anchored === true, lastAnchoredSeconds: row?.last === null ? undefined : Number(row?.last) };
}
