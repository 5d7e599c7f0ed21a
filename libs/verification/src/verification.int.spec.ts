import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { checkJournal, Journal, leafHash, MerkleRoot, Sequencer } from '#libs/journal';
import { Logger, openDataSource, SystemClock } from '#libs/platform';
import { issueSubjects, GivenSnapshot } from '../../../test/builders/settlement-register.js';
import { enterLogKey, LocalSigner } from '../../../test/builders/local-log.js';
import { createTestDatabase, type TestDatabase } from '../../../test/env/test-database.js';
import { makeDay, type TruthHead } from '../../../test/load/settlement-day/day.js';
import { makeSubjects } from '../../../test/load/settlement-day/subjects.js';
import {
  FolderEvidenceStore, installChunkQueue, PassThreads, PgBossChunkQueue, type StatusSnapshot, type SubmittedFile, Verification, VerificationWorker,
} from './index.js';
import { insertChunk } from './verification.repository.js';

const RECORDS = 2_000;
const clock = new SystemClock();
const journal = new Journal(clock);
const lines: string[] = [];
const logger = new Logger('test', (line) => lines.push(line));

describe('a settlement day', () => {
  const folder = mkdtempSync(join(tmpdir(), 'hufu-day-'));
  const evidenceDir = join(folder, 'evidence');
  let database: TestDatabase;
  let owner: DataSource;
  let service: DataSource;
  let worker: DataSource;
  let snapshot: StatusSnapshot;
  let verification: Verification;
  let serviceQueue: PgBossChunkQueue;
  let truth: TruthHead;
  let files: SubmittedFile[];
  /** The run that nothing disturbed: every other way must come to the same root. */
  let root = '';

  beforeAll(async () => {
    database = await createTestDatabase();
    await installChunkQueue(database.url);
    owner = await openDataSource({ url: database.url });
    service = await openDataSource({ url: database.url, role: 'hufu_service' });
    worker = await openDataSource({ url: database.url, role: 'hufu_worker' });
    await makeSubjects({ out: join(folder, 'subjects'), seed: '7', day: '2026-03-16', series: 0, hospitals: 12, rsa: 4, terminals: 12, cards: 60 });
    snapshot = issueSubjects(join(folder, 'subjects'));
    truth = makeDay({ subjects: join(folder, 'subjects'), out: join(folder, 'day'), truth: join(folder, 'truth'), seed: '7', records: RECORDS, files: 3 });
    files = truth.files.map(({ name, format }) => ({ path: join(folder, 'day', name), format }));
    const evidence = await FolderEvidenceStore.open(evidenceDir, clock.now().getTime());
    serviceQueue = await PgBossChunkQueue.open(service, { supervise: false, logger });
    verification = new Verification(service, journal, clock, evidence, serviceQueue, new GivenSnapshot(snapshot));
    verification.limits = { linesPerSlice: 40, bytesPerSlice: 1_000_000 };
  });

  afterAll(async () => {
    await serviceQueue.close();
    for (const each of [owner, service, worker]) await each.destroy();
    await database.drop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function withWorker(threads: number, body: () => Promise<void>): Promise<void> {
    const queue = await PgBossChunkQueue.open(worker, { supervise: true, logger });
    const passThreads = new PassThreads(threads, evidenceDir);
    const running = new VerificationWorker({ dataSource: worker, journal, clock, queue, threads: passThreads, logger });
    running.start();
    try {
      await body();
    } finally {
      await running.stop();
      await passThreads.close();
      await queue.close();
    }
  }

  const expected = (): Map<string, string> =>
    new Map(readFileSync(join(folder, 'truth'), 'utf8').split('\n').slice(1, -1).map((line) => {
      const { file, line: at, class: resultClass } = JSON.parse(line) as { file: string; line: number; class: string };
      return [`${file}:${at}`, resultClass];
    }));

  it('gets exactly the verdicts of the truth file', async () => {
    const runId = await verification.submit({ files });
    await withWorker(2, async () => {
      expect(await verification.finished(runId)).toMatchObject({ state: 'done', lines: RECORDS, linesDone: RECORDS });
    });
    const wanted = expected();
    let text = '';
    for await (const block of verification.resultFile(runId)) text += block.toString('utf8');
    const verdicts = text.split('\n').slice(0, -1);
    const got = new Map<string, string>();
    for (const line of verdicts) {
      const verdict = JSON.parse(line) as { file: string; line: number; class: string };
      if (verdict.class !== 'OK') got.set(`${verdict.file}:${verdict.line}`, verdict.class);
    }
    expect(verdicts).toHaveLength(RECORDS);
    expect([...got].sort()).toEqual([...wanted].sort());
    expect(new Set(wanted.values()).size).toBe(14);

    const { result, aggregates, files: kept } = await verification.results(runId);
    root = result.merkleRoot;
    const tree = new MerkleRoot();
    for (const line of verdicts) tree.add(leafHash(Buffer.from(line)));
    expect(Buffer.from(tree.root()).toString('hex').toUpperCase()).toBe(root);
    expect(kept.map(({ name, lines: count }) => [name, count])).toEqual(truth.files.map(({ name, lines: count }) => [name, count]));

    const counted = new Map<string, number>();
    for (const { resultClass, records } of aggregates) counted.set(resultClass, (counted.get(resultClass) ?? 0) + records);
    expect(Object.fromEntries(counted)).toEqual(truth.counts);
    expect(aggregates.every(({ totalFen, resultClass }) => resultClass === 'FORMAT' ? totalFen === 0n : totalFen !== 0n)).toBe(true);
    const failures = await verification.failures(runId, { limit: 10_000 });
    expect(failures.map((f) => [`${truth.files[f.fileNo]?.name}:${f.line}`, f.resultClass])).toEqual([...wanted].sort(byPlace));
    for (const reject of await verification.failures(runId, { classes: ['FORMAT'], limit: 100 })) {
      const bytes = readFileSync(files[reject.fileNo]?.path as string);
      const start = lineStart(bytes, reject.line);
      expect(reject.byteOffset).toBeGreaterThanOrEqual(start);
      expect(reject.byteOffset).toBeLessThanOrEqual(lineStart(bytes, reject.line + 1));
      expect(reject.reason).toMatch(/^[A-Z0-9_]+(:[a-z_.]+)?$/);
    }
  });

  it('comes to the same root on one thread and with other slices', async () => {
    const again = new Verification(service, journal, clock, FolderEvidenceStore.reuse(evidenceDir), serviceQueue, new GivenSnapshot(snapshot));
    again.limits = { linesPerSlice: 333, bytesPerSlice: 90_000 };
    const runId = await again.submit({ files });
    await withWorker(1, async () => {
      expect((await again.finished(runId)).state).toBe('done');
    });
    expect((await again.results(runId)).result.merkleRoot).toBe(root);
  });

  it('survives kill -9 of a worker in the middle, with the same root', async () => {
    const runId = await verification.submit({ files });
    const process_ = startWorkerProcess(database.url, evidenceDir);
    const done = async (): Promise<number> => (await verification.status(runId)).linesDone;
    while ((await done()) < 200) await new Promise((resolve) => setTimeout(resolve, 5));
    process_.kill('SIGKILL');
    await new Promise((resolve) => process_.once('exit', resolve));
    const atKill = await verification.status(runId);
    expect(atKill.linesDone).toBeGreaterThanOrEqual(200);
    expect(atKill.state).toBe('verifying');
    await withWorker(2, async () => {
      expect((await verification.finished(runId)).state).toBe('done');
    });
    expect((await verification.results(runId)).result.merkleRoot).toBe(root);
    const [row] = await owner.query('SELECT count(*)::int AS chunks, count(DISTINCT partition)::int AS parts FROM verification_chunk WHERE run_id = $1 AND pass = 1', [runId]);
    expect(row.chunks).toBe(row.parts);
  });

  it('stops a run when one chunk comes to two answers', async () => {
    const runId = await verification.submit({ files: files.slice(0, 1) });
    await worker.transaction(async (tx) => {
      const entryId = await journal.record(tx, { kind: 'test.forged', subject: runId, data: {} });
      await insertChunk(tx, runId, { pass: 1, partition: 2, digest: 'A'.repeat(64), lines: 40, counts: { OK: 40 } }, clock.now(), entryId);
    });
    await withWorker(1, async () => {
      const progress = await verification.finished(runId);
      expect(progress.state).toBe('failed');
      expect(progress.reason).toBe('CHUNK_DIGEST_DIFFERS {"pass":1,"partition":2}');
    });
    await expect(verification.results(runId)).rejects.toMatchObject({ code: 'RUN_STATE_ILLEGAL' });
  });

  it('stops a run when evidence was changed after it was received', async () => {
    const runId = await verification.submit({ files: files.slice(0, 1) });
    const [{ digest }] = await owner.query('SELECT digest FROM verification_file WHERE run_id = $1', [runId]);
    const path = join(evidenceDir, digest.slice(0, 2), digest.slice(2));
    const whole = readFileSync(path);
    rmSync(path);
    writeFileSync(path, Buffer.from(whole).fill(0x31, 500, 501));
    await withWorker(1, async () => {
      const progress = await verification.finished(runId);
      expect([progress.state, progress.reason]).toEqual(['failed', `EVIDENCE_DAMAGED {"digest":"${digest}"}`]);
    });
    // The same file handed in once more heals the store: what is kept is checked before it is believed.
    const again = await verification.submit({ files: files.slice(0, 1) });
    expect(readFileSync(path).equals(whole)).toBe(true);
    await withWorker(1, async () => {
      expect((await verification.finished(again)).state).toBe('done');
    });
  });

  it('refuses files that cannot be what they are said to be, and keeps no run of them', async () => {
    const file = (name: string, content: string | Buffer, format: SubmittedFile['format']): SubmittedFile => {
      writeFileSync(join(folder, name), content);
      return { path: join(folder, name), format };
    };
    const csv = readFileSync(files[1]?.path as string);
    const header = csv.subarray(0, csv.indexOf(10) + 1);
    const utf8 = Buffer.concat([header, Buffer.from('2207,张三\n2207,李四\n')]);
    const runs = async (): Promise<number> => (await owner.query('SELECT count(*)::int AS n FROM verification_run'))[0].n;
    const before = await runs();
    const submit = (...list: SubmittedFile[]): Promise<string> => verification.submit({ files: list });
    await expect(submit(file('empty', '', 'ndjson'))).rejects.toMatchObject({ code: 'FILE_EMPTY', details: { name: 'empty' } });
    await expect(submit(file('only-header.csv', header, 'csv-gb18030'))).rejects.toMatchObject({ code: 'FILE_NO_RECORDS' });
    await expect(submit(file('blank', '\n\r\n\n', 'ndjson'))).rejects.toMatchObject({ code: 'FILE_NO_RECORDS' });
    await expect(submit(file('utf8.csv', utf8, 'csv-gb18030'))).rejects.toMatchObject({ code: 'FILE_WRONG_ENCODING', details: { name: 'utf8.csv', expected: 'GB18030', found: 'UTF-8' } });
    await expect(submit(file('no-header.csv', csv.subarray(header.length), 'csv-gb18030'))).rejects.toMatchObject({ code: 'FILE_HEADER_WRONG' });
    await expect(submit({ path: join(folder, 'nowhere'), format: 'ndjson' })).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
    await expect(submit(files[0] as SubmittedFile, { ...(files[0] as SubmittedFile), name: 'other' })).rejects.toMatchObject({ code: 'FILE_DUPLICATE' });
    await expect(submit()).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
    await expect(verification.status('no-such-run')).rejects.toMatchObject({ code: 'RUN_UNKNOWN' });
    expect(await runs()).toBe(before);
  });

  it('a cut last line is rejected, the rest goes on', async () => {
    const path = join(folder, 'cut.ndjson');
    const whole = readFileSync(files[0]?.path as string);
    const second = lineStart(whole, 3);
    writeFileSync(path, whole.subarray(0, second));
    appendFileSync(path, whole.subarray(second, second + 100));
    const runId = await verification.submit({ files: [{ path, format: 'ndjson' }] });
    await withWorker(1, async () => {
      expect(await verification.finished(runId)).toMatchObject({ state: 'done', linesDone: 3 });
    });
    expect(await verification.failures(runId, { classes: ['FORMAT'], limit: 10 })).toEqual([
      expect.objectContaining({ line: 3, resultClass: 'FORMAT', reason: 'LINE_TRUNCATED', byteOffset: second + 100 }),
    ]);
  });

  it('left a whole journal, one entry per commit, and no chance to change a verdict', async () => {
    const sequencer = await openDataSource({ url: database.url, role: 'hufu_journal' });
    const signer = new LocalSigner();
    await enterLogKey(owner, clock, signer.make());
    await new Sequencer(sequencer, signer, clock).drain();
    await sequencer.destroy();
    expect(await checkJournal(owner)).toMatchObject({ waiting: 0, firstBad: undefined });
    const [{ entries, chunks }] = await owner.query(
      "SELECT (SELECT count(*) FROM journal_stage WHERE kind = 'verification.chunk') AS entries, (SELECT count(*) FROM verification_chunk) AS chunks",
    );
    // One chunk row of the tests above was forged under an entry of its own.
    expect(Number(entries)).toBe(Number(chunks) - 1);
    await expect(owner.query("UPDATE verification_failure SET class = 'OK'")).rejects.toThrow(/append-only/);
    await expect(owner.query('DELETE FROM verification_chunk')).rejects.toThrow(/append-only/);
    await expect(service.query('INSERT INTO verification_result SELECT * FROM verification_result')).rejects.toThrow(/permission denied/);
    await expect(worker.query('INSERT INTO verification_run SELECT * FROM verification_run')).rejects.toThrow(/permission denied/);
  });
});

function startWorkerProcess(url: string, evidenceDir: string): ChildProcess {
  return spawn(process.execPath, ['dist/test/env/verification-worker.js', url, evidenceDir, '1'], { stdio: ['pipe', 'ignore', 'ignore'] });
}

function byPlace(a: [string, string], b: [string, string]): number {
  const [fileA, lineA] = a[0].split(':') as [string, string];
  const [fileB, lineB] = b[0].split(':') as [string, string];
  return fileA < fileB ? -1 : fileA > fileB ? 1 : Number(lineA) - Number(lineB);
}

/** Byte offset at which a line (from 1) starts. */
function lineStart(bytes: Buffer, line: number): number {
  let at = 0;
  for (let i = 1; i < line; i++) at = bytes.indexOf(10, at) + 1;
  return at;
}
