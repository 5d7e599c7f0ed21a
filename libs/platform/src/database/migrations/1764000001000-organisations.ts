import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Institutions (hospitals and service points) and the terminals that stand in them. */
export class Organisations1764000001000 implements MigrationInterface {
  readonly name = 'Organisations1764000001000';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE institution (
        code text PRIMARY KEY CHECK (code ~ '^[A-Z0-9]{12}$'),
        name text NOT NULL,
        region text NOT NULL CHECK (region ~ '^[0-9]{6}$'),
        entry_id uuid NOT NULL REFERENCES journal_stage (id)
      );
      CREATE TABLE terminal (
        number text PRIMARY KEY CHECK (number ~ '^[0-9]{12}$'),
        institution_code text NOT NULL REFERENCES institution (code),
        entry_id uuid NOT NULL REFERENCES journal_stage (id)
      );
      CREATE INDEX terminal_institution ON terminal (institution_code);
      CALL journal_guard('institution');
      CALL journal_guard('terminal');
      GRANT SELECT, INSERT, UPDATE ON institution, terminal TO hufu_service;
      GRANT SELECT ON institution, terminal TO hufu_worker;
    `);
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query('DROP TABLE terminal; DROP TABLE institution;');
  }
}
