import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Persons, their accounts, what vets them, their roles, credentials, leaves and hand-overs, and the changes that make them. Rows
 * are only ever added, by the service alone; names stand in `person.name` and nowhere else.
 */
export class Access1764000020000 implements MigrationInterface {
  readonly name = 'Access1764000020000';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE access_initialisation (
        singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
        policy jsonb NOT NULL,
        policy_digest text NOT NULL CHECK (policy_digest ~ '^[0-9A-F]{64}$'),
        recorded_at timestamptz NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id)
      );
      CREATE TABLE person (
        person_id uuid PRIMARY KEY,
        name text NOT NULL,
        identity_hash text NOT NULL UNIQUE CHECK (identity_hash ~ '^[0-9A-F]{64}$'),
        name_hash text NOT NULL CHECK (name_hash ~ '^[0-9A-F]{64}$'),
        department text NOT NULL,
        region text NOT NULL CHECK (region ~ '^[0-9]{6}$'),
        recorded_at timestamptz NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id)
      );
      CREATE INDEX person_region ON person (region text_pattern_ops);
      CREATE TABLE operator (
        operator_id text PRIMARY KEY CHECK (operator_id ~ '^[a-z][a-z0-9.-]{1,31}$'),
        person_id uuid NOT NULL REFERENCES person (person_id),
        effective_at timestamptz NOT NULL,
        recorded_at timestamptz NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id)
      );
      CREATE INDEX operator_person ON operator (person_id);
      CREATE TABLE operator_status (
        operator_id text NOT NULL REFERENCES operator (operator_id),
        person_id uuid NOT NULL REFERENCES person (person_id),
        sequence int NOT NULL CHECK (sequence > 0),
        status text NOT NULL CHECK (status IN ('active', 'suspended', 'left')),
        effective_at timestamptz NOT NULL,
        recorded_at timestamptz NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id),
        PRIMARY KEY (operator_id, sequence)
      );
      CREATE INDEX operator_status_person ON operator_status (person_id);
      CREATE TABLE qualification (
        qualification_id uuid PRIMARY KEY,
        person_id uuid NOT NULL REFERENCES person (person_id),
        kind text NOT NULL,
        valid_from timestamptz NOT NULL,
        valid_until timestamptz NOT NULL CHECK (valid_until > valid_from),
        evidence_digest text NOT NULL CHECK (evidence_digest ~ '^[0-9A-F]{64}$'),
        recorded_at timestamptz NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id)
      );
      CREATE INDEX qualification_person ON qualification (person_id);
      CREATE TABLE role_assignment (
        assignment_id uuid PRIMARY KEY,
        person_id uuid NOT NULL REFERENCES person (person_id),
        operator_id text NOT NULL REFERENCES operator (operator_id),
        role text NOT NULL,
        regions text[] NOT NULL,
        component_set text,
        component int CHECK (component > 0),
        valid_from timestamptz NOT NULL,
        valid_until timestamptz CHECK (valid_until > valid_from),
        recorded_at timestamptz NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id),
        CHECK ((component_set IS NULL) = (component IS NULL)),
        CHECK ((role = 'custodian') = (component IS NOT NULL))
      );
      CREATE INDEX role_assignment_person ON role_assignment (person_id);
      CREATE TABLE operator_credential (
        credential_id uuid PRIMARY KEY,
        person_id uuid NOT NULL REFERENCES person (person_id),
        operator_id text NOT NULL REFERENCES operator (operator_id),
        method text NOT NULL CHECK (method IN ('plain', 'webauthn', 'certificate', 'ukey')),
        purpose text NOT NULL CHECK (purpose IN ('signIn', 'approve')),
        key_digest text NOT NULL UNIQUE CHECK (key_digest ~ '^[0-9A-F]{64}$'),
        valid_from timestamptz NOT NULL,
        valid_until timestamptz NOT NULL CHECK (valid_until > valid_from),
        recorded_at timestamptz NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id)
      );
      CREATE INDEX operator_credential_person ON operator_credential (person_id);
      CREATE TABLE access_withdrawal (
        row_id uuid NOT NULL,
        person_id uuid NOT NULL REFERENCES person (person_id),
        by_operator_id text NOT NULL REFERENCES operator (operator_id),
        effective_at timestamptz NOT NULL,
        reason text NOT NULL,
        recorded_at timestamptz NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id),
        PRIMARY KEY (row_id, effective_at)
      );
      CREATE INDEX access_withdrawal_person ON access_withdrawal (person_id);
      CREATE TABLE operator_leave (
        leave_id uuid PRIMARY KEY,
        person_id uuid NOT NULL REFERENCES person (person_id),
        kind text NOT NULL CHECK (kind IN ('absence', 'departure')),
        valid_from timestamptz NOT NULL,
        valid_until timestamptz CHECK (valid_until > valid_from),
        reason text NOT NULL,
        evidence_digest text,
        recorded_at timestamptz NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id),
        CHECK ((kind = 'departure') = (valid_until IS NULL))
      );
      CREATE INDEX operator_leave_person ON operator_leave (person_id);
      CREATE TABLE hand_over (
        hand_over_id uuid PRIMARY KEY,
        person_id uuid NOT NULL REFERENCES person (person_id),
        assignment_id uuid NOT NULL REFERENCES role_assignment (assignment_id),
        successor_id uuid NOT NULL REFERENCES person (person_id) CHECK (successor_id <> person_id),
        evidence_digest text NOT NULL,
        recorded_at timestamptz NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id)
      );
      CREATE INDEX hand_over_person ON hand_over (person_id);
      CREATE TABLE hand_over_receipt (
        hand_over_id uuid PRIMARY KEY REFERENCES hand_over (hand_over_id),
        person_id uuid NOT NULL REFERENCES person (person_id),
        recorded_at timestamptz NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id)
      );
      CREATE INDEX hand_over_receipt_person ON hand_over_receipt (person_id);
      CREATE TABLE access_change (
        change_id uuid PRIMARY KEY,
        person_id uuid NOT NULL REFERENCES person (person_id),
        proposer_id text NOT NULL REFERENCES operator (operator_id),
        content text NOT NULL,
        expires_at timestamptz NOT NULL,
        recorded_at timestamptz NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id)
      );
      CREATE INDEX access_change_person ON access_change (person_id);
      CREATE TABLE access_confirmation (
        change_id uuid NOT NULL REFERENCES access_change (change_id),
        person_id uuid NOT NULL REFERENCES person (person_id),
        leg text NOT NULL CHECK (leg IN ('security', 'audit')),
        confirmer_id text NOT NULL REFERENCES operator (operator_id),
        confirmer_person_id uuid NOT NULL REFERENCES person (person_id) CHECK (confirmer_person_id <> person_id),
        recorded_at timestamptz NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id),
        PRIMARY KEY (change_id, leg),
        UNIQUE (change_id, confirmer_person_id)
      );
      CREATE INDEX access_confirmation_person ON access_confirmation (person_id);
      CREATE TABLE access_refusal (
        change_id uuid PRIMARY KEY REFERENCES access_change (change_id),
        person_id uuid NOT NULL REFERENCES person (person_id),
        by_operator_id text NOT NULL REFERENCES operator (operator_id),
        reason text NOT NULL,
        recorded_at timestamptz NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id)
      );
      CREATE INDEX access_refusal_person ON access_refusal (person_id);
      CREATE TABLE access_notice (
        notice_id uuid PRIMARY KEY,
        person_id uuid NOT NULL REFERENCES person (person_id),
        change_id uuid NOT NULL REFERENCES access_change (change_id),
        event text NOT NULL CHECK (event IN ('proposed', 'confirmed', 'refused')),
        recorded_at timestamptz NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id)
      );
      CREATE INDEX access_notice_person ON access_notice (person_id);
    `);
    for (const table of TABLES) {
      await db.query(`
        CALL journal_guard('${table}');
        CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ${table} FOR EACH STATEMENT EXECUTE FUNCTION journal_append_only();
        GRANT SELECT, INSERT ON ${table} TO hufu_service;
      `);
    }
  }

  async down(db: QueryRunner): Promise<void> {
    for (const table of [...TABLES].reverse()) await db.query(`DROP TABLE ${table}`);
  }
}

const TABLES = [
  'access_initialisation',
  'person',
  'operator',
  'operator_status',
  'qualification',
  'role_assignment',
  'operator_credential',
  'access_withdrawal',
  'operator_leave',
  'hand_over',
  'hand_over_receipt',
  'access_change',
  'access_confirmation',
  'access_refusal',
  'access_notice',
] as const;
