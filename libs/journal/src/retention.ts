import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { AppError, readCheckpoint, toHex } from '#libs/platform/domain';
import type { RecordClassName } from './domain/record-classes.js';
import { retireAct } from './domain/retirement.js';
import { Journal } from './journal.service.js';
import { faultText } from './verify/fault.js';
import { verifyFile, type VerifyFileOptions } from './verify/verify-file.js';

/** SQLSTATE of the triggers that keep records (migration Retention). */
const REFUSED = 'HU030';

export interface RetentionState {
  readonly classes: readonly { readonly zh: string; readonly en: string; readonly months: number }[];
  /** Holds in force. */
  readonly holds: number;
  readonly retiredYears: readonly number[];
}

export async function readRetention(db: Pick<EntityManager, 'query'>): Promise<RetentionState> {
  const classes: RetentionState['classes'] = await db.query('SELECT zh, en, months FROM record_class ORDER BY name');
  const [row]: { holds: string; years: number[] | null }[] = await db.query(
    `SELECT (SELECT count(*) FROM legal_hold h WHERE from_at <= now() AND (until_at IS NULL OR until_at > now())
              AND NOT EXISTS (SELECT FROM legal_hold_release r WHERE r.hold_id = h.hold_id)) AS holds,
            (SELECT array_agg(shard ORDER BY shard) FROM journal_retirement) AS years`,
  );
  return { classes, holds: Number(row?.holds ?? 0), retiredYears: row?.years ?? [] };
}

export interface LegalHold {
  readonly recordClass: RecordClassName;
  /** Who asked for it and under which number; no personal data. */
  readonly reason: string;
  readonly from: Date;
  /** Undefined = until it is released. */
  readonly until?: Date | undefined;
}

/**
 * What is kept how long, and what may go. Holds are set by the service; exports and retirements need the owner of the database, and
 * even the owner is refused by trigger before the time, under a hold and without a verified export.
 */
@Injectable()
export class Retention {
  constructor(
    private readonly dataSource: DataSource,
    private readonly journal: Journal,
  ) {}

  /** Returns the hold's id. */
  async hold({ recordClass, reason, from, until }: LegalHold): Promise<string> {
    const holdId = randomUUID();
    await this.dataSource.transaction(async (tx) => {
      const entryId = await this.journal.record(tx, { kind: 'journal.hold', subject: holdId, data: { recordClass, from: from.toISOString(), until: until?.toISOString() ?? null } });
      await tx.query('INSERT INTO legal_hold (hold_id, record_class, reason, from_at, until_at, entry_id) VALUES ($1, $2, $3, $4, $5, $6)', [holdId, recordClass, reason, from, until ?? null, entryId]);
    });
    return holdId;
  }

  async release(holdId: string, reason: string): Promise<void> {
    await this.dataSource.transaction(async (tx) => {
      const entryId = await this.journal.record(tx, { kind: 'journal.releaseHold', subject: holdId, data: {} });
      await tx.query('INSERT INTO legal_hold_release (hold_id, reason, entry_id) VALUES ($1, $2, $3)', [holdId, reason, entryId]);
    });
  }

  /**
   * Verifies an export file and notes that it holds the whole of `year` as it is here. Returns its SHA-256, hex. Where the file is kept,
   * on a medium that is written once, is for its owner to say. Throws RETENTION_REFUSED when it is not whole or of another log.
   */
  async noteExport(path: string, year: number, verification: VerifyFileOptions): Promise<string> {
    const refuse = (reason: string): never => {
      throw new AppError('RETENTION_REFUSED', { year, reason });
    };
    const { head, fault } = verifyFile(path, verification);
    if (fault !== undefined) refuse(faultText(fault));
    const [here]: { text: Buffer }[] = await this.dataSource.query('SELECT text FROM journal_checkpoint WHERE shard = $1 AND size = $2', [head?.shard, head?.size]);
    if (head === undefined || here === undefined || readCheckpoint(here.text)?.sha256Root !== head.sha256Root) return refuse('它属于另一份日志 / it is of another log');
    const [last]: { size: string | null }[] = await this.dataSource.query('SELECT max(size) AS size FROM journal_checkpoint WHERE shard = $1', [year]);
    const size = Number(last?.size ?? 0);
    if (size === 0 || head.shard < year || (head.shard === year && head.size < size)) refuse('它不含全年 / it does not hold the whole year');
    const hash = createHash('sha256');
    await pipeline(createReadStream(path), hash);
    const sha256 = hash.digest();
    await this.dataSource.transaction(async (tx) => {
      const entryId = await this.journal.record(tx, { kind: 'journal.export', subject: String(year), data: { sha256: toHex(sha256), size } });
      await tx.query('INSERT INTO journal_export (sha256, shard, size, entry_id) VALUES ($1, $2, $3, $4)', [sha256, year, size, entryId]);
    });
    return toHex(sha256);
  }

  /** Removes the bodies of `year` on which nothing rests; returns how many. Throws RETENTION_REFUSED, JOURNAL_STALE. */
  async retireYear(year: number, exportSha256: string): Promise<number> {
    try {
      const entryId = await this.decided(year) ?? await this.decide(year, exportSha256);
      await this.journal.anchored(this.dataSource.manager, entryId);
      const [row]: { retired: string }[] = await this.dataSource.transaction((tx) => tx.query('SELECT retire_journal_year($1) AS retired', [year]));
      return Number(row?.retired);
    } catch (error) {
      if ((error as { code?: string }).code !== REFUSED) throw error;
      throw new AppError('RETENTION_REFUSED', { year, reason: (error as Error).message }, { cause: error });
    }
  }

  /** A retirement that a crash left between its decision and its end goes on. */
  private async decided(year: number): Promise<string | undefined> {
    const [row]: { entry_id: string }[] = await this.dataSource.query('SELECT entry_id FROM journal_retirement WHERE shard = $1', [year]);
    return row?.entry_id;
  }

  private decide(year: number, exportSha256: string): Promise<string> {
    return this.dataSource.transaction(async (tx) => {
      const entryId = await this.journal.record(tx, retireAct(year, exportSha256));
      await tx.query('INSERT INTO journal_retirement (shard, sha256, entry_id) VALUES ($1, $2, $3)', [year, Buffer.from(exportSha256, 'hex'), entryId]);
      return entryId;
    });
  }
}
