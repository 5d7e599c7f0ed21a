import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { closingLine } from '../closing-line.js';
import { type Invocation, parseArguments } from '../command.js';
import { EmbeddedPostgres } from '../embedded-postgres.js';
import { takeLock } from '../folder-lock.js';
import { runJest } from '../jest-run.js';
import { embeddedBinaries, stopProcessesOf } from '../postgres-cluster.js';

/** Test files that run side by side each hold a few pools. */
const CONNECTIONS = 200;

/**
 * All tests, or those whose path matches a pattern. They get a PostgreSQL of their own, made anew each time, whatever
 * DATABASE_URL says. The last line of stdout is `N passed, N failed`.
 */
export async function run({ args, checkout, state, terminal }: Invocation): Promise<number> {
  const { positionals } = parseArguments({ args: [...args], options: {}, allowPositionals: true });
  state.create();
  for (const folder of ['', 'secrets', 'logs']) mkdirSync(join(state.testHome, folder), { recursive: true, mode: 0o700 });
  chmodSync(state.testHome, 0o700);
  const lock = takeLock(join(state.testHome, 'lock'));
  const dataFolder = join(state.testHome, 'pg', 'data');
  await stopProcessesOf(dataFolder);
  rmSync(join(state.testHome, 'pg'), { recursive: true, force: true });
  mkdirSync(join(state.testHome, 'pg'), { mode: 0o700 });
  terminal.say('启动测试数据库', 'starting the test database');
  const server = await EmbeddedPostgres.start({
    binaries: embeddedBinaries(checkout),
    dataFolder,
    passwordFile: join(state.testHome, 'secrets', 'postgres-password'),
    logFile: join(state.testHome, 'logs', 'postgres.log'),
    durable: false,
    maxConnections: CONNECTIONS,
  });
  try {
    terminal.say('运行测试', 'running the tests');
    const count = await runJest({
      folder: checkout,
      checkout,
      config: join(checkout, 'jest.config.mjs'),
      patterns: positionals,
      environment: { HUFU_TEST_DATABASE_URL: server.url('postgres') },
      reportFile: join(state.testHome, 'jest.json'),
    });
    await server.stop();
    lock.release();
    terminal.line(closingLine(count));
    return count.failed === 0 ? 0 : 1;
  } catch (error) {
    await server.stop();
    throw error;
  }
}
