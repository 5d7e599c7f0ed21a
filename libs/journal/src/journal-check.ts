import type { DataSource } from 'typeorm';
import { equalBytes, toHex } from '#libs/platform/domain';
import { leafHash } from './domain/entry.js';
import { MerkleRoot } from './domain/merkle.js';

export interface JournalReport {
  /** Entries that have a place in the log. */
  readonly entries: number;
  /** Staged entries that still wait for the sequencer. */
  readonly waiting: number;
  /** RFC 9162 root over the entries, hex. */
  readonly root: string;
  /** What is wrong with the first bad entry; undefined when the log is whole. */
  readonly firstBad: string | undefined;
}

const PAGE = 5_000;

/** Hashes every body again, wants indices without a gap and every leaf equal to its body's hash. */
export async function checkJournal(dataSource: DataSource): Promise<JournalReport> {
  const tree = new MerkleRoot();
  let firstBad: string | undefined;
  for (let next = 0; ; ) {
    const rows: { idx: string; leaf_hash: Buffer; body: Buffer }[] = await dataSource.query(
      `SELECT e.idx, e.leaf_hash, s.body FROM journal_entry e JOIN journal_stage s ON s.id = e.stage_id
       WHERE e.idx >= $1 ORDER BY e.idx LIMIT ${PAGE}`,
      [next],
    );
    for (const row of rows) {
      if (firstBad === undefined && Number(row.idx) !== next) firstBad = `entry ${next} is missing`;
      const hash = leafHash(row.body);
      if (firstBad === undefined && !equalBytes(hash, row.leaf_hash)) firstBad = `entry ${row.idx} does not match its body`;
      tree.add(hash);
      next = Number(row.idx) + 1;
    }
    if (rows.length < PAGE) break;
  }
  const [stage]: { waiting: string }[] = await dataSource.query(
    'SELECT count(*) AS waiting FROM journal_stage s WHERE NOT EXISTS (SELECT 1 FROM journal_entry e WHERE e.stage_id = s.id)',
  );
  return { entries: tree.size, waiting: Number(stage?.waiting), root: toHex(tree.root()), firstBad };
}
