import { describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { createTestDatabase } from '../../../../test/env/test-database.js';
import { openDataSource } from './data-source.js';
import { MIGRATIONS } from './migrations/index.js';

/** Everything that a migration can leave behind: tables, views, sequences, functions, types of its own. */
function leftovers(dataSource: DataSource): Promise<{ name: string }[]> {
  return dataSource.query(`
    SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'v', 'm', 'S') AND c.relname NOT LIKE 'schema_migration%'
    UNION SELECT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'public'
    UNION SELECT t.typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE n.nspname = 'public' AND t.typtype IN ('e', 'd')`);
}

describe('migrations', () => {
  it('go down exactly, and up again', async () => {
    const database = await createTestDatabase();
    const dataSource = await openDataSource({ url: database.url });
    try {
      expect((await leftovers(dataSource)).length).toBeGreaterThan(10);
      for (let i = 0; i < MIGRATIONS.length; i++) await dataSource.undoLastMigration();
      expect(await leftovers(dataSource)).toEqual([]);
      expect(await dataSource.runMigrations()).toHaveLength(MIGRATIONS.length);
    } finally {
      await dataSource.destroy();
      await database.drop();
    }
  });
});
