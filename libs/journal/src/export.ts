import type { DataSource, EntityManager } from 'typeorm';
import { leafInput } from './domain/entry.js';
import { encodeEntry, encodeRecord, encodeStaged, MAGIC, RECORDS, type ExportRecord, signedHeadLine } from './verify/record.js';

const PAGE = 2_000;
const IDS_IN_RECORD = 4_096;

interface EntryRow {
  readonly shard: number;
  readonly idx: string;
  readonly stage_id: string;
  readonly leaf_hash: Buffer;
  readonly leaf_sm3: Buffer;
  readonly xid: string | null;
  readonly body: Buffer | null;
}

interface CheckpointRow {
  readonly shard: number;
  readonly size: string;
  readonly text: Buffer;
  readonly signature: Buffer;
  readonly previous_signature: Buffer | null;
}

/**
 * The whole journal as it is at one moment (one snapshot), as records of an export file. Reads every guarded table that its
 * role may read; the owner may read all. `at`: when, for the header.
 */
export async function* exportRecords(dataSource: DataSource, at: Date): AsyncGenerator<ExportRecord> {
  const runner = dataSource.createQueryRunner();
  await runner.startTransaction('REPEATABLE READ');
  try {
    const tx = runner.manager;
    await tx.query('SET TRANSACTION READ ONLY');
    yield record(RECORDS.header, { exportedAt: at.toISOString() });
    yield* neededByTables(tx);
    const counts = { entries: 0, checkpoints: 0, staged: 0 };
    for await (const each of placed(tx)) {
      if (each.type === RECORDS.checkpoint) counts.checkpoints++;
      else counts.entries++;
      yield each;
    }
    for await (const row of pages<{ id: string; recorded_at: Date; body: Buffer }>(
      tx,
      'staged',
      'SELECT s.id, s.recorded_at, s.body FROM journal_stage s WHERE NOT EXISTS (SELECT 1 FROM journal_entry e WHERE e.stage_id = s.id) ORDER BY s.xid, s.id',
    )) {
      counts.staged++;
      yield { type: RECORDS.staged, payload: encodeStaged({ id: uuidBytes(row.id), recordedAt: row.recorded_at, leaf: leafInput(row.body) }) };
    }
    yield record(RECORDS.end, counts);
  } finally {
    await runner.rollbackTransaction();
    await runner.release();
  }
}

/** The same as the bytes of a file. */
export async function* exportFile(dataSource: DataSource, at: Date): AsyncGenerator<Uint8Array> {
  yield MAGIC;
  let [pieces, bytes]: [Buffer[], number] = [[], 0];
  for await (const { type, payload } of exportRecords(dataSource, at)) {
    const piece = encodeRecord(type as never, payload);
    pieces.push(piece);
    bytes += piece.length;
    if (bytes < 1024 * 1024) continue;
    yield Buffer.concat(pieces);
    [pieces, bytes] = [[], 0];
  }
  yield Buffer.concat(pieces);
}

async function* neededByTables(tx: EntityManager): AsyncGenerator<ExportRecord> {
  const tables: { name: string; quoted: string }[] = await tx.query(
    `SELECT c.relname AS name, c.oid::regclass::text AS quoted FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
     WHERE t.tgname = 'journal_entry_required' AND t.tgparentid = 0 AND has_table_privilege(c.oid, 'SELECT') ORDER BY 1`,
  );
  for (const { name, quoted } of tables) {
    yield { type: RECORDS.table, payload: Buffer.from(name, 'utf8') };
    let ids: Buffer[] = [];
    for await (const { entry_id: id } of pages<{ entry_id: string }>(tx, 'needed', `SELECT entry_id FROM ${quoted}`)) {
      ids.push(uuidBytes(id));
      if (ids.length < IDS_IN_RECORD) continue;
      yield { type: RECORDS.needed, payload: Buffer.concat(ids) };
      ids = [];
    }
    if (ids.length > 0) yield { type: RECORDS.needed, payload: Buffer.concat(ids) };
  }
}

/** Entries with each checkpoint behind the last entry that it counts, or where the entries run out. */
async function* placed(tx: EntityManager): AsyncGenerator<ExportRecord> {
  const checkpoints = pages<CheckpointRow>(tx, 'heads', 'SELECT shard, size, text, signature, previous_signature FROM journal_checkpoint ORDER BY shard, size');
  let next = await checkpoints.next();
  const isBefore = ({ shard, size }: CheckpointRow, entry: EntryRow): boolean => shard < entry.shard || (shard === entry.shard && Number(size) <= Number(entry.idx));
  for await (const entry of pages<EntryRow>(
    tx,
    'entries',
    `SELECT e.shard, e.idx, e.stage_id, e.leaf_hash, e.leaf_sm3, s.xid::text AS xid, s.body
     FROM journal_entry e LEFT JOIN journal_stage s ON s.id = e.stage_id ORDER BY e.shard, e.idx`,
  )) {
    for (; next.done !== true && isBefore(next.value, entry); next = await checkpoints.next()) yield headOf(next.value);
    yield entryOf(entry);
  }
  for (; next.done !== true; next = await checkpoints.next()) yield headOf(next.value);
}

function entryOf({ shard, idx, stage_id: id, leaf_hash: sha256, leaf_sm3: sm3, xid, body }: EntryRow): ExportRecord {
  const leaf = body === null ? new Uint8Array() : leafInput(body);
  return { type: body === null ? RECORDS.bodyless : RECORDS.entry, payload: encodeEntry({ shard, idx: Number(idx), xid: BigInt(xid ?? 0), id: uuidBytes(id), sha256, sm3, leaf }) };
}

function headOf({ text, signature, previous_signature: previousSignature }: CheckpointRow): ExportRecord {
  return { type: RECORDS.checkpoint, payload: Buffer.from(signedHeadLine({ text, signature, previousSignature: previousSignature ?? undefined }), 'utf8') };
}

/** Rows of a query by a cursor, so that a log of any length passes through little memory. */
async function* pages<Row>(tx: EntityManager, cursor: string, select: string): AsyncGenerator<Row> {
  await tx.query(`DECLARE ${cursor} NO SCROLL CURSOR FOR ${select}`);
  for (;;) {
    const rows: Row[] = await tx.query(`FETCH ${PAGE} FROM ${cursor}`);
    yield* rows;
    if (rows.length < PAGE) break;
  }
  await tx.query(`CLOSE ${cursor}`);
}

function record(type: number, value: object): ExportRecord {
  return { type, payload: Buffer.from(JSON.stringify(value), 'utf8') };
}

function uuidBytes(id: string): Buffer {
  return Buffer.from(id.replaceAll('-', ''), 'hex');
}
