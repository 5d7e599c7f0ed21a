import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type AnchoredHead, JournalVerifier, type VerifiedJournal } from './journal-verifier.js';
import { readSignedHead, recordsOf } from './record.js';

export interface VerifyFileOptions {
  /** SubjectPublicKeyInfo in DER. */
  readonly publicKey: Uint8Array;
  /** Files of anchored heads: lines of JSON, or of a syslog that holds them. */
  readonly anchorFiles?: readonly string[];
  /** Called now and then with the number of records read. */
  readonly onProgress?: (records: number) => void;
}

const PROGRESS_EVERY = 100_000;

/** Verifies an export file. What is wrong with the file or the log is in the answer; throws only what opening a file throws. */
export function verifyFile(path: string, { publicKey, anchorFiles = [], onProgress }: VerifyFileOptions): VerifiedJournal {
  const verifier = new JournalVerifier({ publicKey, anchors: anchorFiles.flatMap(readAnchorFile) });
  try {
    let read = 0;
    for (const record of recordsOf(path)) {
      if (!verifier.push(record)) break;
      if (++read % PROGRESS_EVERY === 0) onProgress?.(read);
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    verifier.stop(error.message);
  }
  return verifier.finish();
}

/** Heads in a file of an anchor. A line without one is none of ours; a last line that a power cut left unfinished has no newline. */
export function readAnchorFile(path: string): AnchoredHead[] {
  const lines = readFileSync(path, 'latin1').split('\n').slice(0, -1);
  return lines.flatMap((line, i) => {
    const head = readSignedHead(line.slice(Math.max(0, line.indexOf('{"checkpoint"'))));
    return head === undefined ? [] : [{ ...head, source: `${path}:${i + 1}` }];
  });
}

/** A public key as it is handed over: PEM or DER. Throws what OpenSSL throws when it is neither. */
export function readPublicKey(bytes: Uint8Array): Uint8Array {
  const text = Buffer.from(bytes).toString('latin1');
  const key = text.startsWith('-----BEGIN') ? createPublicKey(text) : createPublicKey({ key: Buffer.from(bytes), format: 'der', type: 'spki' });
  return Uint8Array.from(key.export({ format: 'der', type: 'spki' }));
}
