import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * PSAM ledger: filed vendors, lots of blanks, orders, cards by chip serial, injection sessions and key releases.
 * A session row without an outcome is an intent: its card was in work when the process ended. A key release is bound to
 * one challenge of the card for ever.
 */
export class Psam1764000003000 implements MigrationInterface {
  readonly name = 'Psam1764000003000';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE psam_vendor (
        code text PRIMARY KEY,
        name text NOT NULL,
        filing_number text NOT NULL,
        filed_from date NOT NULL,
        filed_to date NOT NULL CHECK (filed_to >= filed_from),
        card_model text NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id)
      );
      CREATE TABLE psam_lot (
        lot_no text PRIMARY KEY,
        vendor_code text NOT NULL REFERENCES psam_vendor (code),
        received_count integer NOT NULL CHECK (received_count > 0),
        received_at timestamptz NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id)
      );
      CREATE TABLE psam_order (
        order_no text PRIMARY KEY,
        lot_no text NOT NULL REFERENCES psam_lot (lot_no),
        region text NOT NULL CHECK (region ~ '^[0-9]{6}$'),
        institution_code text NOT NULL REFERENCES institution (code),
        key_set jsonb NOT NULL,
        device text NOT NULL,
        valid_from date NOT NULL,
        valid_to date NOT NULL CHECK (valid_to >= valid_from),
        state text NOT NULL CHECK (state IN ('open', 'closed')),
        entry_id uuid NOT NULL REFERENCES journal_stage (id)
      );
      CREATE TABLE psam_order_terminal (
        order_no text NOT NULL REFERENCES psam_order (order_no),
        place integer NOT NULL,
        terminal_number text NOT NULL REFERENCES terminal (number),
        entry_id uuid NOT NULL REFERENCES journal_stage (id),
        PRIMARY KEY (order_no, place),
        UNIQUE (order_no, terminal_number)
      );
      CREATE SEQUENCE psam_serial_number AS bigint;
      CREATE TABLE psam_card (
        chip_serial text PRIMARY KEY CHECK (chip_serial ~ '^[0-9A-F]{16}$'),
        lot_no text NOT NULL REFERENCES psam_lot (lot_no),
        state text NOT NULL CHECK (state IN ('blank', 'inWork', 'good', 'quarantined', 'scrapped', 'returnedToVendor', 'lost')),
        atr text,
        order_no text REFERENCES psam_order (order_no),
        psam_serial text UNIQUE CHECK (psam_serial ~ '^[0-9]{20}$'),
        terminal_number text REFERENCES terminal (number),
        reason text,
        entry_id uuid NOT NULL REFERENCES journal_stage (id),
        CHECK (state NOT IN ('inWork', 'good') OR (order_no IS NOT NULL AND psam_serial IS NOT NULL AND terminal_number IS NOT NULL))
      );
      CREATE INDEX psam_card_lot ON psam_card (lot_no, state);
      CREATE INDEX psam_card_order ON psam_card (order_no, state);
      CREATE UNIQUE INDEX psam_card_live_terminal ON psam_card (terminal_number) WHERE state IN ('inWork', 'good');
      CREATE TABLE psam_session (
        id uuid PRIMARY KEY,
        chip_serial text NOT NULL REFERENCES psam_card (chip_serial),
        order_no text NOT NULL REFERENCES psam_order (order_no),
        started_at timestamptz NOT NULL,
        ended_at timestamptz,
        outcome text CHECK (outcome IN ('good', 'quarantined')),
        failure jsonb,
        proofs jsonb,
        commands jsonb,
        log_digest text,
        entry_id uuid NOT NULL REFERENCES journal_stage (id),
        CHECK ((outcome IS NULL) = (ended_at IS NULL))
      );
      CREATE INDEX psam_session_open ON psam_session (chip_serial) WHERE outcome IS NULL;
      CREATE TABLE psam_key_release (
        chip_serial text NOT NULL REFERENCES psam_card (chip_serial),
        slot text NOT NULL,
        version integer NOT NULL,
        root_key_id text NOT NULL,
        factors text[] NOT NULL,
        challenge_digest text NOT NULL,
        load_digest text,
        released_at timestamptz NOT NULL,
        loaded_at timestamptz,
        entry_id uuid NOT NULL REFERENCES journal_stage (id),
        PRIMARY KEY (chip_serial, slot, version)
      );
      CALL journal_guard('psam_vendor');
      CALL journal_guard('psam_lot');
      CALL journal_guard('psam_order');
      CALL journal_guard('psam_order_terminal');
      CALL journal_guard('psam_card');
      CALL journal_guard('psam_session');
      CALL journal_guard('psam_key_release');
      GRANT SELECT, INSERT, UPDATE ON psam_vendor, psam_order, psam_card, psam_session, psam_key_release TO hufu_service;
      GRANT SELECT, INSERT ON psam_lot, psam_order_terminal TO hufu_service;
      GRANT USAGE ON SEQUENCE psam_serial_number TO hufu_service;
      GRANT SELECT ON psam_card TO hufu_worker;
    `);
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query(`
      DROP TABLE psam_key_release;
      DROP TABLE psam_session;
      DROP TABLE psam_card;
      DROP SEQUENCE psam_serial_number;
      DROP TABLE psam_order_terminal;
      DROP TABLE psam_order;
      DROP TABLE psam_lot;
      DROP TABLE psam_vendor;
    `);
  }
}
