import { appendFileSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { AppendLog } from './append-log.js';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hufu-log-'));
  file = join(folder, 'x.log');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function open(): { log: AppendLog; seen: string[] } {
  const seen: string[] = [];
  return { log: new AppendLog(file, (line) => seen.push(line)), seen };
}

describe('AppendLog', () => {
  it('gives back what was appended, in order, to its owner alone', async () => {
    const first = open();
    expect(first.seen).toEqual([]);
    for (const line of ['one', 'two', 'three']) await first.log.append(line);
    first.log.close();
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(open().seen).toEqual(['one', 'two', 'three']);
  });

  it('lines that come at the same time are all there when they resolve', async () => {
    const { log } = open();
    const lines = Array.from({ length: 500 }, (_, i) => `line-${i}`);
    await Promise.all(lines.map(async (line) => {
      await log.append(line);
      expect(readFileSync(file, 'utf8')).toContain(`${line}\n`);
    }));
    log.close();
    expect(open().seen).toEqual(lines);
  });

  it.each([
    ['a torn last line', 'one\ntwo\nthr', ['one', 'two']],
    ['a torn only line', 'on', []],
    ['an empty file', '', []],
    ['a torn line of more than one byte a letter', 'one\n二', ['one']],
  ])('%s is dropped, and the next line stands alone', async (_name, text, whole) => {
    writeFileSync(file, text);
    const { log, seen } = open();
    expect(seen).toEqual(whole);
    await log.append('next');
    log.close();
    expect(open().seen).toEqual([...whole, 'next']);
  });

  it('what another program tore behind its back does not hide the lines before', () => {
    const { log } = open();
    appendFileSync(file, 'whole\n');
    log.close();
    expect(open().seen).toEqual(['whole']);
  });

  it('promises nothing more once a write has failed', async () => {
    const { log } = open();
    log.close();
    // The number of the closed file is given out again to one that was opened for reading.
    const reader = openSync(file, 'r');
    try {
      await expect(log.append('one')).rejects.toThrow();
      await expect(log.append('two')).rejects.toThrow();
    } finally {
      closeSync(reader);
    }
    expect(readFileSync(file, 'utf8')).toBe('');
  });
});
