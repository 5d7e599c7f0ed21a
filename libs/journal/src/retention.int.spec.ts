import { createWriteStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { openDataSource, SystemClock } from '#libs/platform';
import { createTestDatabase, type TestDatabase } from '../../../test/env/test-database.js';
import { type RunningJournal, startRunningJournal } from '../../../test/env/running-journal.js';
import { exportFile, Journal, readRetention, RECORD_CLASSES, Retention, type VerifiedJournal, verifyFile } from './index.js';

const OLD = 2021;
const EVENTS = 3;

describe('records and their time', () => {
  let database: TestDatabase;
  let owner: DataSource;
  let service: DataSource;
  let retention: Retention;
  let log: RunningJournal;
  let folder: string;
  let exported: string;
  const clock = new SystemClock();
  const journal = new Journal(clock);

  beforeAll(async () => {
    [database, folder] = [await createTestDatabase(), mkdtempSync(join(tmpdir(), 'hufu-retention-'))];
    owner = await openDataSource({ url: database.url, poolSize: 2 });
    service = await openDataSource({ url: database.url, role: 'hufu_service', poolSize: 2 });
    retention = new Retention(owner, journal);
    // Entries of an old year: some on which nothing rests, one on which a row of the state does.
    await owner.transaction(async (tx) => {
      const ids = await journal.recordMany(tx, Array.from({ length: EVENTS }, (_, n) => ({ kind: 'test.event', subject: 's', data: { n } })));
      const entryId = await journal.record(tx, { kind: 'journal.hold', subject: 'old', data: {} });
      await tx.query(`INSERT INTO legal_hold (hold_id, record_class, reason, from_at, until_at, entry_id) VALUES (gen_random_uuid(), 'journal', 'over long ago', '2021-02-01', '2021-03-01', $1)`, [entryId]);
      await tx.query('SET CONSTRAINTS ALL IMMEDIATE');
      await tx.query('ALTER TABLE journal_stage DISABLE TRIGGER body_retired');
      await tx.query(`UPDATE journal_stage SET recorded_at = '${OLD}-06-01Z' WHERE id = ANY($1)`, [[...ids, entryId]]);
      await tx.query('ALTER TABLE journal_stage ENABLE TRIGGER body_retired');
    });
    log = await startRunningJournal(database.url);
    await journal.anchored(owner.manager, await owner.transaction((tx) => journal.record(tx, { kind: 'test.now', subject: 's', data: {} })));
    exported = await written('first');
  });
  afterAll(async () => {
    await log.stop();
    for (const each of [owner, service]) await each.destroy();
    await database.drop();
    rmSync(folder, { recursive: true, force: true });
  });

  const written = async (name: string): Promise<string> => {
    const file = join(folder, name);
    await pipeline(Readable.from(exportFile(owner, clock.now())), createWriteStream(file));
    return file;
  };
  const verified = async (name: string): Promise<VerifiedJournal> => verifyFile(await written(name), { publicKey: log.key.spki });
  const bodies = async (): Promise<Record<string, number>> => {
    const rows: { kind: string; n: number }[] = await owner.query('SELECT kind, count(body)::int AS n FROM journal_stage s JOIN journal_entry e ON e.stage_id = s.id WHERE e.shard = $1 GROUP BY kind', [OLD]);
    return Object.fromEntries(rows.map(({ kind, n }) => [kind, n]));
  };
  const refused = (act: Promise<unknown>): Promise<string> => act.then(() => 'ok', (error: { code?: string; details?: { reason?: string } }) => `${error.code}: ${error.details?.reason?.split(' / ')[1] ?? ''}`);

  it('the database goes by the same classes as the product says, and nobody makes one shorter', async () => {
    const rows: { name: string; zh: string; en: string; basis: string; least_months: number; months: number }[] = await service.query('SELECT * FROM record_class');
    expect(Object.fromEntries(rows.map(({ name, zh, en, basis, least_months: leastMonths, months }) => [name, { text: { zh, en }, basis, leastMonths, months }]))).toEqual(RECORD_CLASSES);
    expect([RECORD_CLASSES.journal.months >= 6, RECORD_CLASSES.cardProduction.months >= 24]).toEqual([true, true]);
    await expect(owner.query('UPDATE record_class SET months = 1')).rejects.toThrow(/append-only/);
    await expect(owner.query(`INSERT INTO record_class VALUES ('x', 'x', 'x', 'x', 6, 5)`)).rejects.toThrow(/check constraint/);
    await expect(service.query('DELETE FROM record_class')).rejects.toThrow(/permission denied/);
  });

  it.each([
    ['journal_stage', /append-only/], ['journal_entry', /append-only/], ['journal_checkpoint', /append-only/], ['journal_anchor', /append-only/], ['card_status', /append-only/],
    ['certificate_status', /append-only/], ['verification_failure', /append-only/], ['legal_hold', /append-only/], ['person', /append-only/],
  ])('rows of %s are deleted by nobody: not by the owner, not by a process', async (table, said) => {
    await expect(owner.query(`DELETE FROM ${table}`)).rejects.toThrow(said);
    await expect(service.query(`DELETE FROM ${table}`)).rejects.toThrow(/permission denied/);
  });

  it('bodies do not go by hand, whoever tries', async () => {
    await expect(owner.query(`UPDATE journal_stage SET body = NULL WHERE recorded_at < '2022-01-01'`)).rejects.toThrow(/append-only/);
    await expect(service.query(`UPDATE journal_stage SET body = NULL`)).rejects.toThrow(/permission denied/);
    await expect(service.query('SELECT retire_journal_year($1)', [OLD])).rejects.toThrow(/permission denied/);
    expect(await refused(owner.query('SELECT retire_journal_year($1)', [OLD]))).toBe('HU030: ');
    await expect(owner.query(`INSERT INTO journal_stage (id, kind, subject, body, leaf_hash) VALUES (gen_random_uuid(), 'x', 'x', NULL, sha256('x'))`)).rejects.toThrow(/an entry has a body/);
  });

  it('not before their time', async () => {
    const thisYear = clock.now().getUTCFullYear();
    for (const year of [thisYear, thisYear - 1, thisYear - 2]) expect(await refused(retention.retireYear(year, 'AB'.repeat(32)))).toMatch(/^RETENTION_REFUSED: kept until 20\d\d-01-01$/);
  });

  it('not without a verified export of the whole year', async () => {
    expect(await refused(retention.retireYear(OLD, 'AB'.repeat(32)))).toBe('RETENTION_REFUSED: no verified export covers the whole year');
    const damaged = join(folder, 'damaged');
    writeFileSync(damaged, 'not an export');
    expect(await refused(retention.noteExport(damaged, OLD, { publicKey: log.key.spki }))).toMatch(/^RETENTION_REFUSED/);
    expect(await refused(retention.noteExport(exported, OLD, { publicKey: new Uint8Array(91) }))).toMatch(/^RETENTION_REFUSED/);
    expect(await refused(retention.noteExport(exported, OLD - 1, { publicKey: log.key.spki }))).toBe('RETENTION_REFUSED: it does not hold the whole year');
    expect(await bodies()).toMatchObject({ 'test.event': EVENTS });
  });

  it('not under a legal hold; after its release they go, and only those on which nothing rests', async () => {
    const sha256 = await retention.noteExport(exported, OLD, { publicKey: log.key.spki });
    const holding = new Retention(service, journal);
    const holdId = await holding.hold({ recordClass: 'journal', reason: 'case 2026-17', from: new Date(Date.now() - 1000) });
    expect(await refused(retention.retireYear(OLD, sha256))).toBe('RETENTION_REFUSED: under legal hold: case 2026-17');
    expect(await bodies()).toEqual({ 'journal.logKey': 1, 'journal.hold': 1, 'test.event': EVENTS });
    expect(await readRetention(service.manager)).toMatchObject({ holds: 1, retiredYears: [] });
    await holding.release(holdId, 'case closed');

    expect(await retention.retireYear(OLD, sha256)).toBe(EVENTS);
    expect(await bodies()).toEqual({ 'journal.logKey': 1, 'journal.hold': 1, 'test.event': 0 });
    expect(await retention.retireYear(OLD, sha256)).toBe(0);
    expect(await readRetention(service.manager)).toMatchObject({ classes: [{ en: 'Records of card production and keys', months: 24 }, { en: 'Operation journal', months: 24 }], holds: 0, retiredYears: [OLD] });
    expect(await verified('after')).toMatchObject({ retired: EVENTS, fault: undefined });
  });

  it('a body that goes without that is found by whoever verifies', async () => {
    const [entry] = (await owner.query(`SELECT e.shard, e.idx FROM journal_entry e JOIN journal_stage s ON s.id = e.stage_id WHERE s.kind = 'test.now'`)) as [{ shard: number; idx: string }];
    await owner.transaction(async (tx) => {
      await tx.query('ALTER TABLE journal_stage DISABLE TRIGGER body_retired');
      await tx.query(`UPDATE journal_stage SET body = NULL WHERE kind = 'test.now'`);
      await tx.query('ALTER TABLE journal_stage ENABLE TRIGGER body_retired');
    });
    expect((await verified('without')).fault).toEqual({ kind: 'missing', at: `entry ${entry.shard}/${entry.idx}`, detail: 'its body is gone, and no entry retires its year' });
  });
});
