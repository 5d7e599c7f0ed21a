import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The journal in yearly shards with two trees, signed heads, log keys and anchors. Places that were given before had no
 * signature and nobody outside holds them: they are given up, their entries stay staged and wait for the first log key.
 * `down` likewise leaves every entry staged, for the earlier version to place again.
 */
export class JournalCheckpoints1764000016000 implements MigrationInterface {
  readonly name = 'JournalCheckpoints1764000016000';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      DROP TABLE journal_entry;
      CREATE TABLE journal_entry (
        shard integer NOT NULL CHECK (shard BETWEEN 2000 AND 9999),
        idx bigint NOT NULL CHECK (idx >= 0),
        stage_id uuid NOT NULL UNIQUE REFERENCES journal_stage (id),
        leaf_hash bytea NOT NULL CHECK (octet_length(leaf_hash) = 32),
        leaf_sm3 bytea NOT NULL CHECK (octet_length(leaf_sm3) = 32),
        PRIMARY KEY (shard, idx)
      );
      CREATE INDEX journal_stage_order ON journal_stage (xid, id);

      CREATE TABLE journal_key_intent (
        key_id text PRIMARY KEY CHECK (key_id ~ '^[0-9A-F]{32}$'),
        algorithm text NOT NULL CHECK (algorithm IN ('p256', 'sm2')),
        device text NOT NULL,
        device_group text NOT NULL,
        from_shard integer NOT NULL CHECK (from_shard BETWEEN 2000 AND 9999),
        entry_id uuid NOT NULL REFERENCES journal_stage (id)
      );
      CREATE TABLE journal_key (
        key_id text PRIMARY KEY REFERENCES journal_key_intent (key_id),
        made_order bigint NOT NULL GENERATED ALWAYS AS IDENTITY UNIQUE,
        algorithm text NOT NULL CHECK (algorithm IN ('p256', 'sm2')),
        spki bytea NOT NULL,
        device_group text NOT NULL,
        from_shard integer NOT NULL CHECK (from_shard BETWEEN 2000 AND 9999),
        entry_id uuid NOT NULL REFERENCES journal_stage (id)
      );
      CREATE TABLE journal_key_abort (
        key_id text PRIMARY KEY REFERENCES journal_key_intent (key_id),
        entry_id uuid NOT NULL REFERENCES journal_stage (id)
      );
      CREATE TABLE journal_checkpoint (
        shard integer NOT NULL,
        size bigint NOT NULL CHECK (size >= 1),
        text bytea NOT NULL,
        key_id text NOT NULL REFERENCES journal_key (key_id),
        signature bytea NOT NULL,
        previous_key_id text REFERENCES journal_key (key_id),
        previous_signature bytea,
        sha256_range bytea NOT NULL,
        sm3_range bytea NOT NULL,
        horizon xid8 NOT NULL,
        horizon_id uuid NOT NULL,
        made_at timestamptz NOT NULL,
        PRIMARY KEY (shard, size),
        CHECK ((previous_key_id IS NULL) = (previous_signature IS NULL))
      );
      CREATE TABLE journal_anchor (
        anchor text NOT NULL,
        shard integer NOT NULL,
        size bigint NOT NULL,
        anchored_at timestamptz NOT NULL,
        PRIMARY KEY (anchor, shard, size),
        FOREIGN KEY (shard, size) REFERENCES journal_checkpoint (shard, size)
      );
      CREATE INDEX journal_anchor_place ON journal_anchor (shard, size);
    `);
    for (const table of GUARDED) await db.query(`CALL journal_guard('${table}')`);
    for (const table of ['journal_entry', ...NEW]) {
      await db.query(`
        CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ${table} FOR EACH STATEMENT EXECUTE FUNCTION journal_append_only();
        GRANT SELECT ON ${table} TO hufu_service, hufu_worker, hufu_journal;
      `);
    }
    await db.query(`
      GRANT INSERT ON journal_key_intent, journal_key, journal_key_abort TO hufu_service;
      GRANT INSERT ON journal_entry, journal_checkpoint, journal_anchor TO hufu_journal;
    `);
    // Transaction and time of an entry are the database's word: with another xid an entry would never get a place.
    await db.query(`
      REVOKE INSERT ON journal_stage FROM hufu_service, hufu_worker;
      GRANT INSERT (id, kind, subject, body, leaf_hash) ON journal_stage TO hufu_service, hufu_worker, hufu_journal;
      CREATE FUNCTION journal_log_key_entry() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF current_user IN ('hufu_service', 'hufu_worker') THEN
          RAISE EXCEPTION 'an entry % is written by the sequencer alone', NEW.kind USING ERRCODE = 'insufficient_privilege';
        END IF;
        RETURN NEW;
      END $$;
      CREATE TRIGGER log_key_entry BEFORE INSERT ON journal_stage FOR EACH ROW WHEN (NEW.kind = 'journal.logKey') EXECUTE FUNCTION journal_log_key_entry();
    `);
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query(`
      DROP TRIGGER log_key_entry ON journal_stage;
      DROP FUNCTION journal_log_key_entry();
      REVOKE INSERT (id, kind, subject, body, leaf_hash) ON journal_stage FROM hufu_service, hufu_worker, hufu_journal;
      GRANT INSERT ON journal_stage TO hufu_service, hufu_worker;
    `);
    for (const table of [...NEW].reverse()) await db.query(`DROP TABLE ${table}`);
    await db.query(`
      DROP INDEX journal_stage_order;
      DROP TABLE journal_entry;
      CREATE TABLE journal_entry (
        idx bigint PRIMARY KEY CHECK (idx >= 0),
        stage_id uuid NOT NULL UNIQUE REFERENCES journal_stage (id),
        leaf_hash bytea NOT NULL
      );
      CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON journal_entry
        FOR EACH STATEMENT EXECUTE FUNCTION journal_append_only();
      GRANT SELECT ON journal_entry TO hufu_service, hufu_worker;
      GRANT SELECT, INSERT ON journal_entry TO hufu_journal;
    `);
  }
}

const GUARDED = ['journal_key_intent', 'journal_key', 'journal_key_abort'] as const;
/** In the order in which they lean on each other. */
const NEW = [...GUARDED, 'journal_checkpoint', 'journal_anchor'] as const;
