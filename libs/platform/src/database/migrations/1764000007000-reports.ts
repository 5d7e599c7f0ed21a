import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Signed reports of finished runs. A request names the signing key; the intent fixes everything that the bytes depend on
 * and cannot be read again from the run (font, time, signer) with the exact bytes to be signed; the report row is the
 * outcome. All insert-only.
 */
export class Reports1764000007000 implements MigrationInterface {
  readonly name = 'Reports1764000007000';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE report_request (
        run_id uuid PRIMARY KEY REFERENCES verification_run (id),
        signer_label text NOT NULL,
        requested_at timestamptz NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id)
      );
      CREATE TABLE report_intent (
        run_id uuid PRIMARY KEY REFERENCES report_request (run_id),
        signing_time timestamptz NOT NULL,
        signer_certificate bytea NOT NULL,
        font_name text NOT NULL,
        font_face text NOT NULL,
        font_sha256 text NOT NULL,
        pdf_digest text NOT NULL CHECK (pdf_digest ~ '^[0-9A-F]{64}$'),
        json_digest text NOT NULL CHECK (json_digest ~ '^[0-9A-F]{64}$'),
        pdf_attributes bytea NOT NULL,
        json_attributes bytea NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id)
      );
      CREATE TABLE report (
        run_id uuid PRIMARY KEY REFERENCES report_intent (run_id),
        pdf_cms_digest text NOT NULL CHECK (pdf_cms_digest ~ '^[0-9A-F]{64}$'),
        json_cms_digest text NOT NULL CHECK (json_cms_digest ~ '^[0-9A-F]{64}$'),
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
    await db.query('GRANT INSERT ON report_request TO hufu_service; GRANT INSERT ON report_intent, report TO hufu_worker;');
  }

  async down(db: QueryRunner): Promise<void> {
    for (const table of [...TABLES].reverse()) await db.query(`DROP TABLE ${table}`);
  }
}

const TABLES = ['report_request', 'report_intent', 'report'] as const;
