import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { Hsm } from '#libs/hsm';
import { checkJournal, Journal } from '#libs/journal';
import { Logger, openDataSource, SystemClock } from '#libs/platform';
import { fromHex } from '#libs/platform/domain';
import { createTestDatabase, type TestDatabase } from '../../../test/env/test-database.js';
import { type RunningJournal, startRunningJournal } from '../../../test/env/running-journal.js';
import { startTestHsm } from '../../../test/env/test-hsm.js';
import { Keys, holders } from './index.js';
import { KeysRepository } from './keys.repository.js';

const GENERAL = 'general-1';
const DIVERSIFICATION = 'diversification-1';

/** The real device, but for some of its recipes. */
function differing(hsm: Hsm, recipes: Partial<Hsm>): Hsm {
  return new Proxy(hsm, {
    get: (target, name) => {
      const own = recipes[name as keyof Hsm] ?? target[name as keyof Hsm];
      return typeof own === 'function' ? own.bind(target) : own;
    },
  });
}

describe('keys with two tokens and a database', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  let tokens: Awaited<ReturnType<typeof startTestHsm>>;
  let keys: Keys;
  let log: RunningJournal;

  const keysWith = (hsm: Hsm): Keys => {
    const clock = new SystemClock();
    return new Keys(dataSource, new KeysRepository(dataSource), new Journal(clock), hsm, clock, new Logger('test', () => undefined));
  };

  beforeAll(async () => {
    database = await createTestDatabase();
    dataSource = await openDataSource({ url: database.url, role: 'hufu_service' });
    tokens = await startTestHsm();
    keys = keysWith(tokens.hsm);
    log = await startRunningJournal(database.url);
  });

  afterAll(async () => {
    await log.stop();
    await tokens.stop();
    await dataSource.destroy();
    await database.drop();
  });

  it.each(['3des2', 'aes128'] as const)('makes a %s root in one token, copies it to the other, and both agree', async (algorithm) => {
    const label = `root-${algorithm}`;
    const made = await keys.generateRoot({ label, keyClass: 'dataRoot', algorithm, device: GENERAL });
    expect(made).toMatchObject({ state: 'preActive', kcv: expect.stringMatching(/^[0-9A-F]{6}$/), fingerprint: expect.stringMatching(/^[0-9A-F]{32}$/) });
    await expect(keys.activate(label)).rejects.toMatchObject({ code: 'KEY_COPIES_MISSING' });

    const copied = await keys.copy(label, DIVERSIFICATION);
    expect(holders(copied).sort()).toEqual([DIVERSIFICATION, GENERAL]);
    const factors = [fromHex('3131303030307378'), fromHex('1100000000000001')];
    expect(await keys.childCheckValue(label, factors, DIVERSIFICATION)).toBe(await keys.childCheckValue(label, factors, GENERAL));

    const active = await keys.activate(label);
    expect(active.state).toBe('active');
    for (const device of [GENERAL, DIVERSIFICATION]) {
      const [object] = (await tokens.hsm.inventory(device)).filter((each) => each.keyId === active.keyId);
      expect(object).toMatchObject({ sensitive: true, extractable: false });
    }
    await expect(tokens.hsm.transfer({ keyId: active.keyId, from: GENERAL, to: DIVERSIFICATION })).rejects.toBeDefined();
  });

  it('refuses a label twice and leaves nothing in the device', async () => {
    const before = (await tokens.hsm.inventory(GENERAL)).length;
    await expect(keys.generateRoot({ label: 'root-3des2', keyClass: 'dataRoot', algorithm: '3des2', device: GENERAL })).rejects.toMatchObject({ code: 'KEY_LABEL_TAKEN' });
    expect((await tokens.hsm.inventory(GENERAL)).length).toBe(before);
  });

  it.each([
    ['before the device acted', false],
    ['after the device acted', true],
  ])('a crash %s leaves an intent that start-up closes, and no object', async (_when, acted) => {
    const dying = differing(tokens.hsm, {
      generateKey: async (device, key) => {
        if (acted) await tokens.hsm.generateKey(device, key);
        throw new Error('power cut');
      },
    });
    const label = `lost-${acted}`;
    await expect(keysWith(dying).generateRoot({ label, keyClass: 'dataRoot', algorithm: '3des2', device: GENERAL })).rejects.toThrow('power cut');
    const planned = await keys.get(label);
    expect(planned.state).toBe('planned');
    expect(await keys.settleIntents()).toEqual({ aborted: 1 });
    expect((await keys.get(label)).state).toBe('aborted');
    expect((await tokens.hsm.inventory(GENERAL)).filter((each) => each.keyId === planned.keyId)).toEqual([]);
  });

  it('lets a label be used again after its generation was given up', async () => {
    const again = await keys.generateRoot({ label: 'lost-true', keyClass: 'dataRoot', algorithm: '3des2', device: GENERAL });
    expect((await keys.get('lost-true')).keyId).toBe(again.keyId);
  });

  it('destroys what a device completes after the command was given up', async () => {
    const label = 'late';
    let complete = (): Promise<void> => Promise.resolve();
    const slow = differing(tokens.hsm, {
      generateKey: (device, key) => {
        complete = () => tokens.hsm.generateKey(device, key);
        return Promise.reject(new Error('power cut'));
      },
    });
    await expect(keysWith(slow).generateRoot({ label, keyClass: 'dataRoot', algorithm: '3des2', device: GENERAL })).rejects.toThrow('power cut');
    await keys.settleIntents();
    expect(await keys.destroyLate()).toBe(0);
    await complete();
    const { keyId } = await keys.get(label);
    expect((await tokens.hsm.inventory(GENERAL)).some((each) => each.keyId === keyId)).toBe(true);
    expect(await keys.destroyLate()).toBe(1);
    expect((await tokens.hsm.inventory(GENERAL)).some((each) => each.keyId === keyId)).toBe(false);
    const [entry] = await dataSource.query(`SELECT count(*)::int AS count FROM journal_stage WHERE kind = 'keys.lateObjectDestroyed' AND subject = $1`, [keyId]);
    expect(entry.count).toBe(1);
  });

  it('puts a signing pair into use that was made before the crash', async () => {
    const dying = differing(tokens.hsm, { generateKeyPair: (device, key) => tokens.hsm.generateKeyPair(device, key) });
    const stopped = keysWith(dying);
    Object.assign(stopped, { moveTo: () => Promise.reject(new Error('power cut')) });
    await expect(stopped.generateSigning({ label: 'signer', keyClass: 'reportSigning', algorithm: 'p256', device: GENERAL })).rejects.toThrow('power cut');
    expect((await keys.get('signer')).state).toBe('preActive');
    await keys.settleIntents();
    expect((await keys.get('signer')).state).toBe('active');
  });

  it('drops a copy whose check value differs', async () => {
    await keys.generateRoot({ label: 'lied', keyClass: 'dataRoot', algorithm: '3des2', device: GENERAL });
    const lying = differing(tokens.hsm, { fingerprints: async () => [new Uint8Array(16)] });
    await expect(keysWith(lying).copy('lied', DIVERSIFICATION)).rejects.toMatchObject({ code: 'KEY_COPY_DIFFERS' });
    expect(holders(await keys.get('lied'))).toEqual([GENERAL]);
  });

  it('asks no device while no anchor takes the journal, says why, and leaves nothing behind', async () => {
    log.anchor.beforePush = () => {
      throw new Error('away');
    };
    const calls: string[] = [];
    const watched = new Proxy(tokens.hsm, {
      get: (target, name) => {
        const own: unknown = target[name as keyof Hsm];
        if (typeof own !== 'function') return own;
        return (...args: unknown[]) => {
          calls.push(String(name));
          return own.apply(target, args) as unknown;
        };
      },
    });
    await expect(keysWith(watched).generateRoot({ label: 'unseen', keyClass: 'dataRoot', algorithm: '3des2', device: GENERAL })).rejects.toMatchObject({
      code: 'JOURNAL_STALE',
      details: { reasonEn: expect.stringContaining('no anchor took the checkpoint') },
    });
    expect(calls).toEqual(['devices']);
    expect(await keys.get('unseen')).toMatchObject({ state: 'aborted', copies: [expect.objectContaining({ state: 'aborted' })] });
    log.anchor.beforePush = () => undefined;
    expect((await keys.generateRoot({ label: 'unseen', keyClass: 'dataRoot', algorithm: '3des2', device: GENERAL })).state).toBe('preActive');
  }, 20_000);

  it('wrote every act to a journal that is whole', async () => {
    const owner = await openDataSource({ url: database.url });
    let report = await checkJournal(owner);
    while (report.waiting > 0) report = await checkJournal(owner);
    await owner.destroy();
    expect(report.firstBad).toBeUndefined();
    expect(report.entries).toBeGreaterThan(15);
  });
});
