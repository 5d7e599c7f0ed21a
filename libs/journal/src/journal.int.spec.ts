import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { FixedClock, openDataSource } from '#libs/platform';
import { createTestDatabase, type TestDatabase } from '../../../test/env/test-database.js';
import { checkJournal, Journal, MerkleRoot, Sequencer } from './index.js';

const at = new Date('2026-01-02T03:04:05Z');

describe('journal', () => {
  let database: TestDatabase;
  let owner: DataSource;
  let service: DataSource;
  let sequencer: DataSource;
  const journal = new Journal(new FixedClock(at));

  beforeAll(async () => {
    database = await createTestDatabase();
    owner = await openDataSource({ url: database.url });
    service = await openDataSource({ url: database.url, role: 'hufu_service' });
    sequencer = await openDataSource({ url: database.url, role: 'hufu_journal' });
  });

  afterAll(async () => {
    for (const each of [owner, service, sequencer]) await each.destroy();
    await database.drop();
  });

  const institution = (entryId: string, code: string): Promise<unknown> =>
    service.manager.query('INSERT INTO institution (code, name, region, entry_id) VALUES ($1, $2, $3, $4)', [code, 'n', '110000', entryId]);

  it('refuses a state row without an entry of the same transaction', async () => {
    const old = await service.transaction((tx) => journal.record(tx, { kind: 'test.old', subject: 's', data: {} }));
    await expect(institution(old, 'HOSPITAL0001')).rejects.toThrow(/no journal entry of this transaction/);
    await service.transaction(async (tx) => {
      const entryId = await journal.record(tx, { kind: 'test.new', subject: 's', data: {} });
      await tx.query('INSERT INTO institution (code, name, region, entry_id) VALUES ($1, $2, $3, $4)', ['HOSPITAL0001', 'n', '110000', entryId]);
    });
    const rows = await service.query('SELECT code FROM institution');
    expect(rows).toEqual([{ code: 'HOSPITAL0001' }]);
  });

  it('is append-only for the owner too', async () => {
    await expect(owner.query('UPDATE journal_stage SET kind = $1', ['x'])).rejects.toThrow(/append-only/);
    await expect(owner.query('DELETE FROM journal_stage')).rejects.toThrow(/append-only/);
    await expect(service.query('INSERT INTO journal_entry (idx, stage_id, leaf_hash) SELECT 0, id, leaf_hash FROM journal_stage LIMIT 1')).rejects.toThrow(/permission denied/);
  });

  it('never skips an entry whose transaction commits late, and gives contiguous places', async () => {
    const late = service.createQueryRunner();
    await late.startTransaction();
    await journal.record(late.manager, { kind: 'test.late', subject: 's', data: {} });
    await service.transaction((tx) => journal.recordMany(tx, Array.from({ length: 2_100 }, (_, n) => ({ kind: 'test.many', subject: 's', data: { n } }))));
    const log = new Sequencer(sequencer);
    await log.drain();
    await late.commitTransaction();
    await late.release();
    expect(await log.drain()).toBe(1);
    const report = await checkJournal(owner);
    expect(report).toMatchObject({ waiting: 0, firstBad: undefined });
    expect(report.entries).toBe(2_103);
  });

  it('names the first entry whose body was changed behind its back', async () => {
    await owner.query('ALTER TABLE journal_stage DISABLE TRIGGER append_only; ALTER TABLE journal_stage DROP CONSTRAINT leaf_hash_of_body');
    await owner.query('UPDATE journal_stage SET body = body || $1 WHERE id = (SELECT stage_id FROM journal_entry WHERE idx = 7)', [Buffer.from('x')]);
    expect((await checkJournal(owner)).firstBad).toBe('entry 7 does not match its body');
  });

  it('computes the RFC 9162 root', () => {
    const tree = new MerkleRoot();
    expect(Buffer.from(tree.root()).toString('hex')).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  });
});
