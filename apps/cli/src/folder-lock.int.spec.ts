import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { takeLock } from './folder-lock.js';

const built = resolve(import.meta.dirname, '../../../dist/apps/cli/src/folder-lock.js');
let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hufu lock '));
  file = join(folder, 'lock');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Another process that takes the lock, starts a child which outlives it, and waits. */
function holder(): Promise<ChildProcess> {
  const program = `
    const { takeLock } = await import(${JSON.stringify(built)});
    const { spawn } = await import('node:child_process');
    takeLock(${JSON.stringify(file)});
    spawn('sleep', ['5'], { detached: true, stdio: 'ignore' }).unref();
    process.stdout.write('held');
    setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  return new Promise((done, failed) => {
    child.stdout.once('data', () => done(child));
    child.once('exit', (code) => failed(new Error(`holder ended: ${code}`)));
  });
}

describe('the lock of a state folder', () => {
  it('keeps a second one out, by name, until it is released', () => {
    const lock = takeLock(file);
    expect(() => takeLock(file)).toThrow(expect.objectContaining({ code: 'ALREADY_RUNNING', details: { pid: String(process.pid) } }));
    lock.release();
    takeLock(file).release();
  });

  it('is free at once after kill -9 of its holder, even while a child of it lives', async () => {
    const child = await holder();
    expect(() => takeLock(file)).toThrow(expect.objectContaining({ details: { pid: String(child.pid) } }));
    const ended = new Promise((done) => child.once('exit', done));
    child.kill('SIGKILL');
    await ended;
    takeLock(file).release();
  });

  it('is not held by a file that was left, whatever it says', () => {
    writeFileSync(file, `{"pid":${process.pid}}\n`);
    const lock = takeLock(file);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ pid: process.pid, startTicks: expect.stringMatching(/^\d+$/) });
    lock.release();
  });
});
