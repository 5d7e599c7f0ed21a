import { createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import type { Hsm } from '#libs/hsm';
import { openDataSource, SystemClock } from '#libs/platform';
import { createTestDatabase, type TestDatabase } from '../../../test/env/test-database.js';
import { startTestHsm, type TestHsm } from '../../../test/env/test-hsm.js';
import { Anchoring, exportFile, HsmCheckpointSigner, Journal, JournalKeys, type LogKey, openAnchor, Sequencer, verifyFile } from './index.js';

const GENERAL = 'general-1';

describe('log keys in a token, heads signed through the supervisor', () => {
  const clock = new SystemClock();
  const journal = new Journal(clock);
  let database: TestDatabase;
  let owner: DataSource;
  let service: DataSource;
  let dataSource: DataSource;
  let rig: TestHsm;
  let keys: JournalKeys;
  let log: Sequencer;
  let anchoring: Anchoring;
  let folder: string;
  let first: LogKey;

  beforeAll(async () => {
    [database, rig] = await Promise.all([createTestDatabase(), startTestHsm()]);
    owner = await openDataSource({ url: database.url, poolSize: 2 });
    service = await openDataSource({ url: database.url, role: 'hufu_service', poolSize: 2 });
    dataSource = await openDataSource({ url: database.url, role: 'hufu_journal', poolSize: 2 });
    keys = new JournalKeys(service, journal, rig.hsm, clock);
    log = new Sequencer(dataSource, new HsmCheckpointSigner(rig.client('journal', { bare: true })), clock);
    folder = mkdtempSync(join(tmpdir(), 'hufu journal '));
    anchoring = new Anchoring(dataSource, openAnchor({ kind: 'file', name: 'file', path: join(folder, 'anchor') }, clock), clock);
  });
  afterAll(async () => {
    await rig.stop();
    for (const each of [owner, service, dataSource]) await each.destroy();
    await database.drop();
    rmSync(folder, { recursive: true, force: true });
  });

  const verified = async (): Promise<ReturnType<typeof verifyFile>> => {
    const file = join(folder, 'export');
    await pipeline(Readable.from(exportFile(owner, clock.now())), createWriteStream(file));
    return verifyFile(file, { publicKey: first.spki, anchorFiles: [join(folder, 'anchor')] });
  };
  const keysInToken = async (): Promise<string[]> => [...new Set((await rig.hsm.inventory(GENERAL)).filter(({ label }) => label.startsWith('journalSigning/')).map(({ keyId }) => keyId))];

  it('a next key is refused before the first, and nothing reaches the token', async () => {
    await expect(keys.rotate({ algorithm: 'p256', device: GENERAL })).rejects.toMatchObject({ code: 'JOURNAL_STALE', details: { reasonEn: 'there is no log key yet' } });
    expect(await keysInToken()).toEqual([]);
    expect(await keys.settleIntents()).toEqual({ aborted: 1 });
  });

  it('the first key is made once, approved by the quorum, and signs what waited', async () => {
    first = await keys.establish({ algorithm: 'p256', device: GENERAL });
    expect(await keys.establish({ algorithm: 'p256', device: GENERAL })).toEqual(first);
    expect(await keysInToken()).toEqual([first.keyId]);
    expect(await log.drain()).toBeGreaterThan(0);
    expect(await anchoring.runOnce()).toBe(1);
    expect(await verified()).toMatchObject({ checkpoints: 1, anchored: 1, waiting: 0, fault: undefined });
  });

  it('a next key is made after its intent is anchored, takes over under both signatures, and the first may go', async () => {
    const rotating = keys.rotate({ algorithm: 'p256', device: GENERAL });
    await sleep(300);
    expect(await keysInToken()).toEqual([first.keyId]);
    await log.drain();
    await anchoring.runOnce();
    const next = await rotating;
    await log.drain();
    await anchoring.runOnce();
    await service.transaction((tx) => journal.record(tx, { kind: 'test.one', subject: 's', data: {} }));
    await log.drain();
    await anchoring.runOnce();
    expect(await verified()).toMatchObject({ checkpoints: 4, anchored: 4, head: { keyId: next.keyId }, fault: undefined });
  });

  it('a pair whose outcome was never stored is destroyed at the next start', async () => {
    const dying: Partial<Hsm> = {
      devices: () => rig.hsm.devices(),
      async generateKeyPair(device, key) {
        await rig.hsm.generateKeyPair(device, key);
        throw new Error('power cut');
      },
    };
    await expect(new JournalKeys(dataSourceWithoutKey(service), journal, dying as Hsm, clock).establish({ algorithm: 'p256', device: GENERAL })).rejects.toThrow('power cut');
    expect(await keysInToken()).toHaveLength(3);
    expect(await keys.settleIntents()).toEqual({ aborted: 1 });
    expect(await keysInToken()).toHaveLength(2);
    expect(await keys.settleIntents()).toEqual({ aborted: 0 });
  });

  it('a head is not stored when the device is gone', async () => {
    await service.transaction((tx) => journal.record(tx, { kind: 'test.one', subject: 's', data: {} }));
    const before = await owner.query('SELECT count(*) AS n FROM journal_checkpoint');
    const away = new Sequencer(dataSource, new HsmCheckpointSigner({ sign: async () => [new Uint8Array(70)] } as unknown as Hsm), clock);
    await expect(away.runOnce()).rejects.toMatchObject({ code: 'HSM_ANSWER_WRONG' });
    expect(await owner.query('SELECT count(*) AS n FROM journal_checkpoint')).toEqual(before);
    await log.drain();
  });
});

/** The register as it was before the first key: `establish` goes on to make one. */
function dataSourceWithoutKey(dataSource: DataSource): DataSource {
  return new Proxy(dataSource, {
    get: (target, name) => {
      if (name === 'manager') return { query: async () => [] };
      const own: unknown = target[name as keyof DataSource];
      return typeof own === 'function' ? own.bind(target) : own;
    },
  });
}
