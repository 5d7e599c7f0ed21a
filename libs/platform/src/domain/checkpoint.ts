/**
 * The signed head of a journal shard: a canonical text in the spirit of C2SP tlog-checkpoint, seven lines that each end with
 * \n, ASCII, nothing else. It stands here because the HSM room reads it before it signs and the journal before it believes.
 */
export interface Checkpoint {
  /** The year of the shard, four digits. */
  readonly shard: number;
  /** Entries under both roots, at least 1. */
  readonly size: number;
  /** RFC 9162 2.1.1 over SHA-256, 64 upper-case hex characters. */
  readonly sha256Root: string;
  /** The same tree over SM3 (GB/T 32905), 64 upper-case hex characters. */
  readonly sm3Root: string;
  readonly at: Date;
  /** CKA_ID of the log key that is in force at this size, 32 upper-case hex characters. */
  readonly keyId: string;
}

const FORMAT = 'hufu/journal/1';
const LOG_PREFIX = 'hufu-journal-';
/** Longest text: 16 digits of size; everything else has a fixed length. */
const LONGEST = 320;
const FORM = /^hufu\/journal\/1\nhufu-journal-([2-9]\d{3})\n([1-9]\d{0,15})\n([0-9A-F]{64})\n([0-9A-F]{64})\n(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)\n([0-9A-F]{32})\n$/;

/** `hufu-journal-2026`. */
export function logName(shard: number): string {
  return `${LOG_PREFIX}${shard}`;
}

/** The bytes that are signed. Throws RangeError for what `readCheckpoint` would not read back as the same. */
export function checkpointBytes(checkpoint: Checkpoint): Uint8Array {
  const { shard, size, sha256Root, sm3Root, at, keyId } = checkpoint;
  const bytes = Uint8Array.from(Buffer.from(`${[FORMAT, logName(shard), size, sha256Root, sm3Root, at.toISOString(), keyId].join('\n')}\n`, 'latin1'));
  if (readCheckpoint(bytes) === undefined) throw new RangeError('not a checkpoint');
  return bytes;
}

/** Undefined unless `bytes` are, to the last octet, a checkpoint: one head has one encoding. */
export function readCheckpoint(bytes: Uint8Array): Checkpoint | undefined {
  if (bytes.length > LONGEST) return undefined;
  const found = FORM.exec(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1'));
  if (found === null) return undefined;
  const [, shard, size, sha256Root, sm3Root, time, keyId] = found as unknown as [string, string, string, string, string, string, string];
  const at = new Date(time);
  // 30 February and 25 o'clock fit the form.
  if (Number.isNaN(at.getTime()) || at.toISOString() !== time || !Number.isSafeInteger(Number(size))) return undefined;
  return { shard: Number(shard), size: Number(size), sha256Root, sm3Root, at, keyId };
}
