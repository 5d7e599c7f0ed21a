import { z } from 'zod';
import type { JournalAct } from './entry.js';

/** The entry that must stand in the log before the bodies of a year go; the offline verifier wants it. */
export const RETIRE_KIND = 'journal.retire';

const RetireBody = z.object({ kind: z.literal(RETIRE_KIND), subject: z.string().regex(/^[2-9][0-9]{3}$/) });

/** `exportSha256`: hex. */
export function retireAct(year: number, exportSha256: string): JournalAct {
  return { kind: RETIRE_KIND, subject: String(year), data: { exportSha256 } };
}

/** The year that a body retires; undefined for anything else. */
export function readRetirement(body: Uint8Array): number | undefined {
  try {
    return Number(RetireBody.parse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))).subject);
  } catch {
    // Not JSON, not UTF-8 or another form: not such an entry.
    return undefined;
  }
}
