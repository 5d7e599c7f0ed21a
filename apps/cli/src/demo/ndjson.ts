import { readFileSync } from 'node:fs';

/** The lines of a file of JSON lines. */
export function readNdjson<T>(file: string): T[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
}
