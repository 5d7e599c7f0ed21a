import { spawn } from 'node:child_process';
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { DataSource } from 'typeorm';
import { exportFile, Journal, leafHash, readJournalState, Sequencer, verifyFile } from '#libs/journal';
import { openDataSource, SystemClock, toHex } from '#libs/platform';
import { enterLogKey, LocalSigner } from '../builders/local-log.js';
import { createTestDatabase } from '../env/test-database.js';
import { type Figure, ratioFigure } from './bench/figures.js';

/**
 * `bench journal`: what the sequencer places, what an entry costs its transaction, what the offline verifier reads.
 *
 *   bench-journal [--rows 2000000] [--seconds 5] [--rounds 3] [--connections 16]
 *
 * Heads are signed by a key of this process: the device is one signature a batch and has its own bench. Prints one JSON object a
 * line; exit code 1 when a goal is missed.
 */
const DRAIN_GOAL = 20_000;
const VERIFY_GOAL = 100_000;
const SINGLE_GOAL = 0.7;
/** As the worker waits between two passes. */
const WORKER_IDLE_MS = '50';

interface Options {
  readonly rows: number;
  readonly seconds: number;
  readonly rounds: number;
  readonly connections: number;
}

/** A figure that must reach its goal by itself: entries a second. */
function rateFigure(name: string, rate: number, goal: number): Figure {
  return { name, value: Math.round(rate), unit: 'entries/s', reference: goal, ratio: Math.round((rate / goal) * 1000) / 1000, goal: 1, ok: rate >= goal };
}

async function drainAndVerify({ rows }: Options): Promise<Figure[]> {
  const database = await createTestDatabase();
  const folder = mkdtempSync(join(tmpdir(), 'hufu-bench-journal-'));
  const clock = new SystemClock();
  const signer = new LocalSigner();
  const owner = await openDataSource({ url: database.url, poolSize: 2 });
  const sequencer = await openDataSource({ url: database.url, role: 'hufu_journal', poolSize: 1 });
  try {
    const key = signer.make();
    await enterLogKey(owner, clock, key);
    await stage(owner, rows);
    await owner.query('ANALYZE journal_stage');
    const log = new Sequencer(sequencer, signer, clock);
    const started = performance.now();
    const placed = await log.drain();
    const drained = placed / ((performance.now() - started) / 1000);
    const file = join(folder, 'export');
    await pipeline(Readable.from(exportFile(owner, clock.now())), createWriteStream(file));
    const opened = performance.now();
    const report = verifyFile(file, { publicKey: key.spki });
    const verified = report.entries / ((performance.now() - opened) / 1000);
    if (report.fault !== undefined || report.entries <= rows) throw new Error(`the log does not hold: ${JSON.stringify(report)}`);
    return [rateFigure('journal.drain', drained, DRAIN_GOAL), rateFigure('journal.verify', verified, VERIFY_GOAL)];
  } finally {
    await sequencer.destroy();
    await owner.destroy();
    await database.drop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Bodies of the length that acts have, in transactions of 1,000. */
async function stage(owner: DataSource, rows: number): Promise<void> {
  const journal = new Journal(new SystemClock());
  for (let done = 0; done < rows; done += 1_000) {
    const acts = Array.from({ length: Math.min(1_000, rows - done) }, (_, i) => ({
      kind: 'bench.act',
      subject: `ca-1/${done + i}`,
      data: { profile: 'card-user', holder: `card:${done + i}`, tbs: toHex(leafHash(Buffer.from(String(done + i)))) },
    }));
    await owner.transaction((tx) => journal.recordMany(tx, acts));
  }
}

/** The same transaction with and without its entry; the sequencer runs beside the first. */
async function singleEntry({ seconds, rounds, connections }: Options): Promise<Figure> {
  const database = await createTestDatabase();
  const clock = new SystemClock();
  const signer = new LocalSigner();
  const owner = await openDataSource({ url: database.url, poolSize: 2 });
  await owner.query('CREATE TABLE bench_plain (n bigserial PRIMARY KEY, subject text NOT NULL); CREATE TABLE bench_kept (n bigserial PRIMARY KEY, subject text NOT NULL, entry_id uuid NOT NULL)');
  await owner.query("CALL journal_guard('bench_kept'); GRANT ALL ON bench_plain, bench_kept TO hufu_service; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO hufu_service");
  const service = await openDataSource({ url: database.url, role: 'hufu_service', poolSize: connections });
  const key = signer.make();
  await enterLogKey(owner, clock, key);
  // A process of its own, as in the product: beside the clients it would take their thread, not the database's time.
  const sequencer = spawn(process.execPath, [join(import.meta.dirname, '../env/sequencer-process.js'), database.url, ...signer.handOver(key), WORKER_IDLE_MS], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise<void>((done) => sequencer.once('exit', () => done()));
  await new Promise<void>((done) => sequencer.stdout.once('data', () => done()));
  try {
    const journal = new Journal(clock);
    const kept = (): Promise<unknown> =>
      service.transaction(async (tx) => {
        const entryId = await journal.record(tx, { kind: 'bench.act', subject: 's', data: { n: 1 } });
        await tx.query('INSERT INTO bench_kept (subject, entry_id) VALUES ($1, $2)', ['s', entryId]);
      });
    // Two statements too: what is compared is the journal, not a round trip.
    const plain = (): Promise<unknown> =>
      service.transaction(async (tx) => {
        await tx.query('SELECT 1');
        await tx.query('INSERT INTO bench_plain (subject) VALUES ($1)', ['s']);
      });
    const [ours, theirs]: [number[], number[]] = [[], []];
    await rate(kept, connections, 0.5);
    for (let round = 0; round < rounds; round++) {
      ours.push(await rate(kept, connections, seconds));
      // What is compared does not share the machine with the sequencer.
      while ((await waitingEntries(owner)) > 0) await sleep(50);
      theirs.push(await rate(plain, connections, seconds));
    }
    return ratioFigure('journal.single_entry', 'transactions/s', ours, theirs, SINGLE_GOAL);
  } finally {
    sequencer.kill('SIGTERM');
    await ended;
    for (const each of [service, owner]) await each.destroy();
    await database.drop();
  }
}

async function waitingEntries(owner: DataSource): Promise<number> {
  return (await readJournalState(owner.manager)).waiting;
}

async function rate(act: () => Promise<unknown>, connections: number, seconds: number): Promise<number> {
  const until = performance.now() + seconds * 1000;
  let done = 0;
  const started = performance.now();
  await Promise.all(
    Array.from({ length: connections }, async () => {
      while (performance.now() < until) {
        await act();
        done++;
      }
    }),
  );
  return done / ((performance.now() - started) / 1000);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rows: { type: 'string', default: '2000000' },
      seconds: { type: 'string', default: '5' },
      rounds: { type: 'string', default: '3' },
      connections: { type: 'string', default: '16' },
    },
  });
  const options: Options = { rows: Number(values.rows), seconds: Number(values.seconds), rounds: Number(values.rounds), connections: Number(values.connections) };
  const figures = [await singleEntry(options), ...(await drainAndVerify(options))];
  for (const figure of figures) process.stdout.write(`${JSON.stringify(figure)}\n`);
  process.exitCode = figures.every(({ ok }) => ok) ? 0 : 1;
}

main().catch((error: unknown) => {
  process.stderr.write(`bench journal: ${String((error as Error).stack ?? error)}\n`);
  process.exit(1);
});
