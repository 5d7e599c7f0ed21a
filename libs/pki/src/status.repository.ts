import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import type { Revocation, RevocationReason } from './domain/revocation.js';

interface StatusRow {
  issuer_ca_id: string;
  serial: string;
  reason: RevocationReason;
  effective_at: Date;
  invalidity_at: Date | null;
}

export interface IssuedCrl {
  readonly caId: string;
  readonly number: bigint;
  readonly thisUpdate: Date;
  readonly nextUpdate: Date;
  readonly tbs: Uint8Array;
  /** undefined: intent without outcome. */
  readonly crl: Uint8Array | undefined;
}

interface CrlRow {
  ca_id: string;
  number: string;
  this_update: Date;
  next_update: Date;
  tbs: Buffer;
  crl: Buffer | null;
}

const CRL_COLUMNS = 'ca_id, number, this_update, next_update, tbs, crl';

/** Status rows and CRLs: both only ever grow. */
@Injectable()
export class StatusRepository {
  constructor(private readonly dataSource: DataSource) {}

  async insertRevocation(tx: EntityManager, issuerCaId: string, revocation: Revocation, at: Date, entryId: string): Promise<void> {
    await tx.query(
      `INSERT INTO certificate_status (issuer_ca_id, serial, status, reason, effective_at, invalidity_at, recorded_at, entry_id)
       VALUES ($1, $2, 'revoked', $3, $4, $5, $6, $7)`,
      [issuerCaId, revocation.serial, revocation.reason, revocation.effectiveAt, revocation.invalidityAt ?? null, at, entryId],
    );
  }

  /** Revocations of one CA that are effective at `at`, by serial. */
  async listRevocations(tx: EntityManager, issuerCaId: string, at: Date): Promise<Revocation[]> {
    const rows: StatusRow[] = await tx.query(
      `SELECT issuer_ca_id, serial, reason, effective_at, invalidity_at FROM certificate_status
       WHERE issuer_ca_id = $1 AND effective_at <= $2 ORDER BY serial`,
      [issuerCaId, at],
    );
    return rows.map(revocation);
  }

  async findRevocations(issuerCaId: string, serials: readonly string[]): Promise<Map<string, Revocation>> {
    const rows: StatusRow[] = await this.dataSource.query(
      'SELECT issuer_ca_id, serial, reason, effective_at, invalidity_at FROM certificate_status WHERE issuer_ca_id = $1 AND serial = ANY($2)',
      [issuerCaId, serials],
    );
    return new Map(rows.map((row) => [row.serial, revocation(row)]));
  }

  async listAll(): Promise<(Revocation & { issuerCaId: string })[]> {
    const rows: StatusRow[] = await this.dataSource.query('SELECT issuer_ca_id, serial, reason, effective_at, invalidity_at FROM certificate_status');
    return rows.map((row) => ({ ...revocation(row), issuerCaId: row.issuer_ca_id }));
  }

  /** The next CRL number of a CA; one transaction at a time, so that two lists never carry one number. */
  async nextCrlNumber(tx: EntityManager, caId: string): Promise<bigint> {
    await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`crl/${caId}`]);
    const [row]: { next: string }[] = await tx.query('SELECT coalesce(max(number), 0) + 1 AS next FROM crl WHERE ca_id = $1', [caId]);
    return BigInt(row?.next ?? 1);
  }

  async insertCrlIntent(tx: EntityManager, crl: Omit<IssuedCrl, 'crl'>, at: Date, entryId: string): Promise<void> {
    await tx.query(
      'INSERT INTO crl (ca_id, number, this_update, next_update, tbs, recorded_at, entry_id) VALUES ($1, $2, $3, $4, $5, $6, $7)',
      [crl.caId, crl.number.toString(), crl.thisUpdate, crl.nextUpdate, Buffer.from(crl.tbs), at, entryId],
    );
  }

  /** True when this call is the one that may store the outcome (the row stays locked). */
  async lockOpenCrl(tx: EntityManager, caId: string, number: bigint): Promise<boolean> {
    const rows: unknown[] = await tx.query('SELECT 1 FROM crl WHERE ca_id = $1 AND number = $2 AND crl IS NULL FOR UPDATE', [caId, number.toString()]);
    return rows.length === 1;
  }

  async storeCrl(tx: EntityManager, caId: string, number: bigint, crl: Uint8Array, entryId: string): Promise<void> {
    await tx.query('UPDATE crl SET crl = $3, entry_id = $4 WHERE ca_id = $1 AND number = $2', [caId, number.toString(), Buffer.from(crl), entryId]);
  }

  async findCrl(caId: string, number?: bigint): Promise<IssuedCrl | undefined> {
    const rows: CrlRow[] = await this.dataSource.query(
      `SELECT ${CRL_COLUMNS} FROM crl WHERE ca_id = $1 AND ($2::bigint IS NULL AND crl IS NOT NULL OR number = $2) ORDER BY number DESC LIMIT 1`,
      [caId, number?.toString() ?? null],
    );
    return rows[0] === undefined ? undefined : issuedCrl(rows[0]);
  }

  /** Until when the newest issued CRL of each CA speaks. */
  async latestNextUpdates(): Promise<Map<string, Date>> {
    const rows: { ca_id: string; next_update: Date }[] = await this.dataSource.query(
      'SELECT DISTINCT ON (ca_id) ca_id, next_update FROM crl WHERE crl IS NOT NULL ORDER BY ca_id, number DESC',
    );
    return new Map(rows.map((row) => [row.ca_id, row.next_update]));
  }

  async listOpenCrls(): Promise<IssuedCrl[]> {
    const rows: CrlRow[] = await this.dataSource.query(`SELECT ${CRL_COLUMNS} FROM crl WHERE crl IS NULL ORDER BY ca_id, number`);
    return rows.map(issuedCrl);
  }
}

function revocation(row: StatusRow): Revocation {
  return { serial: row.serial, reason: row.reason, effectiveAt: row.effective_at, invalidityAt: row.invalidity_at ?? undefined };
}

function issuedCrl(row: CrlRow): IssuedCrl {
  return {
    caId: row.ca_id,
    number: BigInt(row.number),
    thisUpdate: row.this_update,
    nextUpdate: row.next_update,
    tbs: row.tbs,
    crl: row.crl ?? undefined,
  };
}
