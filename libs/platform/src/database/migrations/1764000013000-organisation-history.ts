import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Bodies (city, district, institution, terminal, service point, site), what became of them, and whom each code stood for.
 * Rows are only ever added. `institution` and `terminal` stay as the codes that were ever issued, as first registered, for
 * the foreign keys of other rooms; what holds today is asked of the rows here.
 */
export class OrganisationHistory1764000013000 implements MigrationInterface {
  readonly name = 'OrganisationHistory1764000013000';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE organisation (
        organisation_id uuid PRIMARY KEY,
        kind text COLLATE "C" NOT NULL CHECK (kind IN ('city', 'district', 'institution', 'servicePoint', 'terminal', 'site')),
        entry_id uuid NOT NULL REFERENCES journal_stage (id)
      );
      CREATE TABLE organisation_state (
        organisation_id uuid NOT NULL REFERENCES organisation (organisation_id),
        sequence int NOT NULL CHECK (sequence > 0),
        name text NOT NULL CHECK (name <> ''),
        parent_id uuid REFERENCES organisation (organisation_id),
        status text NOT NULL CHECK (status IN ('active', 'closed', 'merged')),
        successor_id uuid REFERENCES organisation (organisation_id),
        effective_at timestamptz NOT NULL,
        recorded_at timestamptz NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id),
        PRIMARY KEY (organisation_id, sequence),
        CHECK ((status = 'merged') = (successor_id IS NOT NULL)),
        CHECK (successor_id <> organisation_id),
        CHECK (parent_id <> organisation_id)
      );
      CREATE INDEX organisation_state_parent ON organisation_state (parent_id);
      CREATE INDEX organisation_state_successor ON organisation_state (successor_id) WHERE successor_id IS NOT NULL;
      CREATE TABLE organisation_code (
        scheme text COLLATE "C" NOT NULL CHECK (scheme IN ('region', 'institution', 'terminal', 'site')),
        code text COLLATE "C" NOT NULL,
        sequence int NOT NULL CHECK (sequence > 0),
        organisation_id uuid NOT NULL REFERENCES organisation (organisation_id),
        meaning text NOT NULL CHECK (meaning IN ('issued', 'replaced', 'ended')),
        effective_at timestamptz NOT NULL,
        recorded_at timestamptz NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id),
        PRIMARY KEY (scheme, code, sequence)
      );
      CREATE INDEX organisation_code_holder ON organisation_code (organisation_id);
    `);
    // What was registered before keeps its entry; its regions become cities and districts named by their code.
    await db.query(`
      CREATE TEMP TABLE earlier_body AS
        SELECT gen_random_uuid() AS id, CASE WHEN region LIKE '%00' THEN 'city' ELSE 'district' END AS kind,
               'region' AS scheme, region AS code, region AS name, NULL AS parent, min(entry_id::text)::uuid AS entry_id
          FROM institution GROUP BY region
        UNION ALL SELECT gen_random_uuid(), 'institution', 'institution', code, name, region, entry_id FROM institution
        UNION ALL SELECT gen_random_uuid(), 'terminal', 'terminal', number, number, institution_code, entry_id FROM terminal;
      INSERT INTO organisation (organisation_id, kind, entry_id) SELECT id, kind, entry_id FROM earlier_body;
      INSERT INTO organisation_state (organisation_id, sequence, name, parent_id, status, effective_at, recorded_at, entry_id)
        SELECT b.id, 1, b.name, p.id, 'active', j.recorded_at, j.recorded_at, b.entry_id
        FROM earlier_body b JOIN journal_stage j ON j.id = b.entry_id
        LEFT JOIN earlier_body p ON p.code = b.parent AND (p.scheme, b.scheme) IN (('region', 'institution'), ('institution', 'terminal'));
      INSERT INTO organisation_code (scheme, code, sequence, organisation_id, meaning, effective_at, recorded_at, entry_id)
        SELECT b.scheme, b.code, 1, b.id, 'issued', j.recorded_at, j.recorded_at, b.entry_id
        FROM earlier_body b JOIN journal_stage j ON j.id = b.entry_id;
      DROP TABLE earlier_body;
    `);
    await db.query(`
      CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON organisation
        FOR EACH STATEMENT EXECUTE FUNCTION journal_append_only();
      CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON organisation_state
        FOR EACH STATEMENT EXECUTE FUNCTION journal_append_only();
      CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON organisation_code
        FOR EACH STATEMENT EXECUTE FUNCTION journal_append_only();
      CALL journal_guard('organisation');
      CALL journal_guard('organisation_state');
      CALL journal_guard('organisation_code');
      REVOKE UPDATE ON institution, terminal FROM hufu_service;
      GRANT SELECT, INSERT ON organisation, organisation_state, organisation_code TO hufu_service;
      GRANT SELECT ON organisation, organisation_state, organisation_code TO hufu_worker;
    `);
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query(`
      DROP TABLE organisation_code; DROP TABLE organisation_state; DROP TABLE organisation;
      GRANT UPDATE ON institution, terminal TO hufu_service;
    `);
  }
}
