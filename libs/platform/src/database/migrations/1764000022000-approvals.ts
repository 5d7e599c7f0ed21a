import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What was put before approvers, every signature that they gave, and what became of it. `subject` and `content` are the canonical
 * JSON that was signed and the approval as it came. Rows are only ever added, by the service alone.
 */
export class Approvals1764000022000 implements MigrationInterface {
  readonly name = 'Approvals1764000022000';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE approval_request (
        subject_digest text PRIMARY KEY CHECK (subject_digest ~ '^[0-9A-F]{64}$'),
        kind text NOT NULL CHECK (kind IN ('request', 'ticket', 'policy')),
        subject text NOT NULL,
        rule text NOT NULL,
        requested_by text,
        recorded_at timestamptz NOT NULL,
        not_after timestamptz NOT NULL CHECK (not_after > recorded_at),
        entry_id uuid NOT NULL REFERENCES journal_stage (id)
      );
      CREATE TABLE approval (
        subject_digest text NOT NULL REFERENCES approval_request (subject_digest),
        approver text NOT NULL,
        person text NOT NULL,
        method text NOT NULL CHECK (method IN ('plain', 'ukey', 'webauthn')),
        nonce text NOT NULL UNIQUE CHECK (nonce ~ '^[0-9A-F]{32}$'),
        content text NOT NULL,
        key_digest text NOT NULL CHECK (key_digest ~ '^[0-9A-F]{64}$'),
        sign_count bigint NOT NULL CHECK (sign_count >= 0),
        recorded_at timestamptz NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id),
        PRIMARY KEY (subject_digest, approver),
        UNIQUE (subject_digest, person)
      );
      CREATE INDEX approval_key ON approval (key_digest, sign_count);
      CREATE TABLE approval_refusal (
        subject_digest text PRIMARY KEY REFERENCES approval_request (subject_digest),
        approver text NOT NULL,
        reason text NOT NULL,
        recorded_at timestamptz NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id)
      );
      CREATE TABLE approval_outcome (
        subject_digest text PRIMARY KEY REFERENCES approval_request (subject_digest),
        outcome text NOT NULL CHECK (outcome IN ('approved', 'refused', 'expired', 'abandoned')),
        recorded_at timestamptz NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id)
      );
    `);
    for (const table of TABLES) {
      await db.query(`
        CALL journal_guard('${table}');
        CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ${table} FOR EACH STATEMENT EXECUTE FUNCTION journal_append_only();
        GRANT SELECT, INSERT ON ${table} TO hufu_service;
      `);
    }
  }

  async down(db: QueryRunner): Promise<void> {
    for (const table of [...TABLES].reverse()) await db.query(`DROP TABLE ${table}`);
  }
}

const TABLES = ['approval_request', 'approval', 'approval_refusal', 'approval_outcome'] as const;
