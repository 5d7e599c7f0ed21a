import { createHash } from 'node:crypto';
import { type BigIntStats, closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';

const CHUNK = 1024 * 1024;

/** The file of a PKCS#11 module is not the one that was pinned, or changed while it was looked at. */
export class ModuleChanged extends Error {}

/**
 * Loads the module at `path` and returns the SHA-256 (hex) of what was loaded. With `pinned`, another file is refused before a
 * line of it runs. The dynamic linker opens the file by its name a second time (modules find their siblings by that name, so
 * it cannot be given a descriptor): whoever exchanges or writes the file in between moves inode or ctime, which is seen when
 * the load returns, before a PIN is asked for. What the module itself links or loads is not looked at.
 * Throws ModuleChanged, and what `load` and the file system throw.
 */
export function loadPinned(path: string, pinned: string | undefined, load: () => void): string {
  const file = openSync(path, 'r');
  try {
    const before = fstatSync(file, { bigint: true });
    const digest = digestOf(file);
    if (pinned !== undefined && digest !== pinned) throw new ModuleChanged(`SHA-256 ${digest}, pinned ${pinned}`);
    load();
    if (pinned !== undefined && !(isSame(before, statSync(path, { bigint: true })) && isSame(before, fstatSync(file, { bigint: true })))) throw new ModuleChanged('it changed while it was loaded');
    return digest;
  } finally {
    closeSync(file);
  }
}

function digestOf(file: number): string {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(CHUNK);
  for (let at = 0, read = 0; (read = readSync(file, buffer, 0, CHUNK, at)) > 0; at += read) hash.update(buffer.subarray(0, read));
  return hash.digest('hex').toUpperCase();
}

/** Exchanging a file gives the name another inode; writing it, or giving it back its old name, moves its ctime. */
function isSame(a: BigIntStats, b: BigIntStats): boolean {
  return a.dev === b.dev && a.ino === b.ino && a.size === b.size && a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs;
}
