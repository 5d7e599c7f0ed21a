import type { BundleFile } from '../domain/manifest.js';

/** A bundle in memory: every file by size and digests, and the bytes of those that are read. */
export interface Bundle {
  readonly files: readonly BundleFile[];
  readonly contents: ReadonlyMap<string, Uint8Array>;
}
