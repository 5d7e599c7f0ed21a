import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { EmbeddedPostgres } from './embedded-postgres.js';
import { takeLock } from './folder-lock.js';
import { embeddedBinaries, stopProcessesOf } from './postgres-cluster.js';
import type { StateFolder } from './state-folder.js';

/** Test files that run side by side each hold a few pools. */
const CONNECTIONS = 200;

/**
 * Runs `use` with a PostgreSQL for tests and benchmarks: its own folder below the state folder, made anew each time,
 * whatever DATABASE_URL says. `use` gets the server's URL. Throws ALREADY_RUNNING.
 */
export async function withTestServer<T>(state: StateFolder, checkout: string, use: (url: string) => Promise<T>): Promise<T> {
  state.create();
  for (const folder of ['', 'secrets', 'logs']) mkdirSync(join(state.testHome, folder), { recursive: true, mode: 0o700 });
  chmodSync(state.testHome, 0o700);
  const lock = takeLock(join(state.testHome, 'lock'));
  const dataFolder = join(state.testHome, 'pg', 'data');
  await stopProcessesOf(dataFolder);
  rmSync(join(state.testHome, 'pg'), { recursive: true, force: true });
  mkdirSync(join(state.testHome, 'pg'), { mode: 0o700 });
  const server = await EmbeddedPostgres.start({
    binaries: embeddedBinaries(checkout),
    dataFolder,
    passwordFile: join(state.testHome, 'secrets', 'postgres-password'),
    logFile: join(state.testHome, 'logs', 'postgres.log'),
    durable: false,
    maxConnections: CONNECTIONS,
  });
  try {
    return await use(server.url('postgres'));
  } finally {
    await server.stop();
    lock.release();
  }
}
