import { hash } from 'node:crypto';

/** One payable record as pass 1 spills it for pass 2: which transaction, when received, and where it stands. */
export interface Spilled {
  readonly txId: string;
  readonly receivedAtMs: number;
  readonly fileNo: number;
  readonly line: number;
}

/** Bytes of a spilled entry: 16 of SHA-256(txId), 8 receive time (ms, two's complement), 4 file, 4 line, big-endian. */
export const SPILL_BYTES = 32;
const KEY_BYTES = 16;

export function transactionKey(txId: string): Buffer {
  return hash('sha256', txId, 'buffer').subarray(0, KEY_BYTES);
}

/** Which of `buckets` (a power of two, at most 65,536) a key falls into. */
export function bucketOf(key: Uint8Array, buckets: number): number {
  return (((key[0] as number) << 8) | (key[1] as number)) & (buckets - 1);
}

export function writeSpilled(target: Buffer, at: number, key: Uint8Array, entry: Spilled): void {
  target.set(key, at);
  target.writeBigInt64BE(BigInt(entry.receivedAtMs), at + KEY_BYTES);
  target.writeUInt32BE(entry.fileNo, at + 24);
  target.writeUInt32BE(entry.line, at + 28);
}

export interface DuplicatePlace {
  readonly fileNo: number;
  readonly line: number;
}

/**
 * Pass 2 over one bucket: of the entries with one key, the one received first stays (by file order where two were
 * received at once); the others are returned, by place. Entries may come in any order.
 */
export function findDuplicates(spilled: Buffer): DuplicatePlace[] {
  const first = new Map<string, number>();
  const later: number[] = [];
  for (let at = 0; at < spilled.length; at += SPILL_BYTES) {
    const key = spilled.toString('latin1', at, at + KEY_BYTES);
    const other = first.get(key);
    if (other === undefined) {
      first.set(key, at);
      continue;
    }
    // Time, file and line are one big-endian number behind the key; receive times are never before 1970 here.
    const isEarlier = spilled.compare(spilled, other + KEY_BYTES, other + SPILL_BYTES, at + KEY_BYTES, at + SPILL_BYTES) < 0;
    later.push(isEarlier ? other : at);
    if (isEarlier) first.set(key, at);
  }
  return later
    .map((at) => ({ fileNo: spilled.readUInt32BE(at + 24), line: spilled.readUInt32BE(at + 28) }))
    .sort((a, b) => a.fileNo - b.fileNo || a.line - b.line);
}

/** How many buckets a run of so many lines gets: one per 65,536 lines, a power of two, the same on any number of workers. */
export function bucketCount(lines: number): number {
  let buckets = 2;
  while (buckets < 65_536 && buckets * 65_536 < lines) buckets *= 2;
  return buckets;
}

