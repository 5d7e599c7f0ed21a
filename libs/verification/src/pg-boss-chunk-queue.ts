import { type Db, type Job, PgBoss } from 'pg-boss';
import type { DataSource, EntityManager } from 'typeorm';
import { AppError, type Logger, openDataSource } from '#libs/platform';
import { ChunkQueue, type ChunkTask, connectionOf, type HeldTask, onPool } from './chunk-queue.js';

const SCHEMA = 'chunk_queue';
const QUEUE = 'verification';

/**
 * A worker that does not beat for this long is taken for dead. Ten is the least pg-boss allows; the monitor looks every
 * five seconds, so a killed worker's chunk is picked up again within about fifteen.
 */
const HEARTBEAT_SECONDS = 10;
const MONITOR_SECONDS = 5;
const RETRIES = 20;

const QUEUE_OPTIONS = {
  heartbeatSeconds: HEARTBEAT_SECONDS,
  expireInSeconds: 3_600,
  retryLimit: RETRIES,
  // 2 s at first, then longer: a full disk or a database that restarts gets about a quarter of an hour.
  retryDelay: 2,
  retryBackoff: true,
  retryDelayMax: 60,
  retentionSeconds: 30 * 86_400,
  deleteAfterSeconds: 7 * 86_400,
} as const;

/** Schema `chunk_queue` and its queue, with the rights of both roles. Run by `hufu migrate`, as owner; safe to repeat. */
export async function installChunkQueue(url: string): Promise<void> {
  const dataSource = await openDataSource({ url, poolSize: 2 });
  try {
    const boss = new PgBoss({ db: poolDb(dataSource), schema: SCHEMA, migrate: true, supervise: false, schedule: false });
    boss.on('error', () => undefined);
    await boss.start();
    if ((await boss.getQueue(QUEUE)) === null) await boss.createQueue(QUEUE, QUEUE_OPTIONS);
    else await boss.updateQueue(QUEUE, QUEUE_OPTIONS);
    await boss.stop({ graceful: false });
    await dataSource.query(`
      GRANT USAGE ON SCHEMA ${SCHEMA} TO hufu_service, hufu_worker;
      GRANT SELECT ON ALL TABLES IN SCHEMA ${SCHEMA} TO hufu_service, hufu_worker;
      GRANT INSERT ON ${SCHEMA}.job, ${SCHEMA}.job_common TO hufu_service;
      GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${SCHEMA} TO hufu_worker;
      GRANT USAGE ON ALL SEQUENCES IN SCHEMA ${SCHEMA} TO hufu_service, hufu_worker;
      GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA ${SCHEMA} TO hufu_service, hufu_worker;
    `);
  } finally {
    await dataSource.destroy();
  }
}

export interface ChunkQueueOptions {
  /** Watch for dead workers and old jobs: true in workers, false where tasks are only added. */
  readonly supervise: boolean;
  readonly logger: Logger;
}

/** pg-boss on the process's own connections. It never makes or changes its schema here. */
export class PgBossChunkQueue extends ChunkQueue {
  private constructor(private readonly boss: PgBoss) {
    super();
  }

  /** Throws CHUNK_QUEUE_MISSING when `hufu migrate` did not run. */
  static async open(dataSource: DataSource, options: ChunkQueueOptions): Promise<PgBossChunkQueue> {
    const boss = new PgBoss({
      db: poolDb(dataSource),
      schema: SCHEMA,
      migrate: false,
      createSchema: false,
      schedule: false,
      supervise: options.supervise,
      superviseIntervalSeconds: MONITOR_SECONDS,
      monitorIntervalSeconds: MONITOR_SECONDS,
      // The tables belong to the owner, who alone may rebuild indexes and look at vacuum.
      reindex: false,
      monitorVacuum: false,
    });
    boss.on('error', (error) => options.logger.error('chunk queue', error));
    try {
      await boss.start();
      if ((await boss.getQueue(QUEUE)) === null) throw new Error('no queue');
    } catch (error) {
      await boss.stop({ graceful: false });
      throw new AppError('CHUNK_QUEUE_MISSING', {}, { cause: error });
    }
    return new PgBossChunkQueue(boss);
  }

  override async enqueueIn(tx: EntityManager, tasks: readonly ChunkTask[]): Promise<void> {
    await this.boss.insert(QUEUE, tasks.map((data) => ({ data })), { db: await transactionDb(tx) });
  }

  override async fetch(): Promise<HeldTask | undefined> {
    const [job] = await this.boss.fetch<ChunkTask>(QUEUE, { batchSize: 1 });
    return job === undefined ? undefined : { id: job.id, attempt: job.retryCount, task: job.data, isLastAttempt: job.retryCount >= RETRIES };
  }

  // Always the fetched job, never its id alone: an id would also settle a newer attempt of somebody else.
  override async touch(held: HeldTask): Promise<boolean> {
    return affected(await this.boss.touch(QUEUE, attemptOf(held))) === 1;
  }

  override async completeIn(tx: EntityManager, held: HeldTask): Promise<boolean> {
    return affected(await this.boss.complete(QUEUE, attemptOf(held), undefined, { db: await transactionDb(tx) })) === 1;
  }

  override async fail(held: HeldTask, reason: string): Promise<void> {
    await this.boss.fail(QUEUE, attemptOf(held), { reason });
  }

  /** Nest calls it when the process closes. */
  async onModuleDestroy(): Promise<void> {
    await this.close();
  }

  async close(): Promise<void> {
    await this.boss.stop({ graceful: false });
  }
}

/** How many jobs a command changed; the library answers it, its types leave it out. */
function affected(response: object): number {
  return 'affected' in response && typeof response.affected === 'number' ? response.affected : 0;
}

function attemptOf(held: HeldTask): Pick<Job, 'id' | 'retryCount'> {
  return { id: held.id, retryCount: held.attempt };
}

type Rows = { rows: Record<string, unknown>[] };

function poolDb(dataSource: DataSource): Db {
  return { executeSql: async (text, values) => (await onPool(dataSource, text, values)) as Rows };
}

async function transactionDb(tx: EntityManager): Promise<Db> {
  const connection = await connectionOf(tx);
  return { executeSql: async (text, values) => (await connection.query(text, values)) as Rows };
}
