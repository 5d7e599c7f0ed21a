import type { EntityManager } from 'typeorm';
import { readCheckpoint } from '#libs/platform/domain';
import type { ClosedShard, LogKey } from './domain/log-key.js';

/** Where the log ends, with what the sequencer needs to go on. */
export interface LogHead extends ClosedShard {
  readonly keyId: string;
  readonly at: Date;
  readonly sha256Range: Uint8Array;
  readonly sm3Range: Uint8Array;
  /** No staged row before this pair, in the order (xid, id), waits for its place. */
  readonly horizon: Horizon;
}

export interface Horizon {
  /** A PostgreSQL xid8, decimal. */
  readonly xid: string;
  readonly id: string;
}

export interface StagedEntry {
  readonly xid: string;
  readonly id: string;
  readonly year: number;
  readonly body: Uint8Array;
}

export const NOWHERE: Horizon = { xid: '0', id: '00000000-0000-0000-0000-000000000000' };

export async function readHead(tx: EntityManager): Promise<LogHead | undefined> {
  const [row]: { text: Buffer; sha256_range: Buffer; sm3_range: Buffer; horizon: string; horizon_id: string }[] = await tx.query(
    'SELECT text, sha256_range, sm3_range, horizon::text, horizon_id FROM journal_checkpoint ORDER BY shard DESC, size DESC LIMIT 1',
  );
  if (row === undefined) return undefined;
  const checkpoint = readCheckpoint(row.text);
  if (checkpoint === undefined) throw new RangeError('the last checkpoint does not parse');
  return { ...checkpoint, sha256Range: row.sha256_range, sm3Range: row.sm3_range, horizon: { xid: row.horizon, id: row.horizon_id } };
}

/** In the order in which they were made. */
export async function readLogKeys(tx: Pick<EntityManager, 'query'>): Promise<LogKey[]> {
  const rows: { key_id: string; algorithm: LogKey['algorithm']; spki: Buffer; device_group: string; from_shard: number }[] = await tx.query(
    'SELECT key_id, algorithm, spki, device_group, from_shard FROM journal_key ORDER BY made_order',
  );
  return rows.map((row) => ({ keyId: row.key_id, algorithm: row.algorithm, spki: Uint8Array.from(row.spki), deviceGroup: row.device_group, fromShard: row.from_shard }));
}

/**
 * The next staged rows without a place, in the order (xid, id), and the oldest transaction that may still commit one. Both come from one
 * statement, hence from one snapshot.
 */
export async function readStaged(tx: EntityManager, from: Horizon, most: number): Promise<{ rows: StagedEntry[]; oldestOpen: string }> {
  const rows: { xid: string; id: string; year: number; body: Buffer; oldest: string }[] = await tx.query(
    `SELECT s.xid::text AS xid, s.id, extract(year FROM s.recorded_at AT TIME ZONE 'UTC')::int AS year, s.body,
            pg_snapshot_xmin(pg_current_snapshot())::text AS oldest
     FROM journal_stage s
     WHERE (s.xid, s.id) > ($1::text::xid8, $2::uuid) AND NOT EXISTS (SELECT 1 FROM journal_entry e WHERE e.stage_id = s.id)
     ORDER BY s.xid, s.id LIMIT $3`,
    [from.xid, from.id, most],
  );
  return { rows: rows.map(({ xid, id, year, body }) => ({ xid, id, year, body })), oldestOpen: rows[0]?.oldest ?? from.xid };
}

/** Places `ids` from `firstIdx` on; digests are 32 bytes each. One array of bytes per column: PostgreSQL cuts it, nothing is escaped. */
export async function insertEntries(tx: EntityManager, shard: number, firstIdx: number, ids: readonly string[], sha256: Uint8Array, sm3: Uint8Array): Promise<void> {
  await tx.query(
    `INSERT INTO journal_entry (shard, idx, stage_id, leaf_hash, leaf_sm3)
     SELECT $1, $2::bigint + n, encode(substring($3::bytea FROM n * 16 + 1 FOR 16), 'hex')::uuid,
            substring($4::bytea FROM n * 32 + 1 FOR 32), substring($5::bytea FROM n * 32 + 1 FOR 32)
     FROM generate_series(0, $6::int - 1) AS n`,
    [shard, firstIdx, Buffer.from(ids.join('').replaceAll('-', ''), 'hex'), Buffer.from(sha256), Buffer.from(sm3), ids.length],
  );
}
