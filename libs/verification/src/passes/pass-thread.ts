import { parentPort, workerData } from 'node:worker_threads';
import { isAppError } from '#libs/platform/domain';
import { FolderEvidenceStore } from '../evidence-store.js';
import { PassRunner } from './pass-jobs.js';
import type { ThreadAnswer, ThreadRequest } from './pass-threads.js';

/** One thread of the worker process: takes a pass, answers with its result or its error, one at a time. */
const { evidenceDir } = workerData as { evidenceDir: string };
const runner = new PassRunner(FolderEvidenceStore.reuse(evidenceDir));

parentPort?.on('message', (request: ThreadRequest) => {
  runner.run(request.job).then(
    (result) => answer({ id: request.id, result }),
    (error: unknown) =>
      answer({
        id: request.id,
        error: isAppError(error) ? { code: error.code, details: error.details } : { message: String((error as Error)?.stack ?? error) },
      }),
  );
});

function answer(message: ThreadAnswer): void {
  parentPort?.postMessage(message);
}
