import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { Journal } from '#libs/journal';
import { AppError, type JsonValue } from '#libs/platform/domain';
import { type AnyRow, emptyRecord, type PersonRecord, type Row, rowDigest, type RowKind, ROWS } from './domain/record.js';
import { regionCondition } from './domain/region.js';

/** One number for "this database's rights are being changed" (pg_advisory_xact_lock): acts are rare, and each is judged on all before it. */
const ACCESS_LOCK = 0x4855_4143;

const TABLES: Readonly<Record<RowKind, string>> = {
  person: 'person',
  operator: 'operator',
  operatorStatus: 'operator_status',
  qualification: 'qualification',
  roleAssignment: 'role_assignment',
  credential: 'operator_credential',
  withdrawal: 'access_withdrawal',
  leave: 'operator_leave',
  handOver: 'hand_over',
  handOverReceipt: 'hand_over_receipt',
  change: 'access_change',
  confirmation: 'access_confirmation',
  refusal: 'access_refusal',
  notice: 'access_notice',
};
const KINDS = Object.keys(ROWS) as RowKind[];

const column = (field: string): string => field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const fieldsOf = (kind: RowKind): string[] => Object.keys(ROWS[kind].shape);

export interface AccessAct {
  /** `access.<act>`. */
  readonly kind: string;
  /** The person whose record grows; subject of the journal entry. */
  readonly personId: string;
  readonly data: Readonly<Record<string, JsonValue>>;
  readonly rows: readonly AnyRow[];
  /** Only beside a `person` row. */
  readonly name?: string;
}

/** Rows in, records out. The journal keeps the digest of every row under its person, so that a record is whole or not used. */
@Injectable()
export class PersonRecords {
  constructor(
    private readonly dataSource: DataSource,
    private readonly journal: Journal,
  ) {}

  /** One act at a time, over all processes. */
  write<T>(work: (tx: EntityManager) => Promise<T>): Promise<T> {
    return this.dataSource.transaction(async (tx) => {
      await tx.query('SELECT pg_advisory_xact_lock($1)', [ACCESS_LOCK]);
      return work(tx);
    });
  }

  /** An act inside a transaction that is about something else. */
  async append(tx: EntityManager, act: AccessAct): Promise<void> {
    await tx.query('SELECT pg_advisory_xact_lock($1)', [ACCESS_LOCK]);
    await this.record(tx, act);
  }

  /** One snapshot: rows and the journal's word about them are of one moment. */
  read<T>(work: (tx: EntityManager) => Promise<T>): Promise<T> {
    return this.dataSource.transaction('REPEATABLE READ', work);
  }

  async record(tx: EntityManager, { kind, personId, data, rows, name }: AccessAct): Promise<void> {
    const entryId = await this.journal.record(tx, { kind, subject: personId, data: { ...data, rows: rows.map(rowDigest) } });
    for (const each of rows) await this.insert(tx, each, { entry_id: entryId, ...(each.kind === 'person' ? { name } : {}) });
  }

  /** Records of these persons. Throws ACCESS_ROW_ALTERED when the rows of one are not exactly those that the journal names. */
  async load(tx: EntityManager, personIds: readonly string[]): Promise<Map<string, PersonRecord>> {
    const wanted = [...new Set(personIds)];
    const found = new Map(wanted.map((personId) => [personId, emptyRecord(personId)]));
    const digests = new Map<string, string[]>(wanted.map((personId) => [personId, []]));
    for (const kind of KINDS) {
      const rows = await this.rows(tx, kind, wanted);
      for (const row of rows) {
        (found.get(row.personId)?.[kind] as Row<typeof kind>[]).push(row);
        digests.get(row.personId)?.push(rowDigest({ kind, row } as AnyRow));
      }
    }
    const named = await this.journalled(tx, wanted);
    for (const [personId, has] of digests) if (!sameList(has, named.get(personId) ?? [])) throw new AppError('ACCESS_ROW_ALTERED', { personId });
    return found;
  }

  async loadAll(tx: EntityManager): Promise<PersonRecord[]> {
    const rows: { person_id: string }[] = await tx.query('SELECT person_id FROM person ORDER BY person_id');
    return [...(await this.load(tx, rows.map((row) => row.person_id))).values()];
  }

