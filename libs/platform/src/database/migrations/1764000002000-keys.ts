import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Key register. A row is an intent first (state `planned`, with the CKA_ID that the object will carry); it becomes
 * preActive when the device has made the object. Copies are per device. Derived card keys have no row.
 */
export class Keys1764000002000 implements MigrationInterface {
  readonly name = 'Keys1764000002000';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE key_record (
        key_id text PRIMARY KEY CHECK (key_id ~ '^[0-9A-F]{32}$'),
        label text NOT NULL,
        key_class text NOT NULL,
        algorithm text NOT NULL,
        state text NOT NULL CHECK (state IN ('planned', 'preActive', 'active', 'suspended', 'deactivated', 'compromised', 'destroyed', 'aborted')),
        kcv text,
        kcv_method text,
        fingerprint text,
        public_key bytea,
        created_at timestamptz NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id),
        CHECK (state IN ('planned', 'aborted') OR kcv IS NOT NULL OR public_key IS NOT NULL)
      );
      -- A label whose generation was given up is free again.
      CREATE UNIQUE INDEX key_record_label ON key_record (label) WHERE state <> 'aborted';
      CREATE TABLE key_copy (
        key_id text NOT NULL REFERENCES key_record (key_id),
        device text NOT NULL,
        token_serial text NOT NULL,
        state text NOT NULL CHECK (state IN ('planned', 'present', 'aborted', 'destroyed')),
        entry_id uuid NOT NULL REFERENCES journal_stage (id),
        PRIMARY KEY (key_id, device)
      );
      CALL journal_guard('key_record');
      CALL journal_guard('key_copy');
      GRANT SELECT, INSERT, UPDATE ON key_record, key_copy TO hufu_service;
      GRANT SELECT ON key_record, key_copy TO hufu_worker;
    `);
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query('DROP TABLE key_copy; DROP TABLE key_record;');
  }
}
