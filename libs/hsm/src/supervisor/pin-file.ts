import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { writeFileAtomic } from '#libs/platform/host';

const PIN_RANDOM_BYTES = 18;
const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** Makes the file with a random PIN (24 characters) unless it is there. 0400: only this user reads it, nobody writes it. */
export function ensurePinFile(file: string): void {
  if (!existsSync(file)) writeFileAtomic(file, randomBytes(PIN_RANDOM_BYTES).toString('base64url'), 0o400);
}

/** Throws an Error that says what to mend. */
export function requirePinFile(file: string): void {
  if (!existsSync(file)) throw new Error(`PIN file missing: ${file}`);
  if ((statSync(file).mode & 0o077) !== 0) throw new Error(`PIN file readable by others: chmod 0400 ${file}`);
}

/** The PIN without a line end. The caller wipes it. Throws as `requirePinFile`, and when it is empty; never with the PIN in it. */
export function readPin(file: string): Uint8Array {
  requirePinFile(file);
  const content = readFileSync(file);
  let end = content.length;
  while (end > 0 && (content[end - 1] === NEWLINE || content[end - 1] === CARRIAGE_RETURN)) end -= 1;
  if (end === 0) throw new Error(`PIN file empty: ${file}`);
  const pin = new Uint8Array(content.subarray(0, end));
  content.fill(0);
  return pin;
}
