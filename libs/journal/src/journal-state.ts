import type { EntityManager } from 'typeorm';

/** How far log and anchors have come. Times in seconds, by the database's clock. */
export interface JournalState {
  readonly logKeys: number;
  readonly waiting: number;
  readonly oldestWaitingSeconds: number;
  readonly head: { readonly shard: number; readonly size: number; readonly ageSeconds: number } | undefined;
  readonly anchors: readonly { readonly name: string; readonly shard: number; readonly size: number; readonly ageSeconds: number }[];
}

export async function readJournalState(db: Pick<EntityManager, 'query'>): Promise<JournalState> {
  const [row]: { keys: string; waiting: string; oldest: string | null }[] = await db.query(
    `SELECT (SELECT count(*) FROM journal_key) AS keys, count(*) AS waiting, extract(epoch FROM now() - min(s.recorded_at)) AS oldest
     FROM journal_stage s WHERE NOT EXISTS (SELECT 1 FROM journal_entry e WHERE e.stage_id = s.id)`,
  );
  const [head]: { shard: number; size: string; age: string }[] = await db.query(
    'SELECT shard, size, extract(epoch FROM now() - made_at) AS age FROM journal_checkpoint ORDER BY shard DESC, size DESC LIMIT 1',
  );
  const anchors: { anchor: string; shard: number; size: string; age: string }[] = await db.query(
    `SELECT DISTINCT ON (anchor) anchor, shard, size, extract(epoch FROM now() - anchored_at) AS age FROM journal_anchor ORDER BY anchor, shard DESC, size DESC`,
  );
  return {
    logKeys: Number(row?.keys),
    waiting: Number(row?.waiting),
    oldestWaitingSeconds: Number(row?.oldest ?? 0),
    head: head === undefined ? undefined : { shard: head.shard, size: Number(head.size), ageSeconds: Number(head.age) },
    anchors: anchors.map(({ anchor, shard, size, age }) => ({ name: anchor, shard, size: Number(size), ageSeconds: Number(age) })),
  };
}
