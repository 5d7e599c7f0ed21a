import type { CommandClient } from '../command-client.js';
import type { StateFolder } from '../state-folder.js';
import type { Checks } from './check.js';
import type { Rig } from './rig.js';

/** Names of the two kinds of device in the embedded configuration. */
export const GENERAL = 'general-1';
export const DIVERSIFICATION = 'diversification-1';

/** What the steps hand on to each other. */
export interface Demo {
  readonly state: StateFolder;
  /** Folder of this run: what the generator made, what OpenSSL is shown. */
  readonly work: string;
  /** The checkout's root: dist/, certs/. */
  readonly checkout: string;
  /** Where the virtual cards' readers listen; a short path of its own. */
  readonly cardFolder: string;
  /** Number of this run in this state; names and card numbers carry it, so that runs do not meet. */
  readonly series: number;
  readonly seed: number;
  readonly records: number;
  readonly client: CommandClient;
  readonly checks: Checks;
  readonly rig: Rig;
  readonly httpUrl: string;
  readonly worker: WorkerFence;
  /** A file of published vectors. */
  vectors(name: string): string;
  say(zh: string, en: string): void;
  progress(zh: string, en: string): (done: number, total: number) => void;
}

/** How the verifying process was started: the flags that fence it off from files which are not its own. */
export interface WorkerFence {
  readonly nodeFlags: readonly string[];
}
