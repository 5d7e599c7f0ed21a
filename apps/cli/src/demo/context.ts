import type { RehearsalQuorum } from '../approver/rehearsal-quorum.js';
import type { CommandClient } from '../command-client.js';
import type { StateFolder } from '../state-folder.js';
import type { Checks } from './check.js';
import type { ReportFiles } from '../report-files.js';

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
  /** The rehearsal approvers of this run. */
  readonly quorum: RehearsalQuorum;
  /** Requests and tickets that the supervisor had released before this run. */
  readonly releasedBefore: ReadonlySet<string>;
  /** A file of published vectors. */
  vectors(name: string): string;
  say(zh: string, en: string): void;
  progress(zh: string, en: string): (done: number, total: number) => void;
}

/** How the verifying process was started: the flags that fence it off from files which are not its own. */
export interface WorkerFence {
  readonly nodeFlags: readonly string[];
}

/** Places between two steps where a rig may act. */
export type RigPoint = 'afterKeys' | 'beforePsam' | 'afterPsam' | 'afterCertificates' | 'beforeApprovals' | 'afterApprovals' | 'beforeClosing';

/**
 * For tests of the demo itself: a module whose functions run between the steps and spoil what lies there (a byte of a file,
 * a key in a token, a card). It has no way into the checks: a spoiled demo must fail by itself.
 */
export type Rig = Partial<Record<RigPoint, (demo: Demo) => Promise<void>>> & {
  /** Before the files are handed in. */
  readonly afterDay?: (demo: Demo, inbox: string, truthFile: string) => Promise<void>;
  /** After the verdicts are in; gets the result file. */
  readonly afterRun?: (demo: Demo, resultFile: string, inbox: string) => Promise<void>;
  readonly afterReport?: (demo: Demo, files: ReportFiles) => Promise<void>;
  /** Fault switch of the n-th virtual card (1-based). */
  readonly cardFault?: (n: number) => string | undefined;
  /** What is sent as the certificate request with a wrong signature; gets the sound one. */
  readonly forgedRequest?: (csr: string) => string;
};