  /** Throws NOT_FOUND. */
  async one(tx: EntityManager, personId: string): Promise<PersonRecord> {
    const record = (await this.load(tx, [personId])).get(personId);
    if (record?.person.length !== 1) throw new AppError('NOT_FOUND', { what: personId });
    return record;
  }

  async personOf(tx: EntityManager, operatorId: string): Promise<string | undefined> {
    const rows: { person_id: string }[] = await tx.query('SELECT person_id FROM operator WHERE operator_id = $1', [operatorId]);
    return rows[0]?.person_id;
  }

  /** Throws OPERATOR_UNKNOWN. */
  async ofOperator(tx: EntityManager, operatorId: string): Promise<PersonRecord> {
    const personId = await this.personOf(tx, operatorId);
    const record = personId === undefined ? undefined : (await this.load(tx, [personId])).get(personId);
    if (record?.operator.some((row) => row.operatorId === operatorId) !== true) throw new AppError('OPERATOR_UNKNOWN', { operatorId });
    return record;
  }

  async personOfChange(tx: EntityManager, changeId: string): Promise<string | undefined> {
    const rows: { person_id: string }[] = await tx.query('SELECT person_id FROM access_change WHERE change_id = $1', [changeId]);
    return rows[0]?.person_id;
  }

  async identityKnown(tx: EntityManager, identityHash: string): Promise<boolean> {
    return ((await tx.query('SELECT 1 FROM person WHERE identity_hash = $1', [identityHash])) as unknown[]).length > 0;
  }

  async keyInUse(tx: EntityManager, keyDigest: string): Promise<boolean> {
    return ((await tx.query('SELECT 1 FROM operator_credential WHERE key_digest = $1', [keyDigest])) as unknown[]).length > 0;
  }

  /** Persons whose region lies in the scope, by id, `after` exclusive; with their names. */
  async listed(tx: EntityManager, scope: readonly string[], after: string | undefined, limit: number): Promise<{ personId: string; name: string }[]> {
    const { sql, parameters } = regionCondition(scope, 'region', 1);
    const rows: { person_id: string; name: string }[] = await tx.query(
      `SELECT person_id, name FROM person WHERE ${sql} AND ($2::uuid IS NULL OR person_id > $2) ORDER BY person_id LIMIT $3`,
      [...parameters, after ?? null, limit],
    );
    return rows.map((row) => ({ personId: row.person_id, name: row.name }));
  }

  private async insert(tx: EntityManager, { kind, row }: AnyRow, extra: Readonly<Record<string, string | undefined>>): Promise<void> {
    const values = [...Object.entries(row).map(([field, value]) => [column(field), value] as const), ...Object.entries(extra)];
    const places = values.map((_, n) => `$${n + 1}`).join(', ');
    await tx.query(`INSERT INTO ${TABLES[kind]} (${values.map(([name]) => name).join(', ')}) VALUES (${places})`, values.map(([, value]) => value));
  }

  private async rows(tx: EntityManager, kind: RowKind, personIds: readonly string[]): Promise<Row<RowKind>[]> {
    const fields = fieldsOf(kind);
    const rows: Record<string, unknown>[] = await tx.query(`SELECT ${fields.map(column).join(', ')} FROM ${TABLES[kind]} WHERE person_id = ANY($1) ORDER BY recorded_at`, [personIds]);
    return rows.map((row) => Object.fromEntries(fields.map((field) => [field, row[column(field)]])) as Row<RowKind>);
  }

  private async journalled(tx: EntityManager, personIds: readonly string[]): Promise<Map<string, string[]>> {
    const entries: { subject: string; body: Buffer }[] = await tx.query(`SELECT subject, body FROM journal_stage WHERE subject = ANY($1) AND kind LIKE 'access.%' AND body IS NOT NULL`, [personIds]);
    const named = new Map<string, string[]>();
    for (const { subject, body } of entries) {
      const { data } = JSON.parse(body.toString('utf8')) as { data: { rows?: string[] } };
      named.set(subject, [...(named.get(subject) ?? []), ...(data.rows ?? [])]);
    }
    return named;
  }
}

function sameList(one: readonly string[], other: readonly string[]): boolean {
  const [a, b] = [[...one].sort(), [...other].sort()];
  return a.length === b.length && a.every((value, n) => value === b[n]);
}
