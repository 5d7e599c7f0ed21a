import { z } from 'zod';

/** Leading digits of a GB/T 2260 code: a province (2), a city (4) or a district (6). There is none for "everywhere". */
export const RegionPrefix = z.string().regex(/^([0-9]{2}){1,3}$/, '2, 4 or 6 digits of GB/T 2260');

/** What a person may see: the union of prefixes, the wider swallowing the narrower. None = nothing. */
export function unionOfPrefixes(prefixes: Iterable<string>): string[] {
  const sorted = [...new Set(prefixes)].sort();
  return sorted.filter((prefix) => !sorted.some((other) => other !== prefix && prefix.startsWith(other)));
}

export function inScope(scope: readonly string[], region: string): boolean {
  return scope.some((prefix) => region.startsWith(prefix));
}

export interface SqlCondition {
  readonly sql: string;
  readonly parameters: readonly (readonly string[])[];
}

/** A condition for the WHERE of a listing: rows whose region lies in the scope; with no scope, no row. `parameter`: its number in the query. */
export function regionCondition(scope: readonly string[], column: string, parameter: number): SqlCondition {
  if (!/^[a-z_]+(\.[a-z_]+)?$/.test(column)) throw new RangeError(`not a column: ${column}`);
  return { sql: `${column} LIKE ANY ($${parameter}::text[])`, parameters: [scope.map((prefix) => `${RegionPrefix.parse(prefix)}%`)] };
}
