import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { migrate } from '#libs/platform';

export interface TestDatabase {
  readonly url: string;
  drop(): Promise<void>;
}

/** A fresh, migrated database of its own (`hufu_test_*`) on the server that `./hufu test` started. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const server = process.env['HUFU_TEST_DATABASE_URL'];
  if (server === undefined) throw new Error('HUFU_TEST_DATABASE_URL is not set: run the tests with ./hufu test');
  const name = `hufu_test_${randomBytes(6).toString('hex')}`;
  await onServer(server, `CREATE DATABASE ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  await migrate(url.href);
  return { url: url.href, drop: () => onServer(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`) };
}

async function onServer(server: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: server });
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
