import { AppError, RESULT_CLASS_NAMES, type ResultClass } from '#libs/platform/domain';

/** What pass 1 says of one line. `leaf` is the RFC 9162 leaf hash of `verdictLine`. */
export interface LineOutcome {
  readonly verdictLine: string;
  readonly leaf: Uint8Array;
  readonly resultClass: ResultClass;
  /** Empty when the line could not be read. */
  readonly institutionCode: string;
  /** 0 when the line could not be read. */
  readonly totalFen: bigint;
}

export type ClassCounts = { readonly [name in ResultClass]?: number };

export interface ChunkHead {
  readonly form: typeof FORM;
  readonly lines: number;
  readonly counts: ClassCounts;
  readonly institutions: readonly string[];
  /** Lengths of the sections that follow the head, in this order. */
  readonly indexBytes: number;
  readonly verdictBytes: number;
  readonly bucketBytes: readonly number[];
}

const FORM = 'hufu/chunk-output/1';
const LEAF_BYTES = 32;
/** Per line: end of its verdict line in the verdict section (4), institution (2), class (1), 0 (1), amount in 分 (8). */
const INDEX_BYTES = 16;

/**
 * Pass 1's answer for one slice: 4 bytes length of the head, head (JSON), index, leaves, verdict lines (each with its
 * line feed), and the spilled entries of every bucket. A pure function of the slice, the snapshot and the rules: two
 * workers write the same bytes.
 */
export function encodeChunk(outcomes: readonly LineOutcome[], buckets: readonly Uint8Array[]): Uint8Array {
  const index = Buffer.alloc(outcomes.length * INDEX_BYTES);
  const leaves = Buffer.alloc(outcomes.length * LEAF_BYTES);
  const verdicts = Buffer.from(outcomes.map(({ verdictLine }) => `${verdictLine}\n`).join(''), 'utf8');
  const institutions = new Map<string, number>();
  const counts: { [name in ResultClass]?: number } = {};
  let verdictEnd = 0;
  for (const [i, outcome] of outcomes.entries()) {
    const { resultClass, institutionCode } = outcome;
    if (!institutions.has(institutionCode)) institutions.set(institutionCode, institutions.size);
    counts[resultClass] = (counts[resultClass] ?? 0) + 1;
    verdictEnd += Buffer.byteLength(outcome.verdictLine) + 1;
    const at = i * INDEX_BYTES;
    index.writeUInt32BE(verdictEnd, at);
    index.writeUInt16BE(institutions.get(institutionCode) as number, at + 4);
    index.writeUInt8(RESULT_CLASS_NAMES.indexOf(resultClass), at + 6);
    index.writeBigInt64BE(outcome.totalFen, at + 8);
    leaves.set(outcome.leaf, i * LEAF_BYTES);
  }
  const inOrder = Object.fromEntries(RESULT_CLASS_NAMES.filter((name) => name in counts).map((name) => [name, counts[name]]));
  const head: ChunkHead = {
    form: FORM, lines: outcomes.length, counts: inOrder, institutions: [...institutions.keys()],
    indexBytes: index.length, verdictBytes: verdicts.length, bucketBytes: buckets.map((bucket) => bucket.length),
  };
  const headBytes = Buffer.from(JSON.stringify(head));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(headBytes.length);
  return Buffer.concat([length, headBytes, index, leaves, verdicts, ...buckets]);
}

/** How many bytes to read first: enough for the length of the head. */
export const HEAD_LENGTH_BYTES = 4;

export function decodeHead(bytes: Uint8Array): ChunkHead {
  const head = JSON.parse(Buffer.from(bytes).toString('utf8')) as ChunkHead;
  if (head.form !== FORM) throw new AppError('EVIDENCE_DAMAGED', { digest: FORM });
  return head;
}

/** Where a bucket lies in the file whose head took `headBytes`. */
export function bucketRange(head: ChunkHead, headBytes: number, bucket: number): { start: number; end: number } {
  const before = head.bucketBytes.slice(0, bucket).reduce((sum, length) => sum + length, 0);
  const start = HEAD_LENGTH_BYTES + headBytes + head.indexBytes + head.lines * LEAF_BYTES + head.verdictBytes + before;
  return { start, end: start + (head.bucketBytes[bucket] ?? 0) };
}

/** Reads a whole chunk output line by line. */
export class ChunkReader {
  readonly head: ChunkHead;
  /** All verdict lines as they go into the result file. */
  readonly verdicts: Buffer;
  private readonly index: Buffer;
  private readonly leaves: Buffer;

  constructor(bytes: Buffer) {
    const headEnd = HEAD_LENGTH_BYTES + bytes.readUInt32BE(0);
    this.head = decodeHead(bytes.subarray(HEAD_LENGTH_BYTES, headEnd));
    const leavesAt = headEnd + this.head.indexBytes;
    const verdictsAt = leavesAt + this.head.lines * LEAF_BYTES;
    this.index = bytes.subarray(headEnd, leavesAt);
    this.leaves = bytes.subarray(leavesAt, verdictsAt);
    this.verdicts = bytes.subarray(verdictsAt, verdictsAt + this.head.verdictBytes);
  }

  /** `line` counts from 0 inside the chunk. */
  outcome(line: number): LineOutcome {
    const at = line * INDEX_BYTES;
    const { start, end } = this.verdictRange(line);
    return {
      verdictLine: this.verdicts.toString('utf8', start, end - 1),
      leaf: this.leaf(line),
      resultClass: this.resultClass(line),
      institutionCode: this.head.institutions[this.index.readUInt16BE(at + 4)] as string,
      totalFen: this.index.readBigInt64BE(at + 8),
    };
  }

  leaf(line: number): Uint8Array {
    return this.leaves.subarray(line * LEAF_BYTES, (line + 1) * LEAF_BYTES);
  }

  resultClass(line: number): ResultClass {
    return RESULT_CLASS_NAMES[this.index.readUInt8(line * INDEX_BYTES + 6)] as ResultClass;
  }

  /** Where the line's verdict lies in `verdicts`, line feed included. */
  verdictRange(line: number): { start: number; end: number } {
    const start = line === 0 ? 0 : this.index.readUInt32BE((line - 1) * INDEX_BYTES);
    return { start, end: this.index.readUInt32BE(line * INDEX_BYTES) };
  }

  /** Institution (its place in head.institutions) and amount, without making texts: for sums over all lines. */
  tally(line: number): { institution: number; totalFen: bigint } {
    const at = line * INDEX_BYTES;
    return { institution: this.index.readUInt16BE(at + 4), totalFen: this.index.readBigInt64BE(at + 8) };
  }
}
