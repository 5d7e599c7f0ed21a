import type { ClosedShard, LogKey } from './log-key.js';

/** What the sequencer needs of a staged row to choose its place. */
export interface StagedRow {
  /** Year of `recorded_at`, UTC. */
  readonly year: number;
}

export interface BatchPlan {
  readonly shard: number;
  readonly key: LogKey;
  /** Signs the same checkpoint too: the key before, when another takes over. */
  readonly previousKey: LogKey | undefined;
  /** How many of the rows, from the first on. */
  readonly take: number;
  /** Where the entry `journal.logKey` stands in the batch. */
  readonly logKeyEntry: 'first' | 'last' | undefined;
}

/**
 * What the next batch is. A row goes into the shard of the year in which it was recorded, never into a closed one (a late
 * commit of December stands in January) and never into a year that the sequencer's own clock has not seen (`thisYear`), so
 * that one wrong clock cannot close the log for a century. A batch lies in one shard.
 * Undefined when there is nothing to place, or no key for the shard.
 */
export function planBatch(
  rows: readonly StagedRow[],
  last: (ClosedShard & { readonly keyId: string }) | undefined,
  keys: readonly LogKey[],
  thisYear: number,
): BatchPlan | undefined {
  const first = rows[0];
  if (first === undefined) return undefined;
  const shardOf = (row: StagedRow): number => Math.max(last?.shard ?? 0, Math.min(row.year, thisYear));
  const shard = shardOf(first);
  // Before the first key there is no shard to be in: what was recorded earlier goes where its first key begins.
  const key = keys.findLast(({ fromShard }) => fromShard <= shard) ?? (last === undefined ? keys[0] : undefined);
  if (key === undefined) return undefined;
  const opened = last === undefined ? Math.max(shard, key.fromShard) : shard;
  const end = rows.findIndex((row) => Math.max(opened, shardOf(row)) !== opened);
  const opens = last === undefined || last.shard !== opened;
  const changes = last !== undefined && last.keyId !== key.keyId;
  return {
    shard: opened,
    key,
    previousKey: changes ? keys.find(({ keyId }) => keyId === last.keyId) : undefined,
    take: end === -1 ? rows.length : end,
    logKeyEntry: opens ? 'first' : changes ? 'last' : undefined,
  };
}
