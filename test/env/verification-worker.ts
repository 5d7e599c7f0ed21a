import { Journal } from '#libs/journal';
import { Logger, openDataSource, SystemClock } from '#libs/platform';
import { PassThreads, PgBossChunkQueue, VerificationWorker } from '#libs/verification';

/**
 * A verification worker as a process of its own, for tests that kill it and benchmarks:
 * `node dist/test/env/verification-worker.js DATABASE_URL EVIDENCE_DIR THREADS`. Ends when its stdin ends.
 */
const [url = '', evidenceDir = '', threads = '1'] = process.argv.slice(2);
const logger = new Logger('test-worker');
const clock = new SystemClock();
const dataSource = await openDataSource({ url, role: 'hufu_worker' });
const queue = await PgBossChunkQueue.open(dataSource, { supervise: true, logger });
const passThreads = new PassThreads(Number(threads), evidenceDir);
const worker = new VerificationWorker({ dataSource, journal: new Journal(clock), clock, queue, threads: passThreads, logger });
worker.start();
logger.info('ready');
process.stdin.on('end', () => process.exit(0));
process.stdin.resume();
