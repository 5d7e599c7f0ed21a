import { closeSync, openSync, readSync } from 'node:fs';
import { z } from 'zod';
import { fromHex, toHex } from '#libs/platform/domain';

/*
 * The export file: MAGIC, then records of type (1 byte), length (4 bytes, big-endian), payload. In this order:
 *   H   header, JSON
 *   T   name of a guarded table, UTF-8; then U: ids of the entries that its rows name, 16 bytes each
 *   E,M entries by (shard, idx), and C: a checkpoint where it stands, after entry size − 1
 *   S   staged rows without a place, by (xid, id)
 *   Z   end, JSON with the counts
 * What the tables need comes first, so that a verifier keeps that much in memory and not the whole log.
 */
export const MAGIC = Buffer.from('HUFU-JOURNAL-EXPORT/1\n', 'latin1');

export const RECORDS = { header: 0x48, table: 0x54, needed: 0x55, entry: 0x45, bodyless: 0x4d, checkpoint: 0x43, staged: 0x53, end: 0x5a } as const;
export type RecordType = (typeof RECORDS)[keyof typeof RECORDS];

export interface ExportRecord {
  readonly type: number;
  readonly payload: Buffer;
}

const HEAD_BYTES = 5;
/** Longest payload: one body (1 GB is PostgreSQL's own bound) will not come near it. */
const LONGEST = 64 * 1024 * 1024;

export function encodeRecord(type: RecordType, payload: Uint8Array): Buffer {
  const out = Buffer.allocUnsafe(HEAD_BYTES + payload.length);
  out[0] = type;
  out.writeUInt32BE(payload.length, 1);
  out.set(payload, HEAD_BYTES);
  return out;
}

export interface EntryRecord {
  readonly shard: number;
  readonly idx: number;
  readonly xid: bigint;
  /** Of the staged row, 16 bytes. */
  readonly id: Buffer;
  /** Stored leaf hashes. */
  readonly sha256: Buffer;
  readonly sm3: Buffer;
  /** 0x00 ‖ body, as it is hashed. */
  readonly leaf: Buffer;
}

const ENTRY_HEAD = 4 + 8 + 8 + 16 + 32 + 32;

/** Payload of `entry`, or of `bodyless` with an empty leaf. */
export function encodeEntry({ shard, idx, xid, id, sha256, sm3, leaf }: Omit<EntryRecord, 'id' | 'sha256' | 'sm3' | 'leaf'> & { id: Uint8Array; sha256: Uint8Array; sm3: Uint8Array; leaf: Uint8Array }): Buffer {
  const out = Buffer.allocUnsafe(ENTRY_HEAD + leaf.length);
  out.writeUInt32BE(shard, 0);
  out.writeBigUInt64BE(BigInt(idx), 4);
  out.writeBigUInt64BE(xid, 12);
  out.set(id, 20);
  out.set(sha256, 36);
  out.set(sm3, 68);
  out.set(leaf, ENTRY_HEAD);
  return out;
}

/** Views into the payload. Throws RangeError when it is too short. */
export function decodeEntry(payload: Buffer): EntryRecord {
  if (payload.length < ENTRY_HEAD) throw new RangeError('an entry record is too short');
  return {
    shard: payload.readUInt32BE(0),
    idx: payload.readUInt32BE(4) * 2 ** 32 + payload.readUInt32BE(8),
    xid: payload.readBigUInt64BE(12),
    id: payload.subarray(20, 36),
    sha256: payload.subarray(36, 68),
    sm3: payload.subarray(68, 100),
    leaf: payload.subarray(ENTRY_HEAD),
  };
}

export interface StagedRecord {
  readonly id: Buffer;
  readonly recordedAt: Date;
  readonly leaf: Buffer;
}

const STAGED_HEAD = 16 + 8;

