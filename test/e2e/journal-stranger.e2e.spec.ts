import { spawnSync } from 'node:child_process';
import { createWriteStream, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { Anchoring, exportFile, Journal, openAnchor, Sequencer } from '#libs/journal';
import { childEnvironment, openDataSource, SystemClock } from '#libs/platform';
import { enterLogKey, LocalSigner } from '../builders/local-log.js';
import { createTestDatabase, type TestDatabase } from '../env/test-database.js';

/** What a stranger has: one file of program, an export, a public key and an anchor's file, in a folder with nothing else. */
describe('a stranger with the stand-alone verifier', () => {
  const clock = new SystemClock();
  let database: TestDatabase;
  let sources: DataSource[];
  let folder: string;
  const at = (name: string): string => join(folder, name);

  const verify = (...args: string[]): { code: number | null; text: string } => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['verify.mjs', ...args], { cwd: folder, env: {}, encoding: 'utf8' });
    return { code: status, text: stdout + stderr };
  };

  beforeAll(async () => {
    database = await createTestDatabase();
    folder = mkdtempSync(join(tmpdir(), 'hufu-stranger-'));
    const owner = await openDataSource({ url: database.url, poolSize: 2 });
    const service = await openDataSource({ url: database.url, role: 'hufu_service', poolSize: 2 });
    const journalRole = await openDataSource({ url: database.url, role: 'hufu_journal', poolSize: 2 });
    sources = [owner, service, journalRole];
    const signer = new LocalSigner();
    const key = signer.make('sm2');
    await enterLogKey(owner, clock, key);
    const log = new Sequencer(journalRole, signer, clock);
    const anchoring = new Anchoring(journalRole, openAnchor({ kind: 'file', name: 'anchor', path: at('anchor') }, clock), clock);
    for (let n = 0; n < 3; n++) {
      await service.transaction((tx) => new Journal(clock).recordMany(tx, Array.from({ length: 50 }, (_, i) => ({ kind: 'test.act', subject: `subject-${n}-${i}`, data: { n: i } }))));
      await log.drain();
      await anchoring.runOnce();
    }
    await pipeline(Readable.from(exportFile(owner, clock.now())), createWriteStream(at('export')));
    writeFileSync(at('key.der'), key.spki);
    const bundled = spawnSync(process.execPath, [resolve('dist/apps/cli/src/main.js'), 'journal', 'bundle', '--out', at('verify.mjs')], { env: childEnvironment({}), encoding: 'utf8' });
    expect([bundled.status, bundled.stdout]).toEqual([0, expect.stringMatching(/SHA-256 [0-9A-F]{64}/)]);
  });
  afterAll(async () => {
    for (const each of sources) await each.destroy();
    await database.drop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('finds the whole journal whole, with nothing but what was handed over', () => {
    expect(readdirSync(folder).sort()).toEqual(['anchor', 'export', 'key.der', 'verify.mjs']);
    const { code, text } = verify('export', '--key', 'key.der', '--anchor', 'anchor');
    expect([code, text]).toEqual([0, expect.stringMatching(/3 checkpoints, 3 anchored heads.*the journal is whole/s)]);
  });

  it('names the first entry that was edited', () => {
    const bytes = readFileSync(at('export'));
    const place = bytes.indexOf('subject-1-7');
    expect(place).toBeGreaterThan(0);
    bytes[place] = 'S'.charCodeAt(0);
    writeFileSync(at('edited'), bytes);
    const { code, text } = verify('edited', '--key', 'key.der', '--anchor', 'anchor');
    expect([code, text]).toEqual([1, expect.stringMatching(/entry 20\d\d\/\d+: edited/)]);
  });

  it('says what it needs', () => {
    expect(verify('export')).toEqual({ code: 2, text: expect.stringContaining('--key PUBLIC-KEY') });
    expect(verify('absent', '--key', 'key.der').code).toBe(2);
    expect(verify('export', '--key', 'anchor').code).toBe(2);
  });
});
