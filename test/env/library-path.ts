import { existsSync } from 'node:fs';
import { join } from 'node:path';

const LIBRARY_FOLDERS = [
  '/usr/lib/softhsm', '/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu',
  '/usr/lib/x86_64-linux-gnu/softhsm', '/usr/lib/aarch64-linux-gnu/softhsm', '/usr/lib64', '/usr/lib',
];

/** Where a PKCS#11 library of the system lies. */
export function libraryPath(file: string): string {
  const found = LIBRARY_FOLDERS.map((folder) => join(folder, file)).find((path) => existsSync(path));
  if (found === undefined) throw new Error(`${file} is not installed: run the tests with ./hufu test`);
  return found;
}
