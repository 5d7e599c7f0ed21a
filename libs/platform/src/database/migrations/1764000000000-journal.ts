import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The journal's tables, and the guard that other tables use: `journal_guard(table)` adds a deferred trigger which wants
 * every inserted or changed row to name a journal entry of the same transaction. No entry, no action.
 * Roles are cluster-wide and may exist from another database; none of them can log in by itself.
 */
export class Journal1764000000000 implements MigrationInterface {
  readonly name = 'Journal1764000000000';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      DO $$
      DECLARE wanted text;
      BEGIN
        FOREACH wanted IN ARRAY ARRAY['hufu_service', 'hufu_worker', 'hufu_journal'] LOOP
          BEGIN
            IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = wanted) THEN
              EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
            END IF;
          EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
          END;
          IF NOT pg_has_role(current_user, wanted, 'USAGE') THEN
            EXECUTE format('GRANT %I TO CURRENT_USER', wanted);
          END IF;
        END LOOP;
      END $$;

      CREATE TABLE journal_stage (
        id uuid PRIMARY KEY,
        xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
        recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        kind text NOT NULL,
        subject text NOT NULL,
        body bytea NOT NULL,
        leaf_hash bytea NOT NULL CONSTRAINT leaf_hash_of_body CHECK (leaf_hash = sha256('\\x00'::bytea || body))
      );
      CREATE INDEX journal_stage_subject ON journal_stage (subject);

      CREATE TABLE journal_entry (
        idx bigint PRIMARY KEY CHECK (idx >= 0),
        stage_id uuid NOT NULL UNIQUE REFERENCES journal_stage (id),
        leaf_hash bytea NOT NULL
      );

      CREATE FUNCTION journal_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
      END $$;
      CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON journal_stage
        FOR EACH STATEMENT EXECUTE FUNCTION journal_append_only();
      CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON journal_entry
        FOR EACH STATEMENT EXECUTE FUNCTION journal_append_only();

      CREATE FUNCTION journal_entry_required() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF NOT EXISTS (SELECT 1 FROM journal_stage WHERE id = NEW.entry_id AND xid = pg_current_xact_id()) THEN
          RAISE EXCEPTION 'no journal entry of this transaction for a row of %', TG_TABLE_NAME
            USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NULL;
      END $$;
      CREATE PROCEDURE journal_guard(guarded regclass) LANGUAGE plpgsql AS $$
      BEGIN
        EXECUTE format('CREATE CONSTRAINT TRIGGER journal_entry_required AFTER INSERT OR UPDATE ON %s
          DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION journal_entry_required()', guarded);
      END $$;

      GRANT USAGE ON SCHEMA public TO hufu_service, hufu_worker, hufu_journal;
      GRANT SELECT ON schema_migration TO hufu_service, hufu_worker, hufu_journal;
      GRANT SELECT, INSERT ON journal_stage TO hufu_service, hufu_worker;
      GRANT SELECT ON journal_stage TO hufu_journal;
      GRANT SELECT ON journal_entry TO hufu_service, hufu_worker;
      GRANT SELECT, INSERT ON journal_entry TO hufu_journal;
    `);
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query(`
      DROP PROCEDURE journal_guard(regclass);
      DROP FUNCTION journal_entry_required();
      DROP TABLE journal_entry;
      DROP TABLE journal_stage;
      DROP FUNCTION journal_append_only();
    `);
  }
}
