import { createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataSource, EntityManager } from 'typeorm';
import { FixedClock, openDataSource } from '#libs/platform';
import { enterLogKey, LocalSigner } from '../../../test/builders/local-log.js';
import { createTestDatabase, type TestDatabase } from '../../../test/env/test-database.js';
import {
  type AnchoredHead, checkJournal, exportFile, faultText, Journal, JournalVerifier, leafHash, type LogKey, readSignedHead, recordsOf, RECORDS, Sequencer, type VerifiedJournal, verifyFile,
} from './index.js';

const at = new Date('2026-01-02T03:04:05Z');

interface Rig {
  readonly database: TestDatabase;
  readonly owner: DataSource;
  readonly service: DataSource;
  readonly sequencer: DataSource;
  readonly clock: FixedClock;
  readonly journal: Journal;
  readonly signer: LocalSigner;
  readonly log: Sequencer;
  readonly folder: string;
}

async function startRig(): Promise<Rig> {
  const database = await createTestDatabase();
  const clock = new FixedClock(at);
  const signer = new LocalSigner();
  const sequencer = await openDataSource({ url: database.url, role: 'hufu_journal' });
  return {
    database, clock, signer, sequencer,
    owner: await openDataSource({ url: database.url }),
    service: await openDataSource({ url: database.url, role: 'hufu_service' }),
    journal: new Journal(clock),
    log: new Sequencer(sequencer, signer, clock),
    folder: mkdtempSync(join(tmpdir(), 'hufu journal ')),
  };
}

async function stopRig(rig: Rig): Promise<void> {
  for (const each of [rig.owner, rig.service, rig.sequencer]) await each.destroy();
  await rig.database.drop();
  rmSync(rig.folder, { recursive: true, force: true });
}

const record = (rig: Rig, n: number, kind = 'test.one'): Promise<string[]> =>
  rig.service.transaction((tx) => rig.journal.recordMany(tx, Array.from({ length: n }, (_, i) => ({ kind, subject: 's', data: { i } }))));

async function written(rig: Rig): Promise<string> {
  const file = join(rig.folder, 'export');
  await pipeline(Readable.from(exportFile(rig.owner, at)), createWriteStream(file));
  return file;
}

async function verified(rig: Rig, key: LogKey, anchors: readonly AnchoredHead[] = []): Promise<VerifiedJournal> {
  const file = await written(rig);
  if (anchors.length === 0) return verifyFile(file, { publicKey: key.spki });
  const verifier = new JournalVerifier({ publicKey: key.spki, anchors });
  for (const each of recordsOf(file)) if (!verifier.push(each)) break;
  return verifier.finish();
}

async function heads(rig: Rig): Promise<AnchoredHead[]> {
  const found: AnchoredHead[] = [];
  for (const { type, payload } of recordsOf(await written(rig))) {
    const head = type === RECORDS.checkpoint ? readSignedHead(payload.toString('utf8')) : undefined;
    if (head !== undefined) found.push({ ...head, source: `taken ${found.length}` });
  }
  return found;
}

/** What an owner of the database can do who switches every trigger and constraint off. */
async function tamper(rig: Rig, change: (tx: EntityManager) => Promise<unknown>): Promise<void> {
  await rig.owner.query(`
    ALTER TABLE journal_stage DROP CONSTRAINT IF EXISTS leaf_hash_of_body;
    ALTER TABLE journal_entry DROP CONSTRAINT IF EXISTS journal_entry_pkey, DROP CONSTRAINT IF EXISTS journal_entry_stage_id_key`);
  await rig.owner.transaction(async (tx) => {
    await tx.query("SET LOCAL session_replication_role = 'replica'");
    await change(tx);
  });
}

const stageOf = (idx: number): string => `(SELECT stage_id FROM journal_entry WHERE idx = ${idx})`;

