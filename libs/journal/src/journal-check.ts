import type { DataSource } from 'typeorm';
import { exportRecords } from './export.js';
import { readLogKeys } from './journal.repository.js';
import { faultText } from './verify/fault.js';
import { JournalVerifier } from './verify/journal-verifier.js';

export interface JournalReport {
  /** Entries that have a place in the log. */
  readonly entries: number;
  /** Staged entries that still wait for the sequencer. */
  readonly waiting: number;
  /** RFC 9162 root over SHA-256 in the last checkpoint, hex; empty before the first. */
  readonly root: string;
  /** What is wrong with the first bad thing; undefined when the log is whole. */
  readonly firstBad: string | undefined;
}

/**
 * Verifies the journal where it lies by the offline verifier, trusting the first log key of the database itself: an own look,
 * not the proof. The proof is an export, the public key from the ceremony's paper and the anchors.
 */
export async function checkJournal(dataSource: DataSource, at = new Date()): Promise<JournalReport> {
  const [first] = await readLogKeys(dataSource.manager);
  const verifier = new JournalVerifier({ publicKey: first?.spki ?? new Uint8Array() });
  for await (const record of exportRecords(dataSource, at)) if (!verifier.push(record)) break;
  const { entries, head, fault } = verifier.finish();
  const [stage]: { waiting: string }[] = await dataSource.query(
    'SELECT count(*) AS waiting FROM journal_stage s WHERE NOT EXISTS (SELECT 1 FROM journal_entry e WHERE e.stage_id = s.id)',
  );
  return { entries, waiting: Number(stage?.waiting), root: head?.sha256Root ?? '', firstBad: fault === undefined ? undefined : faultText(fault) };
}
