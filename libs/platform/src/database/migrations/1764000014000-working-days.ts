import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What was corrected by hand in the calendar of working days; the last row of a day holds. */
export class WorkingDays1764000014000 implements MigrationInterface {
  readonly name = 'WorkingDays1764000014000';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE working_day_correction (
        day date NOT NULL,
        sequence int NOT NULL CHECK (sequence > 0),
        working boolean NOT NULL,
        corrected_by text NOT NULL CHECK (corrected_by <> ''),
        reason text NOT NULL CHECK (reason <> ''),
        recorded_at timestamptz NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id),
        PRIMARY KEY (day, sequence)
      );
      CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON working_day_correction
        FOR EACH STATEMENT EXECUTE FUNCTION journal_append_only();
      CALL journal_guard('working_day_correction');
      GRANT SELECT, INSERT ON working_day_correction TO hufu_service;
      GRANT SELECT ON working_day_correction TO hufu_worker;
    `);
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query('DROP TABLE working_day_correction;');
  }
}
