import { spawn } from 'node:child_process';
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { openDataSource, SystemClock } from '#libs/platform';
import { enterLogKey, LocalSigner } from '../../../test/builders/local-log.js';
import { createTestDatabase, type TestDatabase } from '../../../test/env/test-database.js';
import { exportFile, Journal, Sequencer, verifyFile } from './index.js';

const KILLS = 8;
const ROWS = 60_000;

describe('a sequencer that is killed', () => {
  const clock = new SystemClock();
  let database: TestDatabase;
  let owner: DataSource;
  let folder: string;
  beforeAll(async () => {
    database = await createTestDatabase();
    owner = await openDataSource({ url: database.url, poolSize: 2 });
    folder = mkdtempSync(join(tmpdir(), 'hufu journal '));
  });
  afterAll(async () => {
    await owner.destroy();
    await database.drop();
    rmSync(folder, { recursive: true, force: true });
  });

  it(`${KILLS} times in the middle of its work loses nothing and leaves no gap`, async () => {
    const signer = new LocalSigner();
    const key = signer.make();
    await enterLogKey(owner, clock, key);
    const journal = new Journal(clock);
    const placed = async (): Promise<number> => Number(((await owner.query('SELECT count(*) AS n FROM journal_entry')) as [{ n: string }])[0].n);
    let staged = 0;
    const seen: number[] = [];
    for (let kill = 0; kill < KILLS; kill++) {
      const sequencer = spawn(
        process.execPath,
        [resolve('dist/test/env/sequencer-process.js'), database.url, ...signer.handOver(key)],
        { stdio: ['pipe', 'pipe', 'inherit'] },
      );
      const ended = new Promise<NodeJS.Signals | null>((done) => sequencer.once('exit', (_code, signal) => done(signal)));
      await new Promise<void>((done) => sequencer.stdout.once('data', () => done()));
      // Work arrives while it works, so that the kill finds it at whatever step it is.
      for (const until = performance.now() + 100 + 250 * (kill / KILLS) + 100 * Math.random(); performance.now() < until && staged < ROWS; staged += 500) {
        await owner.transaction((tx) => journal.recordMany(tx, Array.from({ length: 500 }, (_, i) => ({ kind: 'test.kill', subject: 's', data: { n: staged + i } }))));
      }
      sequencer.kill('SIGKILL');
      expect(await ended).toBe('SIGKILL');
      await sleep(50);
      seen.push(await placed());
    }
    expect(seen.at(-1)).toBeGreaterThan(0);
    // The database still holds the lock of a session whose process is gone, until it notices; whoever comes next asks again.
    const next = new Sequencer(owner, signer, clock);
    for (const end = performance.now() + 20_000; (await placed()) < staged + 2 && performance.now() < end; await sleep(50)) await next.drain();
    const file = join(folder, 'export');
    await pipeline(Readable.from(exportFile(owner, clock.now())), createWriteStream(file));
    // The making of the key and leaf 0 beside what was staged here.
    expect(verifyFile(file, { publicKey: key.spki })).toMatchObject({ entries: staged + 2, waiting: 0, fault: undefined });
    expect(staged).toBeGreaterThan(KILLS * 500);
  }, 60_000);
});
