import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StateFolder } from './state-folder.js';

let folder: string;
let state: StateFolder;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hufu state '));
  state = new StateFolder(join(folder, 'home'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const mode = (path: string): number => statSync(path).mode & 0o777;

describe('the state folder', () => {
  it('is 0700, and so is every folder in it', () => {
    state.prepare();
    expect([state.home, ...readdirSync(state.home).map((name) => join(state.home, name))].map(mode)).toEqual(readdirSync(state.home).concat('').map(() => 0o700));
  });

  it('leaves the mode of a folder that was there, but closes its own', () => {
    mkdirSync(state.home);
    chmodSync(state.home, 0o755);
    mkdirSync(state.folder('hsm'), { mode: 0o755 });
    state.prepare();
    expect([mode(state.home), mode(state.folder('hsm'))]).toEqual([0o755, 0o700]);
  });

  it('cleans the state and keeps runtime, lock and the tests', () => {
    state.prepare();
    mkdirSync(join(state.home, 'runtime', 'node_modules'), { recursive: true });
    mkdirSync(state.testHome);
    writeFileSync(state.lockFile, '');
    writeFileSync(join(state.home, 'demo.json'), '[]');
    writeFileSync(state.file('secrets', 'postgres-password'), 'x');
    state.clean();
    expect(readdirSync(state.home).sort()).toEqual(['lock', 'runtime', 'test']);
  });

  it('finishes a clean that was cut short before anything else uses the state', () => {
    state.prepare();
    mkdirSync(state.file('pg', 'data'));
    writeFileSync(join(state.home, 'clean-begun'), '');
    state.prepare();
    expect(existsSync(state.file('pg', 'data'))).toBe(false);
    expect(existsSync(join(state.home, 'clean-begun'))).toBe(false);
  });
});
