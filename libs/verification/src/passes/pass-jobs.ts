import { AppError, type ResultClass, RESULT_CLASS_NAMES } from '#libs/platform/domain';
import { MerkleRoot } from '#libs/journal';
import { type ChunkHead, bucketRange, ChunkReader, type ClassCounts, decodeHead, HEAD_LENGTH_BYTES } from '../domain/chunk-output.js';
import { type DuplicatePlace, findDuplicates } from '../domain/duplicates.js';
import type { SettlementFormat } from '../domain/settlement-format.js';
import { decodeSnapshot } from '../domain/status-snapshot.js';
import { verdictLine } from '../domain/verdict.js';
import { digestOf, type EvidenceStore } from '../evidence-store.js';
import { StatusIndex } from './status-index.js';
import { verdictLeaf, verifySlice } from './verify-slice.js';

/** What a thread is asked to do. Only plain data, so that it can cross the thread boundary. */
export type PassJob =
  | {
      readonly pass: 1;
      readonly snapshotDigest: string;
      readonly fileDigest: string;
      readonly fileName: string;
      readonly fileNo: number;
      readonly format: SettlementFormat;
      readonly firstLine: number;
      readonly byteStart: number;
      readonly byteEnd: number;
      readonly sliceDigest: string;
      readonly buckets: number;
    }
  | { readonly pass: 2; readonly bucket: number; readonly chunkDigests: readonly string[] }
  | {
      readonly pass: 3;
      /** In file order. */
      readonly slices: readonly { readonly chunkDigest: string; readonly fileNo: number; readonly fileName: string; readonly firstLine: number }[];
      readonly duplicateDigests: readonly string[];
    };

export interface PassResult {
  /** Evidence that this pass wrote: chunk output, duplicates, result file. */
  readonly digest: string;
  readonly bytes: number;
  readonly lines: number;
  readonly counts: ClassCounts;
  readonly merged?: Merged | undefined;
}

export interface Merged {
  readonly merkleRoot: string;
  readonly aggregates: readonly Aggregate[];
  readonly failures: readonly Failure[];
}

/** Records of one institution (empty: unreadable lines) and class. */
export interface Aggregate {
  readonly institutionCode: string;
  readonly resultClass: ResultClass;
  readonly records: number;
  readonly totalFen: bigint;
}

/** One line that is not plainly OK. */
export interface Failure {
  readonly fileNo: number;
  readonly line: number;
  readonly resultClass: ResultClass;
  readonly txId: string;
  readonly institutionCode: string;
  readonly totalFen: bigint;
  /** FORMAT only: `CODE` or `CODE:field`, and the byte offset in the file. */
  readonly reason: string | undefined;
  readonly byteOffset: number | undefined;
}

/** Runs passes against one evidence store, with the last snapshot kept ready. */
export class PassRunner {
  private ready: { readonly digest: string; readonly index: StatusIndex } | undefined;

  constructor(private readonly evidence: EvidenceStore) {}

  async run(job: PassJob): Promise<PassResult> {
    if (job.pass === 1) return this.verify(job);
    if (job.pass === 2) return this.compare(job);
    return this.merge(job);
  }

  private async verify(job: PassJob & { pass: 1 }): Promise<PassResult> {
    const status = await this.status(job.snapshotDigest);
    const bytes = await this.evidence.read(job.fileDigest, { start: job.byteStart, end: job.byteEnd });
    if (digestOf(bytes) !== job.sliceDigest) throw new AppError('EVIDENCE_DAMAGED', { digest: job.fileDigest });
    const output = verifySlice({ ...job, bytes }, status);
    const { head } = new ChunkReader(Buffer.from(output.buffer, output.byteOffset, output.byteLength));
    return { ...(await this.evidence.keep([output])), lines: head.lines, counts: head.counts };
  }

  private async compare(job: PassJob & { pass: 2 }): Promise<PassResult> {
    const parts: Buffer[] = [];
    for (const digest of job.chunkDigests) {
      const { head, headBytes } = await this.head(digest);
      parts.push(await this.evidence.read(digest, bucketRange(head, headBytes, job.bucket)));
    }
    const spilled = Buffer.concat(parts);
    const duplicates = findDuplicates(spilled);
    const output = Buffer.from(duplicates.map(({ fileNo, line }) => `${fileNo} ${line}\n`).join(''));
    return { ...(await this.evidence.keep([output])), lines: duplicates.length, counts: {} };
  }

  private async merge(job: PassJob & { pass: 3 }): Promise<PassResult> {
    const duplicates = new Set<string>();
    for (const digest of job.duplicateDigests) {
      for (const place of readDuplicates(await this.evidence.read(digest))) duplicates.add(placeKey(place));
    }
    const merge = new Merge(duplicates);
    const { evidence } = this;
    async function* resultFile(): AsyncIterable<Uint8Array> {
      for (const slice of job.slices) {
        const chunk = new ChunkReader(await evidence.read(slice.chunkDigest));
        yield* merge.add(chunk, slice);
      }
    }
    const kept = await this.evidence.keep(resultFile());
    return { ...kept, lines: merge.lines, counts: merge.counts(), merged: merge.merged() };
  }

