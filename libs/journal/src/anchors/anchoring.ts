import type { DataSource } from 'typeorm';
import type { Clock } from '#libs/platform';
import { signedHeadLine } from '../verify/record.js';
import type { Anchor } from './anchor.js';

/** Heads in one push at most: what a collector takes at once, and what a kill can make come twice. */
const PUSH = 200;

interface HeadRow {
  readonly shard: number;
  readonly size: string;
  readonly text: Buffer;
  readonly signature: Buffer;
  readonly previous_signature: Buffer | null;
}

/** Brings one anchor up to the log's last head, in order, and notes what it took. A kill between the two pushes the same heads again. */
export class Anchoring {
  constructor(
    private readonly dataSource: DataSource,
    private readonly anchor: Anchor,
    private readonly clock: Clock,
  ) {}

  get name(): string {
    return this.anchor.name;
  }

  /** Pushes the next heads; returns how many. Throws what the anchor throws; then nothing is noted. */
  async runOnce(): Promise<number> {
    const [last]: { shard: number; size: string }[] = await this.dataSource.query(
      'SELECT shard, size FROM journal_anchor WHERE anchor = $1 ORDER BY shard DESC, size DESC LIMIT 1',
      [this.anchor.name],
    );
    const heads: HeadRow[] = await this.dataSource.query(
      `SELECT shard, size, text, signature, previous_signature FROM journal_checkpoint
       WHERE (shard, size) > ($1::int, $2::bigint) ORDER BY shard, size LIMIT ${PUSH}`,
      [last?.shard ?? 0, last?.size ?? 0],
    );
    if (heads.length === 0) return 0;
    await this.anchor.push(heads.map(({ text, signature, previous_signature: previousSignature }) => signedHeadLine({ text, signature, previousSignature: previousSignature ?? undefined })));
    await this.dataSource.query(
      'INSERT INTO journal_anchor (anchor, shard, size, anchored_at) SELECT $1, shard, size, $4 FROM unnest($2::int[], $3::bigint[]) AS taken (shard, size)',
      [this.anchor.name, heads.map(({ shard }) => shard), heads.map(({ size }) => size), this.clock.now()],
    );
    return heads.length;
  }

  close(): Promise<void> {
    return this.anchor.close();
  }
}