describe('journal', () => {
  let rig: Rig;
  let key: LogKey;
  beforeAll(async () => {
    rig = await startRig();
    key = rig.signer.make();
  });
  afterAll(() => stopRig(rig));

  const institution = (entryId: string, code: string): Promise<unknown> =>
    rig.service.manager.query('INSERT INTO institution (code, name, region, entry_id) VALUES ($1, $2, $3, $4)', [code, 'n', '110000', entryId]);

  it('refuses a state row without an entry of the same transaction', async () => {
    const [old] = await record(rig, 1, 'test.old');
    await expect(institution(old as string, 'HOSPITAL0001')).rejects.toThrow(/no journal entry of this transaction/);
    await rig.service.transaction(async (tx) => {
      const entryId = await rig.journal.record(tx, { kind: 'test.new', subject: 's', data: {} });
      await tx.query('INSERT INTO institution (code, name, region, entry_id) VALUES ($1, $2, $3, $4)', ['HOSPITAL0001', 'n', '110000', entryId]);
    });
    expect(await rig.service.query('SELECT code FROM institution')).toEqual([{ code: 'HOSPITAL0001' }]);
  });

  it('is append-only for the owner too, and leaves transaction, time, places and heads to others than the service', async () => {
    for (const table of ['journal_stage', 'journal_entry', 'journal_key', 'journal_checkpoint', 'journal_anchor']) {
      await expect(rig.owner.query(`DELETE FROM ${table}`)).rejects.toThrow(/append-only/);
    }
    await expect(rig.owner.query('UPDATE journal_stage SET kind = $1', ['x'])).rejects.toThrow(/append-only/);
    const refused = [
      'INSERT INTO journal_entry (shard, idx, stage_id, leaf_hash, leaf_sm3) SELECT 2026, 0, id, leaf_hash, leaf_hash FROM journal_stage LIMIT 1',
      "INSERT INTO journal_stage (id, xid, kind, subject, body, leaf_hash) SELECT gen_random_uuid(), '3', kind, subject, body, leaf_hash FROM journal_stage LIMIT 1",
      "INSERT INTO journal_anchor (anchor, shard, size, anchored_at) VALUES ('a', 2026, 1, now())",
    ];
    for (const statement of refused) await expect(rig.service.query(statement)).rejects.toThrow(/permission denied/);
    await expect(record(rig, 1, 'journal.logKey')).rejects.toThrow(/written by the sequencer alone/);
  });

  it('leaves entries waiting while there is no log key, then begins with the entry that names it', async () => {
    expect(await rig.log.drain()).toBe(0);
    expect(await checkJournal(rig.owner)).toMatchObject({ entries: 0, waiting: 2, firstBad: undefined });
    await enterLogKey(rig.owner, rig.clock, key);
    expect(await rig.log.drain()).toBe(3);
    expect(await rig.owner.query('SELECT e.idx, s.kind FROM journal_entry e JOIN journal_stage s ON s.id = e.stage_id ORDER BY idx')).toEqual(
      ['journal.logKey', 'test.old', 'test.new', 'journal.logKeyMade'].map((kind, idx) => ({ idx: String(idx), kind })),
    );
    expect(await verified(rig, key)).toMatchObject({ entries: 4, checkpoints: 1, waiting: 0, fault: undefined });
  });

  it('never skips an entry whose transaction stays open across three checkpoints', async () => {
    const late = rig.service.createQueryRunner();
    await late.startTransaction();
    await rig.journal.record(late.manager, { kind: 'test.late', subject: 's', data: {} });
    for (let i = 0; i < 3; i++) {
      await record(rig, 700);
      expect(await rig.log.runOnce()).toBe(700);
      expect(await rig.log.runOnce()).toBe(0);
    }
    await late.commitTransaction();
    await late.release();
    expect(await rig.log.drain()).toBe(1);
    expect(await verified(rig, key)).toMatchObject({ entries: 2_105, checkpoints: 5, waiting: 0, fault: undefined });
  });

  it('places nothing when the head cannot be signed', async () => {
    await record(rig, 2);
    rig.signer.beforeSign = () => {
      throw new Error('device away');
    };
    await expect(rig.log.runOnce()).rejects.toThrow('device away');
    rig.signer.beforeSign = () => undefined;
    expect(await checkJournal(rig.owner)).toMatchObject({ entries: 2_105, waiting: 2, firstBad: undefined });
    expect(await rig.log.drain()).toBe(2);
  });

  it('goes on in a database whose transactions are counted anew', async () => {
    await tamper(rig, (tx) => tx.query("UPDATE journal_checkpoint SET horizon = '9000000000000'"));
    await record(rig, 1);
    expect(await rig.log.drain()).toBe(1);
    expect(await verified(rig, key)).toMatchObject({ waiting: 0, fault: undefined });
  });
});

