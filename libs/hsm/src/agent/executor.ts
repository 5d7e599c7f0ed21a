import type { OldestCall } from '../ipc.js';

/**
 * The native executor (libs/hsm/native): runs whole batches on a PKCS#11 module that this process has already initialised
 * and logged in to. It opens its own sessions, one thread each; a batch is cut into slices that the threads take in turn,
 * online slices first. No JavaScript runs while the device works, so the agent's event loop stays free to say so.
 */
export interface Executor {
  /**
   * Runs one packed batch (domain/batch.ts, already checked by `readBatch`). `handles[i]` and `algorithms[i]` (index in
   * SYMMETRIC_ALGORITHMS) belong to the batch's key i. Answers as domain/batch.ts says. Rejects with ExecutorError.
   */
  run(batch: Uint8Array, handles: BigUint64Array, algorithms: Uint8Array, online: boolean): Promise<Uint8Array>;

  /** One C_SignInit + C_Sign per item, in parallel over the sessions. Signatures as the module gives them. */
  sign(items: readonly SignJob[], online: boolean): Promise<Uint8Array[]>;

  /** C_GetSessionInfo on an idle session: says that the device is there. Resolves with its CKR (0 = CKR_OK). */
  probe(): Promise<number>;

  /** For the watchdog. */
  oldestCall(): OldestCall;

  /** Calls made, and what they returned, since the start. */
  counts(): { readonly calls: number; readonly sessions: number; readonly busy: number; readonly errors: Readonly<Record<number, number>> };

  /** Closes the sessions. Waits for running calls, which a hung device may never end: the process is killed then. */
  close(): void;
}

export interface SignJob {
  readonly handle: bigint;
  readonly mechanism: number;
  readonly parameter: Uint8Array | undefined;
  readonly data: Uint8Array;
  readonly signatureBytesMost: number;
}

/** What went wrong inside: the CKR, the PKCS#11 function, and the item of the batch. */
export interface ExecutorError extends Error {
  readonly ckr: number;
  readonly call: string;
  readonly item: number;
}
