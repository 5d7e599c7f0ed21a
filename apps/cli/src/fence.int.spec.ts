import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fence } from './fence.js';

let folder: string;
let flags: string[];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'hufu fence '));
  for (const name of ['dist', 'config', 'pins', 'evidence/ab']) mkdirSync(join(folder, name), { recursive: true });
  for (const name of ['dist/a.js', 'config/worker.json', 'config/hsm.json', 'pins/general-1', 'evidence/ab/c']) writeFileSync(join(folder, name), '1');
  flags = fence({ checkout: folder, read: [join(folder, 'config', 'worker.json')], write: [`${join(folder, 'evidence')}/*`], threads: true });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs an expression in a fenced process; `ok` or the code of the error. */
function inside(expression: string): string {
  const script = `const fs = require('node:fs'); try { ${expression}; console.log('ok'); } catch (error) { console.log(error.code); }`;
  const { stdout, stderr } = spawnSync(process.execPath, [...flags, '-e', script], { encoding: 'utf8' });
  return `${stdout.trim()}${stderr}`;
}

describe('the fence around service and worker', () => {
  const path = (name: string): string => JSON.stringify(join(folder, name));

  it.each(['dist/a.js', 'config/worker.json', 'evidence/ab/c'])('lets it read its own %s', (name) => {
    expect(inside(`fs.readFileSync(${path(name)})`)).toBe('ok');
  });

  it.each(['config/hsm.json', 'pins/general-1', 'evidence/../pins/general-1'])('keeps it from %s', (name) => {
    expect(inside(`fs.readFileSync(${JSON.stringify(`${folder}/${name}`)})`)).toBe('ERR_ACCESS_DENIED');
  });

  it('lets it write evidence and nothing else', () => {
    expect(inside(`fs.mkdirSync(${path('evidence/de')}, { recursive: true }); fs.writeFileSync(${path('evidence/de/f')}, '')`)).toBe('ok');
    expect(inside(`fs.writeFileSync(${path('config/worker.json')}, '')`)).toBe('ERR_ACCESS_DENIED');
    expect(inside(`fs.writeFileSync(${path('dist/a.js')}, '')`)).toBe('ERR_ACCESS_DENIED');
  });

  it('keeps it from other programs, native code and a way around by symbolic links', () => {
    expect(inside(`const { error } = require('node:child_process').spawnSync('true'); if (error) throw error`)).toBe('ERR_ACCESS_DENIED');
    expect(inside(`process.dlopen({ exports: {} }, '/nowhere.node')`)).toBe('ERR_DLOPEN_DISABLED');
    expect(inside(`fs.symlinkSync(${path('pins/general-1')}, ${path('evidence/link')})`)).toBe('ERR_ACCESS_DENIED');
  });

  it('holds in its threads too', () => {
    const script = `new (require('node:worker_threads').Worker)(${JSON.stringify(`require('fs').readFileSync(${path('pins/general-1')})`)}, { eval: true }).on('error', (e) => console.log(e.code));`;
    expect(spawnSync(process.execPath, [...flags, '-e', script], { encoding: 'utf8' })).toMatchObject({ stdout: 'ERR_ACCESS_DENIED\n', stderr: '' });
  });
});