describe('a journal that was tampered with', () => {
  let rig: Rig;
  let key: LogKey;
  let first: string[];
  // Entry 0: the log key, 1: its making, 2…6; a checkpoint over 7; 7…16; a checkpoint over 17; then three rows that wait.
  beforeEach(async () => {
    rig = await startRig();
    key = rig.signer.make('sm2');
    await enterLogKey(rig.owner, rig.clock, key);
    first = await record(rig, 5);
    await rig.log.drain();
    await record(rig, 10);
    await rig.log.drain();
    await record(rig, 3);
    expect(await verified(rig, key)).toMatchObject({ entries: 17, checkpoints: 2, waiting: 3, oldestWaiting: expect.any(Date), fault: undefined });
  });
  afterEach(() => stopRig(rig));

  const fault = async (anchors: readonly AnchoredHead[] = []): Promise<string> => {
    const { fault: found } = await verified(rig, key, anchors);
    return found === undefined ? 'none' : faultText(found);
  };
  /** A body, changed with both of its leaf hashes. */
  const rewrite = (tx: EntityManager, idx: number, body: Buffer): Promise<unknown> =>
    tx.query(`UPDATE journal_entry SET leaf_hash = $1, leaf_sm3 = $2 WHERE idx = ${idx}`, [leafHash(body), leafHash(body, 'sm3')]).then(() => tx.query(`UPDATE journal_stage SET body = $1 WHERE id = ${stageOf(idx)}`, [body]));
  const bodyOf = async (idx: number): Promise<Buffer> => ((await rig.owner.query(`SELECT body FROM journal_stage WHERE id = ${stageOf(idx)}`)) as [{ body: Buffer }])[0].body;

  it.each<[string, (tx: EntityManager) => Promise<unknown>, string | RegExp]>([
    ['a body edited', (tx) => tx.query(`UPDATE journal_stage SET body = replace(encode(body, 'escape'), 'test.one', 'test.two')::bytea WHERE id = ${stageOf(8)}`), 'entry 2026/8: edited (its body does not give its leaf hash)'],
    ['a body edited with its leaf hashes', async (tx) => rewrite(tx, 8, Buffer.from((await bodyOf(8)).toString().replace('test.one', 'test.two'))), 'entries 2026/7 to 2026/16: edited (bodies and leaf hashes fit, checkpoint 2026/17 has other roots)'],
    ['an entry deleted', (tx) => tx.query('DELETE FROM journal_entry WHERE idx = 9'), 'entry 2026/9: missing (the next one there is 10)'],
    ['a staged row of an entry deleted', (tx) => tx.query(`DELETE FROM journal_stage WHERE id = ${stageOf(9)}`), /^entry 2026\/9: missing \(its staged row [0-9a-f-]{36} is gone\)$/],
    ['an entry deleted and the others moved up', (tx) => tx.query('DELETE FROM journal_entry WHERE idx = 9').then(() => tx.query('UPDATE journal_entry SET idx = idx - 1 WHERE idx > 9')), 'entry 2026/16: missing (checkpoint 2026/17 counts it)'],
    ['two entries exchanged', (tx) => tx.query('UPDATE journal_entry SET idx = 21 - idx WHERE idx IN (10, 11)'), 'entry 2026/11: out of order (checkpoint 2026/17 has other roots)'],
    ['an entry twice', (tx) => tx.query('INSERT INTO journal_entry SELECT * FROM journal_entry WHERE idx = 4'), 'entry 2026/4: out of order (stands after entry 4)'],
    ['two bodies exchanged', (tx) => tx.query(`UPDATE journal_stage s SET body = o.body FROM journal_stage o WHERE (s.id, o.id) IN ((${stageOf(3)}, ${stageOf(4)}), (${stageOf(4)}, ${stageOf(3)}))`), /^entry 2026\/3: its body is that of another entry \(stored as [0-9a-f-]{36}, says [0-9a-f-]{36}\)$/],
    ['the end cut off, its checkpoint left', (tx) => tx.query('DELETE FROM journal_entry WHERE idx > 12'), 'entry 2026/13: missing (checkpoint 2026/17 counts it)'],
    ['the last checkpoint cut off, its entries left', (tx) => tx.query('DELETE FROM journal_checkpoint WHERE size = 17'), 'entry 2026/7: the end of the log was cut off (no checkpoint covers it)'],
    ['a waiting row edited into another', (tx) => tx.query(`UPDATE journal_stage SET body = $1 WHERE id = (SELECT id FROM journal_stage s WHERE NOT EXISTS (SELECT FROM journal_entry WHERE stage_id = s.id) LIMIT 1)`, [Buffer.from('{}')]), /^waiting entry [0-9a-f-]{36}: its body is that of another entry/],
    ['a signature of a checkpoint from elsewhere', (tx) => tx.query('UPDATE journal_checkpoint SET signature = (SELECT signature FROM journal_checkpoint WHERE size = 7)'), /^checkpoint 2026\/17: not signed by a key of the log/],
    ['the first entry of the shard taken away', (tx) => tx.query('DELETE FROM journal_entry WHERE idx = 0').then(() => tx.query('UPDATE journal_entry SET idx = idx - 1')), /^entry 2026\/0: against the rules of the log/],
  ])('%s', async (_, change, expected) => {
    await tamper(rig, change);
    if (typeof expected === 'string') expect(await fault()).toBe(expected);
    else expect(await fault()).toMatch(expected);
  });

  it('a staged row dropped that a row of the state rests on', async () => {
    const entryId = await rig.service.transaction(async (tx) => {
      const id = await rig.journal.record(tx, { kind: 'test.new', subject: 's', data: {} });
      await tx.query('INSERT INTO institution (code, name, region, entry_id) VALUES ($1, $2, $3, $4)', ['HOSPITAL0001', 'n', '110000', id]);
      return id;
    });
    expect(await fault()).toBe('none');
    await tamper(rig, (tx) => tx.query('DELETE FROM journal_stage WHERE id = $1', [entryId]));
    expect(await fault()).toBe(`row of institution: a row of the state rests on an entry that is gone (entry ${entryId})`);
  });

  it('an end cut off with its checkpoint is found by an anchor alone', async () => {
    const anchors = await heads(rig);
    expect(await verified(rig, key, anchors)).toMatchObject({ anchored: 2, fault: undefined });
    await tamper(rig, async (tx) => {
      await tx.query('DELETE FROM journal_entry WHERE idx >= 7');
      await tx.query('DELETE FROM journal_checkpoint WHERE size = 17');
    });
    expect(await fault()).toBe('none');
    expect(await fault(anchors)).toBe('checkpoint 2026/17: the end of the log was cut off (anchor taken 1)');
  });

  it('a history that was written and signed anew is found by an anchor alone', async () => {
    const anchors = await heads(rig);
    await tamper(rig, async (tx) => {
      await tx.query('DELETE FROM journal_entry WHERE idx >= 7');
      await tx.query('DELETE FROM journal_checkpoint WHERE size = 17');
      await tx.query('DELETE FROM journal_stage s WHERE NOT EXISTS (SELECT FROM journal_entry WHERE stage_id = s.id)');
    });
    await record(rig, 12);
    await rig.log.drain();
    expect(await fault()).toBe('none');
    expect(await fault(anchors)).toBe('checkpoint 2026/17: another history than the anchored one (anchor taken 1)');
  });

  it('the key of somebody else', async () => {
    const { fault: found } = await verified(rig, rig.signer.make('sm2'));
    expect(found).toMatchObject({ kind: 'foreignSignature', at: 'checkpoint 2026/7' });
  });

  it('anchors that contradict each other', async () => {
    const [one] = await heads(rig);
    const other = Buffer.from(one?.text as Uint8Array);
    // In the SHA-256 root.
    other.write(other.toString('latin1', 40, 41) === 'A' ? 'B' : 'A', 40, 'latin1');
    expect(await fault([one as AnchoredHead, { ...(one as AnchoredHead), text: other, source: 'elsewhere' }])).toMatch(/^checkpoint 2026\/7: another history than the anchored one/);
  });

  it('a file cut off at any record, or in the middle of one', async () => {
    const whole = [...recordsOf(await written(rig))].map(({ type, payload }) => ({ type, payload: Buffer.from(payload) }));
    for (let length = 0; length < whole.length; length++) {
      const verifier = new JournalVerifier({ publicKey: key.spki });
      for (const each of whole.slice(0, length)) verifier.push(each);
      expect(verifier.finish().fault).toBeDefined();
    }
    expect(first).toHaveLength(5);
  });
});

