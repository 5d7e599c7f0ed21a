import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Connected devices, where they stood, and their acceptance there. A stretch has no end of its own: it lasts until the next
 * one begins, and each names the beginning of the one before. So two stretches of one device cannot overlap, whoever writes
 * them, and no row is ever changed.
 */
export class ConnectedDevices1764000015000 implements MigrationInterface {
  readonly name = 'ConnectedDevices1764000015000';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE connected_device (
        device_id uuid PRIMARY KEY,
        kind text COLLATE "C" NOT NULL CHECK (kind IN ('terminal', 'psamHost', 'networkDevice', 'hsm')),
        serial text COLLATE "C" NOT NULL CHECK (serial <> ''),
        entry_id uuid NOT NULL REFERENCES journal_stage (id),
        UNIQUE (kind, serial)
      );
      CREATE TABLE connected_device_place (
        device_id uuid NOT NULL REFERENCES connected_device (device_id),
        sequence int NOT NULL CHECK (sequence > 0),
        organisation_id uuid REFERENCES organisation (organisation_id),
        address text,
        since timestamptz NOT NULL,
        previous_sequence int GENERATED ALWAYS AS (NULLIF(sequence - 1, 0)) STORED,
        previous_since timestamptz,
        recorded_at timestamptz NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id),
        PRIMARY KEY (device_id, sequence),
        UNIQUE (device_id, sequence, since),
        FOREIGN KEY (device_id, previous_sequence, previous_since) REFERENCES connected_device_place (device_id, sequence, since),
        CHECK ((sequence = 1) = (previous_since IS NULL)),
        CHECK (previous_since < since),
        CHECK ((organisation_id IS NULL) = (address IS NULL)),
        CHECK (sequence > 1 OR organisation_id IS NOT NULL)
      );
      CREATE INDEX connected_device_place_organisation ON connected_device_place (organisation_id);
      CREATE TABLE connected_device_acceptance (
        device_id uuid NOT NULL,
        place_sequence int NOT NULL,
        sequence int NOT NULL CHECK (sequence > 0),
        accepted boolean NOT NULL,
        accepted_by text NOT NULL CHECK (accepted_by <> ''),
        document text NOT NULL CHECK (document <> ''),
        accepted_at timestamptz NOT NULL,
        recorded_at timestamptz NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id),
        PRIMARY KEY (device_id, place_sequence, sequence),
        FOREIGN KEY (device_id, place_sequence) REFERENCES connected_device_place (device_id, sequence)
      );
      CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON connected_device
        FOR EACH STATEMENT EXECUTE FUNCTION journal_append_only();
      CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON connected_device_place
        FOR EACH STATEMENT EXECUTE FUNCTION journal_append_only();
      CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON connected_device_acceptance
        FOR EACH STATEMENT EXECUTE FUNCTION journal_append_only();
      CALL journal_guard('connected_device');
      CALL journal_guard('connected_device_place');
      CALL journal_guard('connected_device_acceptance');
      GRANT SELECT, INSERT ON connected_device, connected_device_place, connected_device_acceptance TO hufu_service;
      GRANT SELECT ON connected_device, connected_device_place, connected_device_acceptance TO hufu_worker;
    `);
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query('DROP TABLE connected_device_acceptance; DROP TABLE connected_device_place; DROP TABLE connected_device;');
  }
}
