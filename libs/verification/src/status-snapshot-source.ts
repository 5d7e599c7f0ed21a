import type { StatusSnapshot } from './domain/status-snapshot.js';

/** Where a run's snapshot of certificates and cards comes from; bound to the registers in the app. */
export abstract class StatusSnapshotSource {
  /** Everything recorded up to now. */
  abstract take(): Promise<StatusSnapshot>;
}
