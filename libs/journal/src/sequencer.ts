import { randomUUID } from 'node:crypto';
import type { DataSource, EntityManager } from 'typeorm';
import type { Clock } from '#libs/platform';
import { checkpointBytes, toHex } from '#libs/platform/domain';
import type { CheckpointSigner } from './checkpoint-signer.js';
import { type BatchPlan, planBatch } from './domain/batch.js';
import { journalLeaf, leafHash } from './domain/entry.js';
import { logKeyAct } from './domain/log-key.js';
import { DIGEST_BYTES, MerkleRoot } from './domain/merkle.js';
import { type Horizon, insertEntries, type LogHead, NOWHERE, readHead, readLogKeys, readStaged, type StagedEntry } from './journal.repository.js';

/** One number for "this database's journal has one sequencer" (pg_advisory_xact_lock). */
const SEQUENCER_LOCK = 0x4855_4a4e;
/** Rows under one signature at most: what a slow device and a fast database balance at. */
const BATCH = 10_000;
/** A pass that placed fewer has caught up: the next may wait a moment, or each entry would get a commit and a signature of its own. */
export const CAUGHT_UP_BELOW = 1_000;

/**
 * Gives staged entries their place in the log and signs the head over them: one transaction and one checkpoint per batch, one
 * sequencer at a time by advisory lock. Without a log key entries wait.
 *
 * The next batch is found by anti-join from a horizon that is stored with each checkpoint: the last row placed, or the oldest
 * transaction then open if that is older. Whatever commits later has an xid from there on, so a late commit is never skipped,
 * and what lies before is never looked at again.
 */
export class Sequencer {
  constructor(
    private readonly dataSource: DataSource,
    private readonly signer: CheckpointSigner,
    private readonly clock: Clock,
  ) {}

  /** Sequences up to one batch; returns how many staged entries it placed. Throws AppError when the head cannot be signed; then nothing is placed. */
  async runOnce(): Promise<number> {
    return this.dataSource.transaction(async (tx) => {
      const [lock]: { held: boolean }[] = await tx.query('SELECT pg_try_advisory_xact_lock($1) AS held', [SEQUENCER_LOCK]);
      if (lock?.held !== true) return 0;
      const keys = await readLogKeys(tx);
      if (keys.length === 0) return 0;
      const head = await readHead(tx);
      const from = await this.horizonOf(tx, head);
      const { rows, oldestOpen } = await readStaged(tx, from, BATCH);
      const now = this.clock.now();
      const plan = planBatch(rows, head, keys, now.getUTCFullYear());
      if (plan === undefined) return 0;
      const placed = rows.slice(0, plan.take);
      await this.append(tx, head, plan, placed, nextHorizon(placed, oldestOpen), now);
      return placed.length;
    });
  }

  /** Sequences until nothing is staged, or nothing can be placed. */
  async drain(): Promise<number> {
    let total = 0;
    for (let placed = await this.runOnce(); placed > 0; placed = await this.runOnce()) total += placed;
    return total;
  }

  /** A database that was restored into another cluster counts its transactions anew: then all staged rows are looked at. */
  private async horizonOf(tx: EntityManager, head: LogHead | undefined): Promise<Horizon> {
    // The planner would rather hash the whole log than follow two indexes for one batch.
    await tx.query('SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_sort = off');
    if (head === undefined) return NOWHERE;
    const [row]: { known: boolean }[] = await tx.query('SELECT $1::text::xid8 <= pg_snapshot_xmax(pg_current_snapshot()) AS known', [head.horizon.xid]);
    return row?.known === true ? head.horizon : NOWHERE;
  }

  private async append(tx: EntityManager, head: LogHead | undefined, plan: BatchPlan, rows: readonly StagedEntry[], horizon: Horizon, now: Date): Promise<void> {
    const continues = head !== undefined && head.shard === plan.shard;
    const own = plan.logKeyEntry === undefined ? [] : [await this.stageLogKey(tx, plan, continues ? undefined : head, now)];
    const entries = plan.logKeyEntry === 'first' ? [...own, ...rows] : [...rows, ...own];
    const start = continues ? head.size : 0;
    const sha256 = MerkleRoot.resume('sha256', start, continues ? head.sha256Range : new Uint8Array());
    const sm3 = MerkleRoot.resume('sm3', start, continues ? head.sm3Range : new Uint8Array());
    const leaves = { sha256: new Uint8Array(entries.length * DIGEST_BYTES), sm3: new Uint8Array(entries.length * DIGEST_BYTES) };
    entries.forEach(({ body }, i) => {
      const [a, b] = [leafHash(body, 'sha256'), leafHash(body, 'sm3')];
      leaves.sha256.set(a, i * DIGEST_BYTES);
      leaves.sm3.set(b, i * DIGEST_BYTES);
      sha256.add(a);
      sm3.add(b);
    });
    // A clock that was set back must not make heads go back in time.
    const at = head !== undefined && head.at > now ? head.at : now;
    const text = checkpointBytes({ shard: plan.shard, size: sha256.size, sha256Root: toHex(sha256.root()), sm3Root: toHex(sm3.root()), at, keyId: plan.key.keyId });
    const signature = await this.signer.sign(plan.key, text);
    const previous = plan.previousKey === undefined ? undefined : await this.signer.sign(plan.previousKey, text);
    await insertEntries(tx, plan.shard, start, entries.map(({ id }) => id), leaves.sha256, leaves.sm3);
    await tx.query(
      `INSERT INTO journal_checkpoint (shard, size, text, key_id, signature, previous_key_id, previous_signature, sha256_range, sm3_range, horizon, horizon_id, made_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::text::xid8, $11, $12)`,
      [
        plan.shard, sha256.size, Buffer.from(text), plan.key.keyId, Buffer.from(signature), plan.previousKey?.keyId ?? null, previous === undefined ? null : Buffer.from(previous),
        Buffer.from(sha256.range()), Buffer.from(sm3.range()), horizon.xid, horizon.id, at,
      ],
    );
  }

  private async stageLogKey(tx: EntityManager, plan: BatchPlan, closed: LogHead | undefined, now: Date): Promise<{ id: string; body: Uint8Array }> {
    const leaf = journalLeaf(randomUUID(), logKeyAct(plan.key, plan.shard, closed), now);
    await tx.query('INSERT INTO journal_stage (id, kind, subject, body, leaf_hash) VALUES ($1, $2, $3, $4, $5)', [
      leaf.id, leaf.kind, leaf.subject, Buffer.from(leaf.body), Buffer.from(leaf.leafHash),
    ]);
    return leaf;
  }
}

/** Rows before it are placed for good: up to the last one of this batch, but not past a transaction that is still open. */
function nextHorizon(placed: readonly StagedEntry[], oldestOpen: string): Horizon {
  const last = placed.at(-1);
  if (last === undefined || BigInt(oldestOpen) <= BigInt(last.xid)) return { xid: oldestOpen, id: NOWHERE.id };
  return { xid: last.xid, id: last.id };
}
