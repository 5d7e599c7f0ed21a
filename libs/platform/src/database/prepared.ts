import type { EntityManager } from 'typeorm';

interface Client {
  query(statement: { readonly name: string; readonly text: string; readonly values: readonly unknown[] }): Promise<{ readonly rows: unknown[] }>;
}

/** A statement that nearly every act runs, under a name: PostgreSQL parses and plans it once per connection. Only inside a transaction. */
export async function prepared(tx: EntityManager, name: string, text: string, values: readonly unknown[]): Promise<unknown[]> {
  if (tx.queryRunner?.isTransactionActive !== true) throw new RangeError(`${name} outside a transaction`);
  const client = (await tx.queryRunner.connect()) as Client;
  return (await client.query({ name, text, values })).rows;
}
