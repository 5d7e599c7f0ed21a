import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Two costs that every act paid. The guard of state tables looks when the row is written and no longer at the commit: an entry is
 * always recorded before the rows that name it, so nothing is allowed that was not. And a place in the log no longer locks its staged
 * row by a foreign key: staged rows are never deleted, the sequencer reads the row in the same transaction, and the verifier finds a
 * place without a body.
 */
export class JournalGuard1764000023000 implements MigrationInterface {
  readonly name = 'JournalGuard1764000023000';

  async up(db: QueryRunner): Promise<void> {
    await db.query('ALTER TABLE journal_entry DROP CONSTRAINT journal_entry_stage_id_fkey');
    await guardBy(db, 'CREATE TRIGGER', '');
  }

  async down(db: QueryRunner): Promise<void> {
    await guardBy(db, 'CREATE CONSTRAINT TRIGGER', 'DEFERRABLE INITIALLY DEFERRED');
    await db.query('ALTER TABLE journal_entry ADD CONSTRAINT journal_entry_stage_id_fkey FOREIGN KEY (stage_id) REFERENCES journal_stage (id)');
  }
}

/** For tables to come, and for those that are guarded already. */
async function guardBy(db: QueryRunner, create: string, when: string): Promise<void> {
  await db.query(`
    CREATE OR REPLACE PROCEDURE journal_guard(guarded regclass) LANGUAGE plpgsql AS $$
    BEGIN
      EXECUTE format('${create} journal_entry_required AFTER INSERT OR UPDATE ON %s
        ${when} FOR EACH ROW EXECUTE FUNCTION journal_entry_required()', guarded);
    END $$;
    DO $$
    DECLARE guarded regclass;
    BEGIN
      FOR guarded IN SELECT tgrelid::regclass FROM pg_trigger WHERE tgname = 'journal_entry_required' AND tgparentid = 0 LOOP
        EXECUTE format('DROP TRIGGER journal_entry_required ON %s', guarded);
        CALL journal_guard(guarded);
      END LOOP;
    END $$;
  `);
}
