import { createHash } from 'node:crypto';
import { appendFileSync, copyFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { loadPinned, ModuleChanged } from './module-digest.js';

const BYTES = Buffer.alloc(3 * 1024 * 1024 + 7, 'module');
const DIGEST = createHash('sha256').update(BYTES).digest('hex').toUpperCase();

describe('loading a pinned file', () => {
  let dir: string;
  let path: string;
  let loads: number;
  const load = (): void => void loads++;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'hufu-module-'));
    path = join(dir, 'module.so');
    writeFileSync(path, BYTES);
    loads = 0;
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it('loads the file that was pinned, and any file that was not, and says which it was', () => {
    expect(loadPinned(path, DIGEST, load)).toBe(DIGEST);
    expect(loadPinned(path, undefined, load)).toBe(DIGEST);
    expect(loads).toBe(2);
  });

  it('does not load a file of which one byte differs', () => {
    const changed = Buffer.from(BYTES);
    changed[BYTES.length - 1] = (changed[BYTES.length - 1] as number) ^ 1;
    writeFileSync(path, changed);
    expect(() => loadPinned(path, DIGEST, load)).toThrow(ModuleChanged);
    expect(loads).toBe(0);
  });

  it.each<[string, (path: string) => void]>([
    ['another file under its name', (at) => renameSync(`${at}.other`, at)],
    ['another file under its name, and the old one back again', (at) => {
      renameSync(at, `${at}.kept`);
      renameSync(`${at}.other`, at);
      renameSync(`${at}.kept`, at);
    }],
    ['written in place', (at) => appendFileSync(at, 'x')],
  ])('finds what was exchanged while it was loaded: %s', (_, exchange) => {
    copyFileSync(path, `${path}.other`);
    expect(() => loadPinned(path, DIGEST, () => exchange(path))).toThrow(/changed while it was loaded/);
  });

  it('says what the file system says when there is none', () => {
    expect(() => loadPinned(join(dir, 'none'), DIGEST, load)).toThrow(/ENOENT/);
  });
});
