import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Journal } from '#libs/journal';
import { Logger, openDataSource, SystemClock } from '#libs/platform';
import { importPublicKey, SignatureVerifier } from '#libs/signature';
import { FolderEvidenceStore, installChunkQueue, PgBossChunkQueue, type SubmittedFile, Verification } from '#libs/verification';
import { GivenSnapshot, issueSubjects } from '../builders/settlement-register.js';
import { createTestDatabase } from '../env/test-database.js';
import { makeDay } from './settlement-day/day.js';
import { makeSubjects } from './settlement-day/subjects.js';

/**
 * `bench verify`: how much of what OpenSSL can verify on this machine the product keeps. Every figure is a median over
 * rounds in which ours and `openssl speed` take turns, since a shared machine changes its speed while one looks.
 *
 *   bench-verify [--database SERVER_URL] [--records 100000] [--rounds 5] [--threads 2]
 *
 * Prints one JSON object a line; exit code 1 when a goal is missed. Needs a PostgreSQL server where it may make a
 * database of its own (HUFU_TEST_DATABASE_URL, or --database).
 */
interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly reference: number;
  readonly ratio: number;
  readonly goal: number;
  readonly ok: boolean;
}

const SINGLE_GOAL = 0.75;
const END_TO_END_GOAL = 0.3;
/** As long as a settlement message's signed part. */
const MESSAGE_BYTES = 400;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      database: { type: 'string' },
      records: { type: 'string', default: '100000' },
      rounds: { type: 'string', default: '5' },
      threads: { type: 'string', default: String(Math.min(2, availableParallelism())) },
      json: { type: 'boolean', default: true },
    },
  });
  if (values.database !== undefined) process.env['HUFU_TEST_DATABASE_URL'] = values.database;
  const rounds = Number(values.rounds);
  const figures = [...verifierFigures(rounds), await endToEnd(Number(values.records), Math.min(3, rounds), Number(values.threads))];
  for (const figure of figures) process.stdout.write(`${JSON.stringify(figure)}\n`);
  process.exitCode = figures.every(({ ok }) => ok) ? 0 : 1;
}

const OPENSSL_NAME = { p256Sha256: 'ecdsap256', rsa2048Sha256: 'rsa2048' } as const;
type Measured = keyof typeof OPENSSL_NAME;

/** One thread of ours against one process of OpenSSL, both by processor time; ours runs before and after theirs. */
function verifierFigures(rounds: number): Figure[] {
  return (['p256Sha256', 'rsa2048Sha256'] as const).map((algorithm) => {
    const ours: number[] = [];
    const theirs: number[] = [];
    verificationsPerSecond(algorithm);
    for (let round = 0; round < rounds; round++) {
      const before = verificationsPerSecond(algorithm);
      theirs.push(opensslRate(algorithm, []));
      ours.push((before + verificationsPerSecond(algorithm)) / 2);
    }
    return figure(algorithm === 'p256Sha256' ? 'verify.p256' : 'verify.rsa2048', 'verifications/s', ours, theirs, SINGLE_GOAL);
  });
}

const pairs = {
  p256Sha256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  rsa2048Sha256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
};

function verificationsPerSecond(algorithm: Measured): number {
  const { publicKey, privateKey } = pairs[algorithm];
  const key = importPublicKey(publicKey.export({ format: 'der', type: 'spki' }));
  if (key === undefined) throw new Error('the key was not taken');
  const verifier = new SignatureVerifier();
  const items = Array.from({ length: 64 }, (_, i) => {
    const bytes = Buffer.alloc(MESSAGE_BYTES, i);
    return { algorithm, publicKey: key, bytes, signature: sign('sha256', bytes, privateKey) };
  });
  const { user, system } = process.cpuUsage();
  const until = performance.now() + 500;
  let count = 0;
  while (performance.now() < until) {
    for (const item of items) if (!verifier.verify(item)) throw new Error('a good signature was refused');
    count += items.length;
  }
  const used = process.cpuUsage({ user, system });
  return count / ((used.user + used.system) / 1e6);
}

