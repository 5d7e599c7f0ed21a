import type { DataSource } from 'typeorm';
import { AppError } from '../domain/index.js';
import { openDataSource } from './data-source.js';
import { MIGRATIONS } from './migrations/index.js';

/** One number for "hufu migrates here", so that two starts at once do not race (pg_advisory_lock). */
const MIGRATION_LOCK = 0x4855_4655;

/** Brings a database to this version; returns the names that were run. */
export async function migrate(url: string): Promise<string[]> {
  const dataSource = await openDataSource({ url, poolSize: 2 });
  try {
    const lock = dataSource.createQueryRunner();
    await lock.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    try {
      const run = await dataSource.runMigrations({ transaction: 'each' });
      return run.map((migration) => migration.name);
    } finally {
      await lock.query('SELECT pg_advisory_unlock($1)', [MIGRATION_LOCK]);
      await lock.release();
    }
  } finally {
    await dataSource.destroy();
  }
}

/** Throws DATABASE_NOT_MIGRATED unless exactly this version's migrations are applied. Run before a process serves. */
export async function requireMigrated(dataSource: DataSource): Promise<void> {
  const rows: { name: string }[] = await dataSource
    .query('SELECT name FROM schema_migration ORDER BY timestamp')
    .catch((error: { code?: string }) => {
      if (error.code === '42P01') return [];
      throw error;
    });
  const wanted = MIGRATIONS.map((migration) => migration.name);
  if (rows.length !== wanted.length || rows.some((row, i) => row.name !== wanted[i])) {
    throw new AppError('DATABASE_NOT_MIGRATED');
  }
}
