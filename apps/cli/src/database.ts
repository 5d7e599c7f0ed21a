import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import pg from 'pg';
import { databaseError, migrate, writeFileAtomic } from '#libs/platform';
import { installChunkQueue } from '#libs/verification';
import { EmbeddedPostgres } from './embedded-postgres.js';
import { embeddedBinaries } from './postgres-cluster.js';
import type { StateFolder } from './state-folder.js';

const DATABASE = 'hufu';

/**
 * Logins of the embedded cluster, and the roles each may take. Neither is a superuser: a superuser's SQL reads files of the
 * server's user, and that user may read the whole state folder.
 */
const LOGINS = {
  service: ['hufu_service'],
  worker: ['hufu_worker', 'hufu_journal'],
} as const;
export type DatabaseLogin = keyof typeof LOGINS;

/** The database that the product works on: one that was named (`DATABASE_URL`), or the embedded one. */
export interface Database {
  /** As owner: migrations and looking at everything. */
  readonly ownerUrl: string;
  readonly server: EmbeddedPostgres | undefined;
  /** After `migrateAll`. With a database of the caller's, every process gets its URL; roles are taken all the same. */
  urlFor(login: DatabaseLogin): Promise<string>;
  stop(): Promise<void>;
}

export async function openDatabase(state: StateFolder, checkout: string, databaseUrl: string | undefined): Promise<Database> {
  if (databaseUrl !== undefined) {
    return { ownerUrl: databaseUrl, server: undefined, urlFor: async () => databaseUrl, stop: async () => undefined };
  }
  const server = await EmbeddedPostgres.start({
    binaries: embeddedBinaries(checkout),
    dataFolder: state.file('pg', 'data'),
    passwordFile: state.file('secrets', 'postgres-password'),
    logFile: state.file('logs', 'postgres.log'),
    durable: true,
  });
  try {
    await createDatabase(server.url('postgres'), DATABASE);
  } catch (error) {
    await server.stop();
    throw error;
  }
  const ownerUrl = server.url(DATABASE);
  return {
    ownerUrl,
    server,
    urlFor: async (login) => server.urlFor(`hufu_${login}_login`, await ensureLogin(state, ownerUrl, login), DATABASE),
    stop: () => server.stop(),
  };
}

/** Everything that brings a database to this version; safe to repeat. Returns the migrations that were run. */
export async function migrateAll(ownerUrl: string): Promise<string[]> {
  const run = await migrate(ownerUrl);
  await installChunkQueue(ownerUrl);
  return run;
}

async function createDatabase(url: string, name: string): Promise<void> {
  await onDatabase(url, async (client) => {
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${name}`);
  });
}

/** Makes the login with its password file, or brings both together again. The roles exist after the migrations. */
async function ensureLogin(state: StateFolder, ownerUrl: string, login: DatabaseLogin): Promise<string> {
  const file = state.file('secrets', `${login}-database-password`);
  if (!existsSync(file)) writeFileAtomic(file, randomBytes(24).toString('base64url'));
  const password = readFileSync(file, 'utf8');
  const name = `hufu_${login}_login`;
  await onDatabase(ownerUrl, async (client) => {
    const { rowCount } = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [name]);
    // A password from base64url holds no quote; CREATE ROLE takes no parameters.
    await client.query(`${rowCount === 0 ? 'CREATE' : 'ALTER'} ROLE ${name} LOGIN NOINHERIT PASSWORD '${password}'`);
    for (const role of LOGINS[login]) await client.query(`GRANT ${role} TO ${name} WITH INHERIT FALSE, SET TRUE`);
  });
  return password;
}

async function onDatabase(url: string, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
  } catch (error) {
    throw databaseError(error);
  }
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
