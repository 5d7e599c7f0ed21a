import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Card register, and the history of each card's status: rows are only ever added, the first is `active`. */
export class Cards1764000005000 implements MigrationInterface {
  readonly name = 'Cards1764000005000';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE card (
        card_number text PRIMARY KEY CHECK (card_number ~ '^[0-9A-Z]{9}$'),
        region text NOT NULL CHECK (region ~ '^[0-9]{6}$'),
        entry_id uuid NOT NULL REFERENCES journal_stage (id)
      );
      CREATE TABLE card_status (
        card_number text NOT NULL REFERENCES card (card_number),
        sequence int NOT NULL CHECK (sequence > 0),
        status text NOT NULL CHECK (status IN ('active', 'suspended', 'lost', 'cancelled')),
        effective_at timestamptz NOT NULL,
        recorded_at timestamptz NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id),
        PRIMARY KEY (card_number, sequence)
      );
      CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON card_status
        FOR EACH STATEMENT EXECUTE FUNCTION journal_append_only();
      CALL journal_guard('card');
      CALL journal_guard('card_status');
      GRANT SELECT, INSERT ON card, card_status TO hufu_service;
      GRANT SELECT ON card, card_status TO hufu_worker;
    `);
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query('DROP TABLE card_status; DROP TABLE card;');
  }
}
