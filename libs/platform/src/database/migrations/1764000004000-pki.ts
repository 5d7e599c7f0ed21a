import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Certificates. A row of `certificate` or `crl` without its signed form is an intent: serial and exact bytes to be signed
 * are committed before the token signs. Status rows are only ever added. Foreign material lives apart from what we issue.
 */
export class Pki1764000004000 implements MigrationInterface {
  readonly name = 'Pki1764000004000';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE certificate_authority (
        ca_id text PRIMARY KEY CHECK (ca_id ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
        issuer_ca_id text NOT NULL REFERENCES certificate_authority (ca_id),
        profile text NOT NULL,
        subject bytea NOT NULL UNIQUE,
        key_id text NOT NULL UNIQUE REFERENCES key_record (key_id),
        device text NOT NULL,
        algorithm text NOT NULL,
        public_key bytea NOT NULL,
        not_before timestamptz NOT NULL,
        not_after timestamptz NOT NULL,
        serial text NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id)
      );
      CREATE TABLE certificate (
        issuer_ca_id text NOT NULL REFERENCES certificate_authority (ca_id),
        serial text NOT NULL CHECK (serial ~ '^[0-9A-F]{32}$'),
        profile text NOT NULL,
        holder_kind text NOT NULL CHECK (holder_kind IN ('ca', 'service', 'institution', 'terminal', 'card')),
        holder text NOT NULL,
        key_id text REFERENCES key_record (key_id),
        device text CHECK ((device IS NULL) = (key_id IS NULL)),
        public_key_digest bytea NOT NULL,
        not_before timestamptz NOT NULL,
        not_after timestamptz NOT NULL CHECK (not_before < not_after),
        tbs bytea NOT NULL,
        certificate bytea,
        recorded_at timestamptz NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id),
        PRIMARY KEY (issuer_ca_id, serial)
      );
      CREATE INDEX certificate_intent ON certificate (recorded_at) WHERE certificate IS NULL;
      CREATE INDEX certificate_public_key ON certificate (public_key_digest);
      CREATE INDEX certificate_holder ON certificate (holder_kind, holder);
      CREATE INDEX certificate_key ON certificate (key_id) WHERE key_id IS NOT NULL;

      CREATE TABLE certificate_status (
        issuer_ca_id text NOT NULL,
        serial text NOT NULL,
        status text NOT NULL CHECK (status = 'revoked'),
        reason text NOT NULL,
        effective_at timestamptz NOT NULL,
        invalidity_at timestamptz,
        recorded_at timestamptz NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id),
        PRIMARY KEY (issuer_ca_id, serial, status),
        FOREIGN KEY (issuer_ca_id, serial) REFERENCES certificate (issuer_ca_id, serial)
      );
      CREATE TABLE crl (
        ca_id text NOT NULL REFERENCES certificate_authority (ca_id),
        number bigint NOT NULL CHECK (number > 0),
        this_update timestamptz NOT NULL,
        next_update timestamptz NOT NULL CHECK (this_update < next_update),
        tbs bytea NOT NULL,
        crl bytea,
        recorded_at timestamptz NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id),
        PRIMARY KEY (ca_id, number)
      );

      CREATE TABLE foreign_certificate (
        issuer_digest text NOT NULL CHECK (issuer_digest ~ '^[0-9A-F]{64}$'),
        serial text NOT NULL,
        role text NOT NULL CHECK (role IN ('ca', 'endEntity')),
        trusted boolean NOT NULL CHECK (role = 'ca' OR NOT trusted),
        certificate bytea NOT NULL,
        received_at timestamptz NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id),
        PRIMARY KEY (issuer_digest, serial)
      );
      CREATE TABLE foreign_crl (
        digest text PRIMARY KEY CHECK (digest ~ '^[0-9A-F]{64}$'),
        issuer_key_digest text NOT NULL,
        crl bytea NOT NULL,
        this_update timestamptz NOT NULL,
        received_at timestamptz NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id)
      );

      CREATE FUNCTION signed_form_written_once() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        RAISE EXCEPTION 'the signed form in % is written once', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
      END $$;
      CREATE TRIGGER written_once BEFORE UPDATE ON certificate FOR EACH ROW WHEN (OLD.certificate IS NOT NULL)
        EXECUTE FUNCTION signed_form_written_once();
      CREATE TRIGGER written_once BEFORE UPDATE ON crl FOR EACH ROW WHEN (OLD.crl IS NOT NULL)
        EXECUTE FUNCTION signed_form_written_once();
      CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON certificate_status
        FOR EACH STATEMENT EXECUTE FUNCTION journal_append_only();

      CALL journal_guard('certificate_authority');
      CALL journal_guard('certificate');
      CALL journal_guard('certificate_status');
      CALL journal_guard('crl');
      CALL journal_guard('foreign_certificate');
      CALL journal_guard('foreign_crl');
      GRANT SELECT, INSERT ON certificate_authority, certificate, certificate_status, crl, foreign_certificate, foreign_crl TO hufu_service;
      GRANT UPDATE (certificate, entry_id) ON certificate TO hufu_service;
      GRANT UPDATE (crl, entry_id) ON crl TO hufu_service;
      GRANT SELECT ON certificate_authority, certificate, certificate_status, crl, foreign_certificate, foreign_crl TO hufu_worker;
    `);
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query(`
      DROP TABLE foreign_crl;
      DROP TABLE foreign_certificate;
      DROP TABLE crl;
      DROP TABLE certificate_status;
      DROP TABLE certificate;
      DROP TABLE certificate_authority;
      DROP FUNCTION signed_form_written_once();
    `);
  }
}
