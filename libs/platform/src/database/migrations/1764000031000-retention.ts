import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * How long records are kept, and the only way in which anything of the journal ever goes: the bodies of a whole year, after its time, not
 * under a legal hold, with a verified export outside, by an entry that is anchored. Places and leaf hashes stay, so the log stays
 * provable; bodies on which a row of the state rests stay with that row. No process has a right to any of it: the owner alone, by
 * triggers that hold for the owner too. `down` fails once something was retired: bodies do not come back.
 */
export class Retention1764000031000 implements MigrationInterface {
  readonly name = 'Retention1764000031000';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE record_class (
        name text PRIMARY KEY,
        zh text NOT NULL,
        en text NOT NULL,
        basis text NOT NULL,
        least_months integer NOT NULL CHECK (least_months >= 1),
        months integer NOT NULL,
        CHECK (months >= least_months)
      );
      INSERT INTO record_class (name, zh, en, basis, least_months, months) VALUES
        ('journal', '操作日志', 'Operation journal', '《中华人民共和国网络安全法》第二十一条第三项', 6, 24),
        ('cardProduction', '制卡与密钥记录', 'Records of card production and keys', 'PCI Card Production and Provisioning, Logical Security Requirements', 24, 24);

      CREATE TABLE legal_hold (
        hold_id uuid PRIMARY KEY,
        record_class text NOT NULL REFERENCES record_class (name),
        reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
        from_at timestamptz NOT NULL,
        until_at timestamptz CHECK (until_at > from_at),
        entry_id uuid NOT NULL REFERENCES journal_stage (id)
      );
      CREATE TABLE legal_hold_release (
        hold_id uuid PRIMARY KEY REFERENCES legal_hold (hold_id),
        reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
        entry_id uuid NOT NULL REFERENCES journal_stage (id)
      );
      CREATE TABLE journal_export (
        sha256 bytea NOT NULL CHECK (octet_length(sha256) = 32),
        shard integer NOT NULL,
        size bigint NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id),
        PRIMARY KEY (shard, sha256),
        FOREIGN KEY (shard, size) REFERENCES journal_checkpoint (shard, size)
      );
      CREATE TABLE journal_retirement (
        shard integer PRIMARY KEY,
        sha256 bytea NOT NULL,
        entry_id uuid NOT NULL REFERENCES journal_stage (id),
        FOREIGN KEY (shard, sha256) REFERENCES journal_export (shard, sha256)
      );
    `);
    for (const table of GUARDED) await db.query(`CALL journal_guard('${table}')`);
    for (const table of TABLES) {
      await db.query(`
        CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ${table} FOR EACH STATEMENT EXECUTE FUNCTION journal_append_only();
        GRANT SELECT ON ${table} TO hufu_service, hufu_worker, hufu_journal;
      `);
    }
    await db.query(`
      GRANT INSERT ON legal_hold, legal_hold_release TO hufu_service;

      CREATE FUNCTION journal_retirement_allowed() RETURNS trigger LANGUAGE plpgsql AS $$
      DECLARE
        ends timestamptz := make_timestamptz(NEW.shard + 1, 1, 1, 0, 0, 0, 'UTC') + make_interval(months => (SELECT max(months) FROM record_class));
        held text := (SELECT string_agg(reason, '; ') FROM legal_hold h
          WHERE from_at <= clock_timestamp() AND (until_at IS NULL OR until_at > clock_timestamp()) AND NOT EXISTS (SELECT FROM legal_hold_release r WHERE r.hold_id = h.hold_id));
      BEGIN
        IF ends > clock_timestamp() THEN
          RAISE EXCEPTION '保存期至 % / kept until %', ends::date, ends::date USING ERRCODE = 'HU030';
        ELSIF held IS NOT NULL THEN
          RAISE EXCEPTION '依法保全中：% / under legal hold: %', held, held USING ERRCODE = 'HU030';
        ELSIF NOT EXISTS (SELECT FROM journal_export x WHERE x.shard = NEW.shard AND x.sha256 = NEW.sha256
            AND x.size = (SELECT max(size) FROM journal_checkpoint c WHERE c.shard = NEW.shard)) THEN
          RAISE EXCEPTION '没有覆盖全年且已核验的导出文件 / no verified export covers the whole year' USING ERRCODE = 'HU030';
        END IF;
        RETURN NEW;
      END $$;
      CREATE TRIGGER allowed BEFORE INSERT ON journal_retirement FOR EACH ROW EXECUTE FUNCTION journal_retirement_allowed();

      ALTER TABLE journal_stage ALTER COLUMN body DROP NOT NULL;
      CREATE FUNCTION journal_body_retired() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF NEW.body IS NULL AND OLD.body IS NOT NULL
          AND (NEW.id, NEW.xid, NEW.recorded_at, NEW.kind, NEW.subject, NEW.leaf_hash) = (OLD.id, OLD.xid, OLD.recorded_at, OLD.kind, OLD.subject, OLD.leaf_hash)
          AND EXISTS (SELECT FROM journal_entry e JOIN journal_retirement r ON r.shard = e.shard WHERE e.stage_id = OLD.id AND journal_is_anchored(r.entry_id)) THEN
          RETURN NEW;
        END IF;
        RAISE EXCEPTION 'journal_stage is append-only' USING ERRCODE = 'integrity_constraint_violation';
      END $$;
      CREATE FUNCTION journal_is_anchored(entry uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
        SELECT EXISTS (SELECT FROM journal_entry e JOIN journal_anchor a ON a.shard = e.shard AND a.size > e.idx WHERE e.stage_id = entry)
      $$;
      CREATE FUNCTION journal_body_required() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        RAISE EXCEPTION 'an entry has a body' USING ERRCODE = 'not_null_violation';
      END $$;
      DROP TRIGGER append_only ON journal_stage;
      CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON journal_stage FOR EACH STATEMENT EXECUTE FUNCTION journal_append_only();
      CREATE TRIGGER body_required BEFORE INSERT ON journal_stage FOR EACH ROW WHEN (NEW.body IS NULL) EXECUTE FUNCTION journal_body_required();
      CREATE TRIGGER body_retired BEFORE UPDATE ON journal_stage FOR EACH ROW EXECUTE FUNCTION journal_body_retired();

      CREATE FUNCTION retire_journal_year(year integer) RETURNS bigint LANGUAGE plpgsql AS $$
      DECLARE
        place record;
        retired bigint;
      BEGIN
        IF NOT EXISTS (SELECT FROM journal_retirement r WHERE r.shard = year AND journal_is_anchored(r.entry_id)) THEN
          RAISE EXCEPTION '没有已锚定的清除决定 / no anchored entry retires this year' USING ERRCODE = 'HU030';
        END IF;
        CREATE TEMPORARY TABLE journal_kept (id uuid PRIMARY KEY) ON COMMIT DROP;
        FOR place IN
          SELECT c.conrelid::regclass AS rows, a.attname AS name FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
            WHERE c.confrelid = 'journal_stage'::regclass AND c.conparentid = 0 AND c.conrelid <> 'journal_entry'::regclass
          UNION SELECT t.tgrelid::regclass, 'entry_id' FROM pg_trigger t WHERE t.tgname = 'journal_entry_required' AND t.tgparentid = 0
        LOOP
          EXECUTE format('INSERT INTO journal_kept SELECT %I FROM %s WHERE %1$I IS NOT NULL ON CONFLICT DO NOTHING', place.name, place.rows);
        END LOOP;
        UPDATE journal_stage s SET body = NULL FROM journal_entry e
          WHERE e.shard = year AND e.stage_id = s.id AND s.body IS NOT NULL AND s.kind NOT IN ('journal.logKey', 'journal.retire')
            AND NOT EXISTS (SELECT FROM journal_kept k WHERE k.id = s.id);
        GET DIAGNOSTICS retired = ROW_COUNT;
        RETURN retired;
      END $$;
      REVOKE EXECUTE ON FUNCTION retire_journal_year(integer) FROM PUBLIC;
    `);
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query(`
      DROP FUNCTION retire_journal_year(integer);
      DROP TRIGGER body_retired ON journal_stage;
      DROP TRIGGER body_required ON journal_stage;
      DROP TRIGGER append_only ON journal_stage;
      CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON journal_stage FOR EACH STATEMENT EXECUTE FUNCTION journal_append_only();
      DROP FUNCTION journal_body_required();
      DROP FUNCTION journal_body_retired();
      DROP FUNCTION journal_is_anchored(uuid);
      ALTER TABLE journal_stage ALTER COLUMN body SET NOT NULL;
    `);
    for (const table of [...TABLES].reverse()) await db.query(`DROP TABLE ${table}`);
    await db.query('DROP FUNCTION journal_retirement_allowed()');
  }
}

const GUARDED = ['legal_hold', 'legal_hold_release', 'journal_export', 'journal_retirement'] as const;
/** In the order in which they lean on each other. */
const TABLES = ['record_class', ...GUARDED] as const;
