import { describe, expect, it } from '@jest/globals';
import { createTestDatabase } from '../../../../../test/env/test-database.js';
import { openDataSource } from '../data-source.js';
import { MIGRATIONS } from './index.js';
import { OrganisationHistory1764000013000 } from './1764000013000-organisation-history.js';

describe('the register before it had a history', () => {
  it('keeps every code, its entry and its time, and gets its regions', async () => {
    const database = await createTestDatabase();
    const dataSource = await openDataSource({ url: database.url });
    try {
      const later = MIGRATIONS.length - MIGRATIONS.indexOf(OrganisationHistory1764000013000);
      for (let i = 0; i < later; i++) await dataSource.undoLastMigration();
      await dataSource.transaction(async (tx) => {
        await tx.query(`INSERT INTO journal_stage (id, kind, subject, body, leaf_hash) SELECT gen_random_uuid(), 'k', 's', 'x', sha256('\\x0078'::bytea)`);
        await tx.query(`INSERT INTO institution SELECT v.*, (SELECT id FROM journal_stage) FROM (VALUES ('H11010100001', '甲', '110101'), ('H11010100002', '乙', '110101'), ('P11000000001', '点', '110000')) v`);
        await tx.query(`INSERT INTO terminal SELECT '110101000001', 'H11010100002', id FROM journal_stage`);
      });
      await dataSource.runMigrations();
      const rows: unknown[] = await dataSource.query(`
        SELECT o.kind, c.code, s.name, p.code AS parent, s.effective_at = j.recorded_at AND c.effective_at = j.recorded_at AS timed
        FROM organisation o JOIN organisation_state s USING (organisation_id) JOIN organisation_code c USING (organisation_id)
        JOIN journal_stage j ON j.id = o.entry_id AND j.id = s.entry_id AND j.id = c.entry_id
        LEFT JOIN organisation_code p ON p.organisation_id = s.parent_id ORDER BY c.scheme, c.code`);
      expect(rows).toEqual([
        { kind: 'institution', code: 'H11010100001', name: '甲', parent: '110101', timed: true },
        { kind: 'institution', code: 'H11010100002', name: '乙', parent: '110101', timed: true },
        { kind: 'institution', code: 'P11000000001', name: '点', parent: '110000', timed: true },
        { kind: 'city', code: '110000', name: '110000', parent: null, timed: true },
        { kind: 'district', code: '110101', name: '110101', parent: null, timed: true },
        { kind: 'terminal', code: '110101000001', name: '110101000001', parent: 'H11010100002', timed: true },
      ]);
    } finally {
      await dataSource.destroy();
      await database.drop();
    }
  });
});
