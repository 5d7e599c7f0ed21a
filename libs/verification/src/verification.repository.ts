import type { EntityManager } from 'typeorm';
import type { ResultClass } from '#libs/platform/domain';
import type { ClassCounts } from './domain/chunk-output.js';
import type { RunState } from './domain/run-state.js';
import type { FileSlice } from './domain/file-cutter.js';
import type { SettlementFormat } from './domain/settlement-format.js';
import type { Aggregate, Failure } from './passes/pass-jobs.js';

export interface RunRow {
  readonly id: string;
  readonly submittedAt: Date;
  readonly ruleVersion: string;
  readonly verifierVersion: string;
  readonly snapshotDigest: string;
  readonly snapshotAt: Date;
  readonly lines: number;
  readonly buckets: number;
}

export interface FileRow {
  readonly fileNo: number;
  readonly name: string;
  readonly format: SettlementFormat;
  readonly digest: string;
  readonly bytes: number;
  readonly lines: number;
}

export interface SliceRow extends FileSlice {
  readonly partition: number;
  readonly fileNo: number;
}

export interface ChunkRow {
  readonly pass: 1 | 2 | 3;
  readonly partition: number;
  readonly digest: string;
  readonly lines: number;
  readonly counts: ClassCounts;
}

export interface StateRow {
  readonly state: RunState;
  readonly at: Date;
  readonly reason: string | undefined;
}

export interface ResultRow {
  readonly merkleRoot: string;
  readonly resultDigest: string;
  readonly resultBytes: number;
  readonly lines: number;
}

/** Rows per statement of the bulk inserts. */
const BATCH = 5_000;

type Sql = Pick<EntityManager, 'query'>;

