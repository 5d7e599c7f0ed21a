import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import type { Demo } from '../../../apps/cli/src/demo/context.js';

/** Ways to spoil what lies between two steps of a demo. */

export function rewrite(file: string, change: (text: string) => string): void {
  const before = readFileSync(file, 'utf8');
  const after = change(before);
  if (after === before) throw new Error(`the rig changed nothing in ${file}`);
  writeFileSync(file, after);
}

export function flipByte(file: string, fromEnd: number): void {
  const bytes = readFileSync(file);
  const at = bytes.length - fromEnd;
  bytes[at] = (bytes[at] as number) ^ 0x01;
  writeFileSync(file, bytes);
}

/** A connection as the database's owner, whom no grant holds back. */
export async function ownerOf(demo: Demo): Promise<pg.Client> {
  const { databaseUrl } = JSON.parse(readFileSync(join(demo.state.home, 'run', 'product.json'), 'utf8')) as { databaseUrl: string };
  const client = new pg.Client({ connectionString: databaseUrl });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

export async function asOwner(demo: Demo, ...statements: string[]): Promise<void> {
  const client = await ownerOf(demo);
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}