  private async status(digest: string): Promise<StatusIndex> {
    if (this.ready?.digest !== digest) this.ready = { digest, index: new StatusIndex(decodeSnapshot(await this.evidence.read(digest))) };
    return this.ready.index;
  }

  private async head(digest: string): Promise<{ head: ChunkHead; headBytes: number }> {
    const length = await this.evidence.read(digest, { start: 0, end: HEAD_LENGTH_BYTES });
    const headBytes = length.readUInt32BE(0);
    const head = decodeHead(await this.evidence.read(digest, { start: HEAD_LENGTH_BYTES, end: HEAD_LENGTH_BYTES + headBytes }));
    return { head, headBytes };
  }
}

/** Pass 3: verdicts in file order with the duplicates laid over them. */
class Merge {
  private readonly tree = new MerkleRoot();
  private readonly totals = new Map<string, { institutionCode: string; resultClass: ResultClass; records: number; totalFen: bigint }>();
  private readonly failures: Failure[] = [];

  constructor(private readonly duplicates: ReadonlySet<string>) {}

  get lines(): number {
    return this.tree.size;
  }

  /** The chunk's part of the result file. */
  add(chunk: ChunkReader, place: { fileNo: number; fileName: string; firstLine: number }): Uint8Array[] {
    const parts: Uint8Array[] = [];
    let copied = 0;
    for (let i = 0; i < chunk.head.lines; i++) {
      const line = place.firstLine + i;
      const isDuplicate = this.duplicates.size > 0 && this.duplicates.has(placeKey({ fileNo: place.fileNo, line }));
      const resultClass = isDuplicate ? 'DUPLICATE_TX' : chunk.resultClass(i);
      let leaf = chunk.leaf(i);
      if (resultClass !== 'OK') this.addFailure(chunk, i, resultClass, place.fileNo, line);
      if (isDuplicate) {
        const range = chunk.verdictRange(i);
        const text = verdictLine({ file: place.fileName, line, txId: transactionOf(chunk, i), resultClass });
        leaf = verdictLeaf(text);
        parts.push(chunk.verdicts.subarray(copied, range.start), Buffer.from(`${text}\n`));
        copied = range.end;
      }
      const { institution, totalFen } = chunk.tally(i);
      this.addTotal(chunk.head.institutions[institution] as string, resultClass, totalFen);
      this.tree.add(leaf);
    }
    parts.push(chunk.verdicts.subarray(copied));
    return parts;
  }

  counts(): ClassCounts {
    const counts = new Map<ResultClass, number>();
    for (const { resultClass, records } of this.totals.values()) counts.set(resultClass, (counts.get(resultClass) ?? 0) + records);
    return Object.fromEntries(RESULT_CLASS_NAMES.filter((name) => counts.has(name)).map((name) => [name, counts.get(name)]));
  }

  merged(): Merged {
    return {
      merkleRoot: Buffer.from(this.tree.root()).toString('hex').toUpperCase(),
      aggregates: [...this.totals.values()].sort((a, b) => order(a.institutionCode, b.institutionCode) || order(a.resultClass, b.resultClass)),
      failures: this.failures,
    };
  }

  private addTotal(institutionCode: string, resultClass: ResultClass, totalFen: bigint): void {
    const key = `${institutionCode}:${resultClass}`;
    const total = this.totals.get(key);
    if (total === undefined) this.totals.set(key, { institutionCode, resultClass, records: 1, totalFen });
    else {
      total.records++;
      total.totalFen += totalFen;
    }
  }

  private addFailure(chunk: ChunkReader, i: number, resultClass: ResultClass, fileNo: number, line: number): void {
    const { institutionCode, totalFen, verdictLine: text } = chunk.outcome(i);
    const verdict = JSON.parse(text) as { tx: string; reason?: string; offset?: number };
    this.failures.push({ fileNo, line, resultClass, txId: verdict.tx, institutionCode, totalFen, reason: verdict.reason, byteOffset: verdict.offset });
  }
}

function transactionOf(chunk: ChunkReader, i: number): string {
  return (JSON.parse(chunk.outcome(i).verdictLine) as { tx: string }).tx;
}

function readDuplicates(bytes: Buffer): DuplicatePlace[] {
  const lines = bytes.toString('latin1').split('\n').slice(0, -1);
  return lines.map((line) => {
    const [fileNo, at] = line.split(' ').map(Number) as [number, number];
    return { fileNo, line: at };
  });
}

function placeKey(place: DuplicatePlace): string {
  return `${place.fileNo}:${place.line}`;
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
