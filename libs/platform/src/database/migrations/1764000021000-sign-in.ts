import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Sign-in: codes and material of credentials, sessions, failures, locks. What gives or takes anything is append-only and names its
 * entry. Three tables are not: challenges (anybody may ask for one; they live two minutes), proofs that were used (they live as long as
 * their time counts) and the last use of a session (a clock reading a minute). An entry for each would let a stranger fill the journal.
 * `down` refuses while there are notices without a change: an earlier version could not read them.
 */
export class SignIn1764000021000 implements MigrationInterface {
  readonly name = 'SignIn1764000021000';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      ALTER TABLE access_notice ALTER COLUMN change_id DROP NOT NULL;
      ALTER TABLE access_notice DROP CONSTRAINT access_notice_event_check;
      ALTER TABLE access_notice ADD CONSTRAINT access_notice_event_check CHECK (event IN ('proposed', 'confirmed', 'refused', 'signInLocked', 'authenticatorCloned'));
      ALTER TABLE access_notice ADD CONSTRAINT access_notice_change_check CHECK ((event IN ('proposed', 'confirmed', 'refused')) = (change_id IS NOT NULL));

      CREATE TABLE enrolment_code (
        code_digest text PRIMARY KEY CHECK (code_digest ~ '^[0-9A-F]{64}$'),
        operator_id text NOT NULL CHECK (operator_id ~ '^[a-z][a-z0-9.-]{1,31}$'),
        purpose text NOT NULL CHECK (purpose IN ('signIn', 'approve')),
        method text NOT NULL CHECK (method IN ('plain', 'webauthn', 'certificate', 'ukey')),
        by_operator_id text REFERENCES operator (operator_id),
        expires_at timestamptz NOT NULL,
        recorded_at timestamptz NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id)
      );
      CREATE TABLE credential_material (
        key_digest text PRIMARY KEY CHECK (key_digest = upper(encode(sha256(public_key), 'hex'))),
        code_digest text NOT NULL UNIQUE REFERENCES enrolment_code (code_digest),
        operator_id text NOT NULL,
        purpose text NOT NULL CHECK (purpose IN ('signIn', 'approve')),
        method text NOT NULL CHECK (method IN ('plain', 'webauthn', 'certificate', 'ukey')),
        algorithm text NOT NULL CHECK (algorithm IN ('p256Sha256', 'sm2Sm3')),
        public_key bytea NOT NULL,
        rp_id text,
        origins text[],
        webauthn_id bytea UNIQUE CHECK (octet_length(webauthn_id) BETWEEN 1 AND 1023),
        aaguid text CHECK (aaguid ~ '^[0-9A-F]{32}$'),
        attestation_object bytea,
        client_data_json bytea,
        sign_count bigint CHECK (sign_count >= 0),
        recorded_at timestamptz NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id),
        CHECK (num_nulls(rp_id, origins, webauthn_id, aaguid, attestation_object, client_data_json, sign_count) = CASE method WHEN 'webauthn' THEN 0 ELSE 7 END)
      );
      CREATE INDEX credential_material_operator ON credential_material (operator_id);
      CREATE TABLE credential_count (
        key_digest text NOT NULL REFERENCES credential_material (key_digest),
        sign_count bigint NOT NULL CHECK (sign_count > 0),
        recorded_at timestamptz NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id),
        PRIMARY KEY (key_digest, sign_count)
      );
      CREATE TABLE credential_block (
        key_digest text PRIMARY KEY REFERENCES credential_material (key_digest),
        operator_id text NOT NULL REFERENCES operator (operator_id),
        reason text NOT NULL CHECK (reason IN ('authenticatorCloned')),
        recorded_at timestamptz NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id)
      );
      CREATE TABLE operator_session (
        session_id uuid PRIMARY KEY,
        token_digest text NOT NULL UNIQUE CHECK (token_digest ~ '^[0-9A-F]{64}$'),
        operator_id text NOT NULL REFERENCES operator (operator_id),
        credential_id uuid NOT NULL REFERENCES operator_credential (credential_id),
        proof_key text NOT NULL CHECK (proof_key ~ '^[A-Za-z0-9_-]{43}$'),
        certificate_digest text CHECK (certificate_digest ~ '^[0-9A-F]{64}$'),
        signed_in_at timestamptz NOT NULL,
        expires_at timestamptz NOT NULL CHECK (expires_at > signed_in_at),
        entry_id uuid NOT NULL REFERENCES journal_stage (id)
      );
      CREATE INDEX operator_session_operator ON operator_session (operator_id);
      CREATE TABLE operator_session_proof (
        session_id uuid NOT NULL REFERENCES operator_session (session_id),
        proven_at timestamptz NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id),
        PRIMARY KEY (session_id, proven_at)
      );
      CREATE TABLE operator_session_end (
        session_id uuid PRIMARY KEY REFERENCES operator_session (session_id),
        reason text NOT NULL CHECK (reason IN ('signedOut', 'idle', 'expired', 'revoked')),
        by_operator_id text REFERENCES operator (operator_id),
        recorded_at timestamptz NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id),
        CHECK ((reason = 'revoked') = (by_operator_id IS NOT NULL))
      );
      CREATE TABLE sign_in_failure (
        failure_id uuid PRIMARY KEY,
        operator_id text REFERENCES operator (operator_id),
        source text NOT NULL,
        reason text NOT NULL,
        counts boolean NOT NULL,
        recorded_at timestamptz NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id)
      );
      CREATE INDEX sign_in_failure_operator ON sign_in_failure (operator_id, recorded_at);
      CREATE INDEX sign_in_failure_source ON sign_in_failure (source, recorded_at);
      CREATE TABLE sign_in_lock (
        lock_id uuid PRIMARY KEY,
        operator_id text NOT NULL REFERENCES operator (operator_id),
        locked_until timestamptz NOT NULL,
        recorded_at timestamptz NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id)
      );
      CREATE INDEX sign_in_lock_operator ON sign_in_lock (operator_id, recorded_at);
      CREATE TABLE sign_in_unlock (
        lock_id uuid PRIMARY KEY REFERENCES sign_in_lock (lock_id),
        by_operator_id text NOT NULL REFERENCES operator (operator_id),
        recorded_at timestamptz NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id)
      );

      CREATE TABLE sign_in_challenge (
        challenge_id uuid PRIMARY KEY,
        challenge bytea NOT NULL CHECK (octet_length(challenge) = 32),
        operator_id text NOT NULL,
        method text NOT NULL CHECK (method IN ('webauthn', 'ukey')),
        purpose text NOT NULL CHECK (purpose IN ('signIn', 'stepUp')),
        source text NOT NULL,
        expires_at timestamptz NOT NULL
      );
      CREATE INDEX sign_in_challenge_expiry ON sign_in_challenge (expires_at);
      CREATE TABLE operator_session_use (
        session_id uuid PRIMARY KEY REFERENCES operator_session (session_id),
        last_used_at timestamptz NOT NULL
      );
      CREATE TABLE session_request_proof (
        session_id uuid NOT NULL REFERENCES operator_session (session_id),
        jti_digest text NOT NULL CHECK (jti_digest ~ '^[0-9A-F]{64}$'),
        expires_at timestamptz NOT NULL,
        PRIMARY KEY (session_id, jti_digest)
      );
      GRANT SELECT, INSERT, DELETE ON sign_in_challenge, session_request_proof TO hufu_service;
      GRANT SELECT, INSERT, UPDATE ON operator_session_use TO hufu_service;
    `);
    for (const table of GUARDED) {
      await db.query(`
        CALL journal_guard('${table}');
        CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ${table} FOR EACH STATEMENT EXECUTE FUNCTION journal_append_only();
        GRANT SELECT, INSERT ON ${table} TO hufu_service;
      `);
    }
  }

  async down(db: QueryRunner): Promise<void> {
    for (const table of [...SHORT_LIVED, ...[...GUARDED].reverse()]) await db.query(`DROP TABLE ${table}`);
    await db.query(`
      ALTER TABLE access_notice DROP CONSTRAINT access_notice_change_check;
      ALTER TABLE access_notice DROP CONSTRAINT access_notice_event_check;
      ALTER TABLE access_notice ADD CONSTRAINT access_notice_event_check CHECK (event IN ('proposed', 'confirmed', 'refused'));
      ALTER TABLE access_notice ALTER COLUMN change_id SET NOT NULL;
    `);
  }
}

const SHORT_LIVED = ['sign_in_challenge', 'operator_session_use', 'session_request_proof'] as const;
/** In the order in which they lean on each other. */
const GUARDED = [
  'enrolment_code',
  'credential_material',
  'credential_count',
  'credential_block',
  'operator_session',
  'operator_session_proof',
  'operator_session_end',
  'sign_in_failure',
  'sign_in_lock',
  'sign_in_unlock',
] as const;