describe('keys and years', () => {
  let rig: Rig;
  beforeEach(async () => {
    rig = await startRig();
  });
  afterEach(() => stopRig(rig));

  it('rotates by an entry that ends its batch and a checkpoint under both keys', async () => {
    const [a, b] = [rig.signer.make('p256'), rig.signer.make('sm2')];
    await enterLogKey(rig.owner, rig.clock, a);
    await record(rig, 2);
    await rig.log.drain();
    await enterLogKey(rig.owner, rig.clock, b);
    await record(rig, 2);
    await rig.log.drain();
    await record(rig, 2);
    await rig.log.drain();
    const rows: { size: string; key_id: string; previous_key_id: string | null }[] = await rig.owner.query('SELECT size, key_id, previous_key_id FROM journal_checkpoint ORDER BY size');
    expect(rows).toEqual([
      { size: '4', key_id: a.keyId, previous_key_id: null },
      { size: '8', key_id: b.keyId, previous_key_id: a.keyId },
      { size: '10', key_id: b.keyId, previous_key_id: null },
    ]);
    expect(await verified(rig, a, await heads(rig))).toMatchObject({ anchored: 3, fault: undefined });
    expect((await verified(rig, b)).fault).toMatchObject({ kind: 'foreignSignature', at: 'checkpoint 2026/4' });
    await tamper(rig, (tx) => tx.query('UPDATE journal_checkpoint SET previous_key_id = NULL, previous_signature = NULL'));
    expect((await verified(rig, a)).fault).toMatchObject({ kind: 'foreignSignature', at: 'checkpoint 2026/8' });
  });

  it('opens a shard for a new year, whose leaf 0 names the head of the old one; a late entry of the old year stands in the new', async () => {
    const [a, next] = [rig.signer.make('p256'), rig.signer.make('p256', 2027)];
    await enterLogKey(rig.owner, rig.clock, a);
    await enterLogKey(rig.owner, rig.clock, next);
    await record(rig, 2);
    await rig.log.drain();
    const stageAt = async (when: string): Promise<void> => {
      const [id] = await record(rig, 1);
      await tamper(rig, (tx) => tx.query('UPDATE journal_stage SET recorded_at = $2 WHERE id = $1', [id, when]));
    };
    await tamper(rig, (tx) => tx.query("UPDATE journal_stage SET recorded_at = '2026-06-01Z'"));
    await stageAt('2027-01-01T00:00:00.001Z');
    expect(await rig.log.drain()).toBe(1);
    expect(await rig.owner.query('SELECT DISTINCT shard FROM journal_entry')).toEqual([{ shard: 2026 }]);
    rig.clock.set(new Date('2027-01-01T00:00:01Z'));
    await stageAt('2026-12-31T23:59:59.999Z');
    await stageAt('2027-01-01T00:00:00.500Z');
    await stageAt('2026-12-31T23:59:59.998Z');
    await rig.log.drain();
    const places: { shard: number; idx: string; kind: string }[] = await rig.owner.query(
      'SELECT e.shard, e.idx, s.kind FROM journal_entry e JOIN journal_stage s ON s.id = e.stage_id WHERE shard = 2027 OR idx >= 5 ORDER BY 1, 2',
    );
    expect(places).toEqual([
      { shard: 2026, idx: '5', kind: 'test.one' },
      { shard: 2026, idx: '6', kind: 'test.one' },
      { shard: 2027, idx: '0', kind: 'journal.logKey' },
      { shard: 2027, idx: '1', kind: 'test.one' },
      { shard: 2027, idx: '2', kind: 'test.one' },
    ]);
    expect(await verified(rig, a, await heads(rig))).toMatchObject({ fault: undefined, head: { shard: 2027, size: 3, keyId: next.keyId } });
    await tamper(rig, async (tx) => {
      await tx.query('DELETE FROM journal_checkpoint WHERE shard = 2026 AND size = 7');
      await tx.query('DELETE FROM journal_entry WHERE shard = 2026 AND idx = 6');
    });
    expect((await verified(rig, a)).fault).toMatchObject({ kind: 'truncated', at: 'checkpoint 2026/7' });
  });

  it('never dates a head before the one before it', async () => {
    const a = rig.signer.make();
    await enterLogKey(rig.owner, rig.clock, a);
    await rig.log.drain();
    rig.clock.set(new Date('2026-01-01T00:00:00Z'));
    await record(rig, 1);
    await rig.log.drain();
    expect(await verified(rig, a)).toMatchObject({ fault: undefined, head: { at } });
  });
});
