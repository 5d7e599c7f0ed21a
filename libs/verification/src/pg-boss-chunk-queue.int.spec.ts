import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { Logger, openDataSource } from '#libs/platform';
import { createTestDatabase, type TestDatabase } from '../../../test/env/test-database.js';
import type { ChunkTask, HeldTask } from './chunk-queue.js';
import { installChunkQueue, PgBossChunkQueue } from './pg-boss-chunk-queue.js';

const logger = new Logger('test', () => undefined);
const task = (partition: number): ChunkTask => ({ runId: '00000000-0000-4000-8000-000000000000', pass: 1, partition });

describe('PgBossChunkQueue', () => {
  let database: TestDatabase;
  let owner: DataSource;
  let service: DataSource;
  let worker: DataSource;
  let giving: PgBossChunkQueue;
  let one: PgBossChunkQueue;
  let other: PgBossChunkQueue;

  beforeAll(async () => {
    database = await createTestDatabase();
    owner = await openDataSource({ url: database.url });
    service = await openDataSource({ url: database.url, role: 'hufu_service' });
    worker = await openDataSource({ url: database.url, role: 'hufu_worker' });
    await expect(PgBossChunkQueue.open(worker, { supervise: false, logger })).rejects.toMatchObject({ code: 'CHUNK_QUEUE_MISSING' });
    await installChunkQueue(database.url);
    await installChunkQueue(database.url);
    giving = await PgBossChunkQueue.open(service, { supervise: false, logger });
    one = await PgBossChunkQueue.open(worker, { supervise: false, logger });
    other = await PgBossChunkQueue.open(worker, { supervise: false, logger });
  });

  beforeEach(() => owner.query('DELETE FROM chunk_queue.job'));

  afterAll(async () => {
    for (const each of [giving, one, other]) await each.close();
    for (const each of [owner, service, worker]) await each.destroy();
    await database.drop();
  });

  const give = (...tasks: ChunkTask[]): Promise<void> => service.transaction((tx) => giving.enqueueIn(tx, tasks));
  const take = async (queue: PgBossChunkQueue): Promise<HeldTask> => {
    const held = await queue.fetch();
    if (held === undefined) throw new Error('nothing to fetch');
    return held;
  };
  const complete = (queue: PgBossChunkQueue, held: HeldTask): Promise<boolean> => worker.transaction((tx) => queue.completeIn(tx, held));
  /** As the monitor does when a worker has not beaten for its time. */
  const lapse = (): Promise<unknown> => owner.query("UPDATE chunk_queue.job SET state = 'retry', start_after = now() - interval '1 second', heartbeat_on = NULL WHERE state = 'active'");

  it('adds tasks with the transaction that makes them, or not at all', async () => {
    await expect(service.transaction(async (tx) => {
      await giving.enqueueIn(tx, [task(1)]);
      throw new Error('rolled back');
    })).rejects.toThrow('rolled back');
    expect(await one.fetch()).toBeUndefined();
    await give(task(1), task(2));
    const held = [await take(one), await take(other)];
    expect(held.map((each) => each.task.partition).sort()).toEqual([1, 2]);
    expect(held[0]).toMatchObject({ task: task((held[0] as HeldTask).task.partition), attempt: 0, isLastAttempt: false });
    expect(await one.fetch()).toBeUndefined();
  });

  it('completes with the results or not at all', async () => {
    await give(task(3));
    const held = await take(one);
    await expect(worker.transaction(async (tx) => {
      expect(await one.completeIn(tx, held)).toBe(true);
      throw new Error('rolled back');
    })).rejects.toThrow('rolled back');
    expect(await one.touch(held)).toBe(true);
    expect(await complete(one, held)).toBe(true);
    expect(await complete(one, held)).toBe(false);
    expect(await one.touch(held)).toBe(false);
  });

  it('gives a lapsed task to another worker; the first one can settle nothing any more', async () => {
    await give(task(4));
    const zombie = await take(one);
    await lapse();
    const taken = await take(other);
    expect([taken.id, taken.attempt]).toEqual([zombie.id, 1]);
    expect(await one.touch(zombie)).toBe(false);
    expect(await complete(one, zombie)).toBe(false);
    expect(await complete(other, taken)).toBe(true);
  });

  it('hands a failed task out again after a pause', async () => {
    await give(task(5));
    await one.fail(await take(one), 'DISK_FULL');
    expect(await one.fetch()).toBeUndefined();
    await owner.query("UPDATE chunk_queue.job SET start_after = now() - interval '1 second'");
    expect(await take(other)).toMatchObject({ attempt: 1, task: task(5) });
  });

  it('lets the service add tasks, but neither take nor settle them', async () => {
    await give(task(6));
    await expect(giving.fetch()).rejects.toThrow(/permission denied/);
    const held = await take(one);
    await expect(service.transaction((tx) => giving.completeIn(tx, held))).rejects.toThrow(/permission denied/);
  });
});
