import { DataSource, type DataSourceOptions } from 'typeorm';
import { AppError } from '../domain/index.js';
import { MIGRATIONS } from './migrations/index.js';

/** The database role a process works under; grants of the tables are per role (migrations). */
export type DatabaseRole = 'hufu_service' | 'hufu_worker' | 'hufu_journal';

export interface DatabaseConfig {
  readonly url: string;
  /** Absent only for `hufu migrate` and tests that look at everything. */
  readonly role?: DatabaseRole | undefined;
  readonly poolSize?: number | undefined;
}

/** TypeORM options: never synchronize, never migrate by itself, a time-out on every query. */
export function dataSourceOptions(config: DatabaseConfig): DataSourceOptions {
  return {
    type: 'postgres',
    url: config.url,
    synchronize: false,
    migrationsRun: false,
    migrations: [...MIGRATIONS],
    migrationsTableName: 'schema_migration',
    logging: false,
    extra: {
      max: config.poolSize ?? 6,
      connectionTimeoutMillis: 5_000,
      query_timeout: 60_000,
      ...(config.role === undefined ? {} : { options: `-c role=${config.role}` }),
    },
  };
}

/** Opens a DataSource or throws DATABASE_UNREACHABLE with the driver's reason. */
export async function openDataSource(config: DatabaseConfig): Promise<DataSource> {
  const dataSource = new DataSource(dataSourceOptions(config));
  try {
    return await dataSource.initialize();
  } catch (error) {
    throw databaseError(error);
  }
}

export function databaseError(error: unknown): AppError {
  const reason = (error as { code?: string }).code ?? (error as Error).message;
  return new AppError('DATABASE_UNREACHABLE', { reason }, { cause: error });
}
