import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Clock } from '#libs/platform';
import { type JournalAct, type JournalLeaf, journalLeaf } from './domain/entry.js';

/** Stages entries in the caller's transaction, so that the act and its entry commit together or not at all. */
@Injectable()
export class Journal {
  constructor(private readonly clock: Clock) {}

  /** Returns the entry id, which the rows that the act changes must carry in `entry_id`. */
  async record(tx: EntityManager, act: JournalAct): Promise<string> {
    const [id] = await this.recordMany(tx, [act]);
    return id as string;
  }

  async recordMany(tx: EntityManager, acts: readonly JournalAct[]): Promise<string[]> {
    const at = this.clock.now();
    const leaves = acts.map((act) => journalLeaf(randomUUID(), act, at));
    for (let i = 0; i < leaves.length; i += 1_000) await this.stage(tx, leaves.slice(i, i + 1_000));
    return leaves.map((leaf) => leaf.id);
  }

  private async stage(tx: EntityManager, leaves: readonly JournalLeaf[]): Promise<void> {
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
