import type { Link } from './domain/chain.js';
import type { Script } from './domain/script.js';

/** What is kept of one ceremony. */
export interface Stored {
  readonly script: Script;
  readonly links: readonly Link[];
  /** The transcript of the rehearsal that it rests on. */
  readonly rehearsal: readonly Link[] | undefined;
}

/** Where a transcript is kept: a folder in the vault, a database behind the service. One writer. */
export abstract class TranscriptStore {
  /** Everything that was kept; undefined before `begin`. Throws CEREMONY_CHAIN_BROKEN where it was changed. */
  abstract load(): Promise<Stored | undefined>;
  /** The script, and for a real ceremony the rehearsal, before the first event. */
  abstract begin(script: Script, rehearsal?: readonly Link[]): Promise<void>;
  /** Resolves when the event stays after a power cut. Throws DISK_FULL and keeps nothing of it. */
  abstract append(link: Link): Promise<void>;
  abstract close(): Promise<void>;
}
