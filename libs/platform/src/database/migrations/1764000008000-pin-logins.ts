import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Logins with PINs that a host had not proven: a row a change, never updated; the last of a token counts. */
export class PinLogins1764000008000 implements MigrationInterface {
  readonly name = 'PinLogins1764000008000';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE hsm_pin_login (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        token_serial text NOT NULL,
        device text NOT NULL,
        pin_id text NOT NULL CHECK (pin_id ~ '^[0-9A-F]{32}$'),
        state text NOT NULL CHECK (state IN ('attempting', 'accepted', 'refused', 'cleared')),
        recorded_at timestamptz NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id)
      );
      CREATE INDEX hsm_pin_login_last ON hsm_pin_login (token_serial, id DESC);
      CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON hsm_pin_login
        FOR EACH STATEMENT EXECUTE FUNCTION journal_append_only();
      CALL journal_guard('hsm_pin_login');
      GRANT SELECT, INSERT ON hsm_pin_login TO hufu_service;
      GRANT SELECT ON hsm_pin_login TO hufu_worker;
    `);
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query('DROP TABLE hsm_pin_login;');
  }
}
