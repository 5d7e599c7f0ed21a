import { environment } from '#libs/platform';
import { type Invocation, parseArguments } from '../command.js';
import { migrateAll, openDatabase } from '../database.js';
import { lockState } from '../product.js';

/** Brings the database to this version: the one of DATABASE_URL, else the embedded one. */
export async function run({ args, checkout, state, terminal }: Invocation): Promise<number> {
  parseArguments({ args: [...args], options: {} });
  const lock = lockState(state);
  try {
    state.prepare();
    const database = await openDatabase(state, checkout, environment().databaseUrl);
    try {
      const names = await migrateAll(database.ownerUrl);
      for (const name of names) terminal.line(`  ${name}`);
      terminal.say(`数据库结构为本版本（执行 ${names.length} 项）`, `the database is of this version (${names.length} run)`);
    } finally {
      await database.stop();
    }
  } finally {
    lock.release();
  }
  return 0;
}