/** Records from files to stored verdicts, by the clock, against the same mix of verifications on as many cores. */
async function endToEnd(records: number, rounds: number, threads: number): Promise<Figure> {
  const folder = mkdtempSync(join(tmpdir(), 'hufu-bench-'));
  const database = await createTestDatabase();
  let worker: ChildProcess | undefined;
  try {
    await installChunkQueue(database.url);
    const subjects = join(folder, 'subjects');
    await makeSubjects({ out: subjects, seed: 'bench', day: '2026-03-16', series: 0, hospitals: 370, rsa: 100, terminals: 10, cards: 2_000 });
    const snapshot = issueSubjects(subjects);
    const day = (name: string, count: number): SubmittedFile[] =>
      makeDay({ subjects, out: join(folder, name), truth: join(folder, `${name}.truth`), seed: name, records: count, files: 4 }).files.map((file) => ({ path: join(folder, name, file.name), format: file.format }));
    const warmUp = day('warm-up', 5_000);
    const files = day('day', records);
    const mix = rsaShare(files, records);

    const clock = new SystemClock();
    const dataSource = await openDataSource({ url: database.url, role: 'hufu_service' });
    const logger = new Logger('bench', () => undefined);
    const queue = await PgBossChunkQueue.open(dataSource, { supervise: false, logger });
    const evidenceDir = join(folder, 'evidence');
    const evidence = await FolderEvidenceStore.open(evidenceDir, Date.now());
    const verification = new Verification(dataSource, new Journal(clock), clock, evidence, queue, new GivenSnapshot(snapshot));
    worker = spawn(process.execPath, [join(import.meta.dirname, '../env/verification-worker.js'), database.url, evidenceDir, String(threads)], { stdio: ['pipe', 'ignore', 'inherit'] });
    const run = async (submitted: SubmittedFile[]): Promise<number> => {
      const started = performance.now();
      const progress = await verification.finished(await verification.submit({ files: submitted }), 20);
      if (progress.state !== 'done') throw new Error(`the run ended as ${progress.state}: ${progress.reason ?? ''}`);
      return progress.lines / ((performance.now() - started) / 1_000);
    };
    await run(warmUp);
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let round = 0; round < rounds; round++) {
      ours.push(await run(files));
      const multi = ['-multi', String(threads), '-elapsed'];
      theirs.push(1 / ((1 - mix) / opensslRate('p256Sha256', multi) + mix / opensslRate('rsa2048Sha256', multi)));
    }
    await queue.close();
    await dataSource.destroy();
    return figure('verify.end_to_end', 'records/s', ours, theirs, END_TO_END_GOAL);
  } finally {
    await ended(worker);
    await database.drop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function rsaShare(files: readonly SubmittedFile[], records: number): number {
  const count = files.reduce((sum, { path }) => sum + readFileSync(path, 'latin1').split('SHA256withRSA').length - 1, 0);
  return count / records;
}

/** Verifications per second of `openssl speed`, from its machine-readable lines: rates in newer versions, seconds in older. */
function opensslRate(algorithm: Measured, options: readonly string[]): number {
  const args = ['speed', '-mr', '-seconds', '1', ...options, OPENSSL_NAME[algorithm]];
  const output = execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  const line = output.split('\n').findLast((each) => /^\+F[24]:/.test(each));
  const value = Number(line?.split(':').at(-1));
  if (!(value > 0)) throw new Error(`openssl speed answered nothing for ${OPENSSL_NAME[algorithm]}`);
  return value < 1 ? 1 / value : value;
}

function figure(name: string, unit: string, ours: readonly number[], theirs: readonly number[], goal: number): Figure {
  const value = median(ours);
  const ratio = median(ours.map((each, i) => each / (theirs[i] as number)));
  return { name, value: Math.round(value), unit, reference: Math.round(median(theirs)), ratio: Math.round(ratio * 1_000) / 1_000, goal, ok: ratio >= goal };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] as number;
}

async function ended(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null) return;
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.stdin?.end();
  await exit;
}

main().catch((error: unknown) => {
  process.stderr.write(`bench verify: ${String((error as Error).stack ?? error)}\n`);
  process.exit(1);
});
