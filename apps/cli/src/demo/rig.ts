import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { ReportFiles } from '../report-files.js';
import type { Demo } from './context.js';

/** Places between two steps where a rig may act. */
export type RigPoint = 'afterKeys' | 'beforePsam' | 'afterPsam' | 'afterCertificates' | 'beforeClosing';

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

export async function loadRig(file: string | undefined): Promise<Rig> {
  if (file === undefined) return {};
  const module = (await import(pathToFileURL(resolve(file)).href)) as { rig: Rig };
  return module.rig;
}
