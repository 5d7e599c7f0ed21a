import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Re-verification. Everything is insert-only: a run moves by adding state rows, a chunk is committed once and never
 * touched again. One row per record exists only for records that are not plainly OK; the full result is evidence.
 */
export class Verification1764000006000 implements MigrationInterface {
  readonly name = 'Verification1764000006000';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE verification_run (
        id uuid PRIMARY KEY,
        submitted_at timestamptz NOT NULL,
        rule_version text NOT NULL,
        verifier_version text NOT NULL,
        snapshot_digest text NOT NULL CHECK (snapshot_digest ~ '^[0-9A-F]{64}$'),
        snapshot_at timestamptz NOT NULL,
        line_count bigint NOT NULL CHECK (line_count > 0),
        bucket_count int NOT NULL CHECK (bucket_count > 0),
        entry_id uuid NOT NULL REFERENCES journal_stage (id)
      );
      CREATE TABLE verification_run_state (
        run_id uuid NOT NULL REFERENCES verification_run (id),
        state text NOT NULL CHECK (state IN ('verifying', 'comparing', 'merging', 'done', 'failed')),
        at timestamptz NOT NULL,
        reason text CHECK ((reason IS NOT NULL) = (state = 'failed')),
        entry_id uuid NOT NULL REFERENCES journal_stage (id),
        PRIMARY KEY (run_id, state)
      );
      CREATE TABLE verification_file (
        run_id uuid NOT NULL REFERENCES verification_run (id),
        file_no int NOT NULL,
        name text NOT NULL,
        format text NOT NULL,
        digest text NOT NULL CHECK (digest ~ '^[0-9A-F]{64}$'),
        byte_count bigint NOT NULL,
        line_count bigint NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id),
        PRIMARY KEY (run_id, file_no),
        UNIQUE (run_id, name),
        UNIQUE (run_id, digest)
      );
      CREATE TABLE verification_slice (
        run_id uuid NOT NULL,
        partition int NOT NULL,
        file_no int NOT NULL,
        first_line bigint NOT NULL,
        line_count int NOT NULL,
        byte_start bigint NOT NULL,
        byte_end bigint NOT NULL CHECK (byte_end > byte_start),
        digest text NOT NULL CHECK (digest ~ '^[0-9A-F]{64}$'),
        entry_id uuid NOT NULL REFERENCES journal_stage (id),
        PRIMARY KEY (run_id, partition),
        FOREIGN KEY (run_id, file_no) REFERENCES verification_file (run_id, file_no)
      );
      CREATE TABLE verification_chunk (
        run_id uuid NOT NULL REFERENCES verification_run (id),
        pass smallint NOT NULL CHECK (pass IN (1, 2, 3)),
        partition int NOT NULL,
        digest text NOT NULL CHECK (digest ~ '^[0-9A-F]{64}$'),
        line_count bigint NOT NULL,
        counts jsonb NOT NULL,
        committed_at timestamptz NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id),
        PRIMARY KEY (run_id, pass, partition)
      );
      CREATE TABLE verification_failure (
        run_id uuid NOT NULL REFERENCES verification_run (id),
        file_no int NOT NULL,
        line_no bigint NOT NULL,
        class text NOT NULL,
        tx_id text NOT NULL,
        institution_code text NOT NULL,
        amount_fen bigint NOT NULL,
        reason text CHECK ((reason IS NOT NULL) = (class = 'FORMAT')),
        byte_offset bigint CHECK ((byte_offset IS NOT NULL) = (class = 'FORMAT')),
        entry_id uuid NOT NULL REFERENCES journal_stage (id),
        PRIMARY KEY (run_id, file_no, line_no)
      );
      CREATE TABLE verification_aggregate (
        run_id uuid NOT NULL REFERENCES verification_run (id),
        institution_code text NOT NULL,
        class text NOT NULL,
        record_count bigint NOT NULL,
        amount_fen numeric(30, 0) NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id),
        PRIMARY KEY (run_id, institution_code, class)
      );
      CREATE TABLE verification_result (
        run_id uuid PRIMARY KEY REFERENCES verification_run (id),
        merkle_root text NOT NULL CHECK (merkle_root ~ '^[0-9A-F]{64}$'),
        result_digest text NOT NULL CHECK (result_digest ~ '^[0-9A-F]{64}$'),
        result_bytes bigint NOT NULL,
        line_count bigint NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id)
      );
    `);
    for (const table of TABLES) {
      await db.query(`
        CALL journal_guard('${table}');
        CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ${table} FOR EACH STATEMENT EXECUTE FUNCTION journal_append_only();
        GRANT SELECT ON ${table} TO hufu_service, hufu_worker;
      `);
    }
    await db.query(`
      GRANT INSERT ON verification_run, verification_run_state, verification_file, verification_slice TO hufu_service;
      GRANT INSERT ON verification_run_state, verification_chunk, verification_failure, verification_aggregate, verification_result TO hufu_worker;
    `);
  }

  async down(db: QueryRunner): Promise<void> {
    for (const table of [...TABLES].reverse()) await db.query(`DROP TABLE ${table}`);
  }
}

const TABLES = [
  'verification_run',
  'verification_run_state',
  'verification_file',
  'verification_slice',
  'verification_chunk',
  'verification_failure',
  'verification_aggregate',
  'verification_result',
] as const;