export async function insertRun(tx: Sql, run: RunRow, entryId: string): Promise<void> {
  await tx.query(
    `INSERT INTO verification_run (id, submitted_at, rule_version, verifier_version, snapshot_digest, snapshot_at, line_count, bucket_count, entry_id)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    [run.id, run.submittedAt, run.ruleVersion, run.verifierVersion, run.snapshotDigest, run.snapshotAt, run.lines, run.buckets, entryId],
  );
}

export async function insertFiles(tx: Sql, runId: string, files: readonly FileRow[], entryId: string): Promise<void> {
  await tx.query(
    `INSERT INTO verification_file (run_id, file_no, name, format, digest, byte_count, line_count, entry_id)
     SELECT $1, n, m, f, d, b, l, $2 FROM unnest($3::int[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[]) AS t(n, m, f, d, b, l)`,
    [runId, entryId, files.map((f) => f.fileNo), files.map((f) => f.name), files.map((f) => f.format), files.map((f) => f.digest), files.map((f) => f.bytes), files.map((f) => f.lines)],
  );
}

export async function insertSlices(tx: Sql, runId: string, slices: readonly SliceRow[], entryId: string): Promise<void> {
  for (const part of batches(slices)) {
    await tx.query(
      `INSERT INTO verification_slice (run_id, partition, file_no, first_line, line_count, byte_start, byte_end, digest, entry_id)
       SELECT $1, p, n, f, l, s, e, d, $2
       FROM unnest($3::int[], $4::int[], $5::bigint[], $6::int[], $7::bigint[], $8::bigint[], $9::text[]) AS t(p, n, f, l, s, e, d)`,
      [
        runId, entryId, part.map((s) => s.partition), part.map((s) => s.fileNo), part.map((s) => s.firstLine), part.map((s) => s.lines),
        part.map((s) => s.byteStart), part.map((s) => s.byteEnd), part.map((s) => s.digest),
      ],
    );
  }
}

export async function insertState(tx: Sql, runId: string, row: StateRow, entryId: string): Promise<void> {
  await tx.query('INSERT INTO verification_run_state (run_id, state, at, reason, entry_id) VALUES ($1, $2, $3, $4, $5)', [
    runId, row.state, row.at, row.reason ?? null, entryId,
  ]);
}

/** The primary key refuses a second commit of a chunk, whatever the program believes. */
export async function insertChunk(tx: Sql, runId: string, chunk: ChunkRow, at: Date, entryId: string): Promise<void> {
  await tx.query(
    `INSERT INTO verification_chunk (run_id, pass, partition, digest, line_count, counts, committed_at, entry_id)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [runId, chunk.pass, chunk.partition, chunk.digest, chunk.lines, JSON.stringify(chunk.counts), at, entryId],
  );
}

export async function insertFailures(tx: Sql, runId: string, failures: readonly Failure[], entryId: string): Promise<void> {
  for (const part of batches(failures)) {
    await tx.query(
      `INSERT INTO verification_failure (run_id, file_no, line_no, class, tx_id, institution_code, amount_fen, reason, byte_offset, entry_id)
       SELECT $1, n, l, c, t, i, a, r, o, $2
       FROM unnest($3::int[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::text[], $10::bigint[]) AS t(n, l, c, t, i, a, r, o)`,
      [
        runId, entryId, part.map((f) => f.fileNo), part.map((f) => f.line), part.map((f) => f.resultClass), part.map((f) => f.txId),
        part.map((f) => f.institutionCode), part.map((f) => f.totalFen.toString()), part.map((f) => f.reason ?? null), part.map((f) => f.byteOffset ?? null),
      ],
    );
  }
}

export async function insertAggregates(tx: Sql, runId: string, aggregates: readonly Aggregate[], entryId: string): Promise<void> {
  for (const part of batches(aggregates)) {
    await tx.query(
      `INSERT INTO verification_aggregate (run_id, institution_code, class, record_count, amount_fen, entry_id)
       SELECT $1, i, c, n, a, $2 FROM unnest($3::text[], $4::text[], $5::bigint[], $6::numeric[]) AS t(i, c, n, a)`,
      [runId, entryId, part.map((a) => a.institutionCode), part.map((a) => a.resultClass), part.map((a) => a.records), part.map((a) => a.totalFen.toString())],
    );
  }
}

export async function insertResult(tx: Sql, runId: string, result: ResultRow, entryId: string): Promise<void> {
  await tx.query('INSERT INTO verification_result (run_id, merkle_root, result_digest, result_bytes, line_count, entry_id) VALUES ($1, $2, $3, $4, $5, $6)', [
    runId, result.merkleRoot, result.resultDigest, result.resultBytes, result.lines, entryId,
  ]);
}

export async function findRun(db: Sql, runId: string): Promise<RunRow | undefined> {
  const [row]: (Record<'id' | 'rule_version' | 'verifier_version' | 'snapshot_digest' | 'line_count', string> & { submitted_at: Date; snapshot_at: Date; bucket_count: number })[] =
    await db.query('SELECT * FROM verification_run WHERE id = $1', [runId]);
  if (row === undefined) return undefined;
  return {
    id: row.id, submittedAt: row.submitted_at, ruleVersion: row.rule_version, verifierVersion: row.verifier_version,
    snapshotDigest: row.snapshot_digest, snapshotAt: row.snapshot_at, lines: Number(row.line_count), buckets: row.bucket_count,
  };
}

/** In the order in which they were reached. */
export async function findStates(db: Sql, runId: string): Promise<StateRow[]> {
  const rows: { state: RunState; at: Date; reason: string | null }[] = await db.query(
    `SELECT state, at, reason FROM verification_run_state WHERE run_id = $1
     ORDER BY array_position(ARRAY['verifying', 'comparing', 'merging', 'done', 'failed'], state)`,
    [runId],
  );
  return rows.map((row) => ({ state: row.state, at: row.at, reason: row.reason ?? undefined }));
}

export async function findFiles(db: Sql, runId: string): Promise<FileRow[]> {
  const rows: { file_no: number; name: string; format: SettlementFormat; digest: string; byte_count: string; line_count: string }[] = await db.query(
    'SELECT * FROM verification_file WHERE run_id = $1 ORDER BY file_no',
    [runId],
  );
  return rows.map((row) => ({ fileNo: row.file_no, name: row.name, format: row.format, digest: row.digest, bytes: Number(row.byte_count), lines: Number(row.line_count) }));
}

/** One slice, or all of a run in file order. */
export async function findSlices(db: Sql, runId: string, partition?: number): Promise<SliceRow[]> {
  const rows: { partition: number; file_no: number; first_line: string; line_count: number; byte_start: string; byte_end: string; digest: string }[] = await db.query(
    'SELECT * FROM verification_slice WHERE run_id = $1 AND ($2::int IS NULL OR partition = $2) ORDER BY partition',
    [runId, partition ?? null],
  );
  return rows.map((row) => ({
    partition: row.partition, fileNo: row.file_no, firstLine: Number(row.first_line), lines: row.line_count,
    byteStart: Number(row.byte_start), byteEnd: Number(row.byte_end), digest: row.digest,
  }));
}

/** Committed chunks of one pass, in order. */
export async function findChunks(db: Sql, runId: string, pass: number): Promise<ChunkRow[]> {
  const rows: { pass: 1 | 2 | 3; partition: number; digest: string; line_count: string; counts: ClassCounts }[] = await db.query(
    'SELECT pass, partition, digest, line_count, counts FROM verification_chunk WHERE run_id = $1 AND pass = $2 ORDER BY partition',
    [runId, pass],
  );
  return rows.map((row) => ({ ...row, lines: Number(row.line_count) }));
}

/** How many chunks of a pass are committed, and how many slices pass 1 has. */
export async function countChunks(db: Sql, runId: string, pass: number): Promise<{ committed: number; slices: number }> {
  const [row]: { committed: string; slices: string }[] = await db.query(
    `SELECT (SELECT count(*) FROM verification_chunk WHERE run_id = $1 AND pass = $2) AS committed,
            (SELECT count(*) FROM verification_slice WHERE run_id = $1) AS slices`,
    [runId, pass],
  );
  return { committed: Number(row?.committed), slices: Number(row?.slices) };
}

export async function findChunkDigest(db: Sql, runId: string, pass: number, partition: number): Promise<string | undefined> {
  const [row]: { digest: string }[] = await db.query('SELECT digest FROM verification_chunk WHERE run_id = $1 AND pass = $2 AND partition = $3', [
    runId, pass, partition,
  ]);
  return row?.digest;
}

export async function findResult(db: Sql, runId: string): Promise<ResultRow | undefined> {
  const [row]: { merkle_root: string; result_digest: string; result_bytes: string; line_count: string }[] = await db.query(
    'SELECT * FROM verification_result WHERE run_id = $1',
    [runId],
  );
  return row && { merkleRoot: row.merkle_root, resultDigest: row.result_digest, resultBytes: Number(row.result_bytes), lines: Number(row.line_count) };
}

export async function findAggregates(db: Sql, runId: string): Promise<Aggregate[]> {
  const rows: { institution_code: string; class: ResultClass; record_count: string; amount_fen: string }[] = await db.query(
    'SELECT institution_code, class, record_count, amount_fen FROM verification_aggregate WHERE run_id = $1 ORDER BY institution_code, class',
    [runId],
  );
  return rows.map((row) => ({ institutionCode: row.institution_code, resultClass: row.class, records: Number(row.record_count), totalFen: BigInt(row.amount_fen) }));
}

export interface FailureFilter {
  readonly classes?: readonly ResultClass[] | undefined;
  readonly limit: number;
}

/** In file order. */
export async function findFailures(db: Sql, runId: string, filter: FailureFilter): Promise<Failure[]> {
  const rows: {
    file_no: number; line_no: string; class: ResultClass; tx_id: string; institution_code: string; amount_fen: string; reason: string | null; byte_offset: string | null;
  }[] = await db.query(
    'SELECT * FROM verification_failure WHERE run_id = $1 AND ($2::text[] IS NULL OR class = ANY($2)) ORDER BY file_no, line_no LIMIT $3',
    [runId, filter.classes ?? null, filter.limit],
  );
  return rows.map((row) => ({
    fileNo: row.file_no, line: Number(row.line_no), resultClass: row.class, txId: row.tx_id, institutionCode: row.institution_code,
    totalFen: BigInt(row.amount_fen), reason: row.reason ?? undefined, byteOffset: row.byte_offset === null ? undefined : Number(row.byte_offset),
  }));
}

function* batches<T>(rows: readonly T[]): Generator<readonly T[]> {
  for (let i = 0; i < rows.length; i += BATCH) yield rows.slice(i, i + BATCH);
}