export function encodeStaged(row: { readonly id: Uint8Array; readonly recordedAt: Date; readonly leaf: Uint8Array }): Buffer {
  const out = Buffer.allocUnsafe(STAGED_HEAD + row.leaf.length);
  out.set(row.id, 0);
  out.writeBigUInt64BE(BigInt(row.recordedAt.getTime()), 16);
  out.set(row.leaf, STAGED_HEAD);
  return out;
}

export function decodeStaged(payload: Buffer): StagedRecord {
  if (payload.length < STAGED_HEAD) throw new RangeError('a staged record is too short');
  return { id: payload.subarray(0, 16), recordedAt: new Date(Number(payload.readBigUInt64BE(16))), leaf: payload.subarray(STAGED_HEAD) };
}

/** A signed head as it travels: in an export, in an anchor's line, over syslog. */
export interface SignedHead {
  /** The checkpoint, byte for byte. */
  readonly text: Uint8Array;
  readonly signature: Uint8Array;
  /** At a change of keys, by the key before. */
  readonly previousSignature?: Uint8Array | undefined;
}

const hex = z.string().regex(/^([0-9A-F]{2}){1,1024}$/);
const SignedHeadJson = z.strictObject({ checkpoint: z.string().max(512), signature: hex, previousSignature: hex.optional() });

/** One line of JSON without a newline. */
export function signedHeadLine({ text, signature, previousSignature }: SignedHead): string {
  return JSON.stringify({
    checkpoint: Buffer.from(text).toString('latin1'),
    signature: toHex(signature),
    ...(previousSignature === undefined ? {} : { previousSignature: toHex(previousSignature) }),
  });
}

/** Undefined for what is not such a line. */
export function readSignedHead(line: string): SignedHead | undefined {
  try {
    const { checkpoint, signature, previousSignature } = SignedHeadJson.parse(JSON.parse(line));
    return { text: Buffer.from(checkpoint, 'latin1'), signature: fromHex(signature), previousSignature: previousSignature === undefined ? undefined : fromHex(previousSignature) };
  } catch {
    // Not JSON, or JSON of something else: not such a line.
    return undefined;
  }
}

const End = z.strictObject({ entries: z.int().min(0), checkpoints: z.int().min(0), staged: z.int().min(0) });

/** What the end record counts; undefined when it is not one. */
export function readEnd(payload: Buffer): z.infer<typeof End> | undefined {
  try {
    return End.parse(JSON.parse(payload.toString('utf8')));
  } catch {
    // Not JSON, or JSON of something else.
    return undefined;
  }
}

const READ_BYTES = 8 * 1024 * 1024;

/** The records of an export file one after the other; payloads are views that hold until the next block is read. Throws RangeError. */
export function* recordsOf(path: string): Generator<ExportRecord> {
  const file = openSync(path, 'r');
  try {
    let buffer = Buffer.allocUnsafe(READ_BYTES);
    let [start, end] = [0, readSync(file, buffer, 0, READ_BYTES, null)];
    if (Buffer.compare(buffer.subarray(0, Math.min(end, MAGIC.length)), MAGIC) !== 0) throw new RangeError('not a journal export');
    start = MAGIC.length;
    for (;;) {
      const known = end - start;
      const length = known < HEAD_BYTES ? 0 : buffer.readUInt32BE(start + 1);
      if (length > LONGEST) throw new RangeError(`a record of ${length} bytes`);
      const wanted = HEAD_BYTES + length;
      if (known < wanted) {
        const next = wanted > buffer.length ? Buffer.allocUnsafe(wanted + READ_BYTES) : buffer;
        buffer.copy(next, 0, start, end);
        buffer = next;
        [start, end] = [0, known];
        const read = readSync(file, buffer, end, buffer.length - end, null);
        if (read === 0) {
          if (known === 0) return;
          throw new RangeError('the export ends in the middle of a record');
        }
        end += read;
        continue;
      }
      yield { type: buffer[start] as number, payload: buffer.subarray(start + HEAD_BYTES, start + wanted) };
      start += wanted;
    }
  } finally {
    closeSync(file);
  }
}
