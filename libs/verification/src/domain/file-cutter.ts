import { createHash, type Hash } from 'node:crypto';
import { AppError } from '#libs/platform/domain';
import { FORMAT_RULES, type SettlementFormat } from './settlement-format.js';
import { firstNotAscii, firstNotUtf8 } from './text-bytes.js';

/** A run of whole lines of a received file: what one chunk of pass 1 reads. */
export interface FileSlice {
  readonly firstLine: number;
  readonly lines: number;
  readonly byteStart: number;
  /** Exclusive. */
  readonly byteEnd: number;
  /** SHA-256 of exactly these bytes, hex, upper case. */
  readonly digest: string;
}

export interface CutFile {
  readonly bytes: number;
  /** Lines that a verdict is wanted for: all but a header line. */
  readonly lines: number;
  readonly slices: readonly FileSlice[];
}

export interface CutLimits {
  readonly linesPerSlice: number;
  /** A slice is closed behind the line that passes this many bytes. */
  readonly bytesPerSlice: number;
}

export const CUT_LIMITS: CutLimits = { linesPerSlice: 2_500, bytesPerSlice: 8 * 1_048_576 };

/** A file without a line feed in so many bytes has no lines. */
const LONGEST_UNBROKEN = 16 * 1_048_576;
const LINE_FEED = 0x0a;

/**
 * Cuts a file on line boundaries while it streams by, and refuses whole files that cannot be what they are said to be.
 * Feed every block in order, then `finish()`; `result()` answers after that. Throws FILE_EMPTY, FILE_NO_RECORDS, FILE_WRONG_ENCODING,
 * FILE_HEADER_WRONG, FILE_NOT_LINES, all with the file's name.
 */
export class FileCutter {
  private readonly slices: FileSlice[] = [];
  private offset = 0;
  private line = 1;
  private pending: Buffer[] = [];
  private pendingBytes = 0;
  private records = 0;
  /** Lines beyond ASCII so far, all of them of the wrong kind. */
  private wrongKind = 0;
  /** A line of the right kind was met, which settles it. */
  private encodingSeen = false;
  private slice: { start: number; firstLine: number; lines: number; hash: Hash };

  constructor(
    private readonly name: string,
    private readonly format: SettlementFormat,
    private readonly limits: CutLimits = CUT_LIMITS,
  ) {
    this.slice = this.openSlice(0);
  }

  add(block: Buffer): void {
    let from = 0;
    for (let feed = block.indexOf(LINE_FEED); feed >= 0; feed = block.indexOf(LINE_FEED, from)) {
      const part = block.subarray(from, feed + 1);
      this.endLine(this.pendingBytes === 0 ? part : Buffer.concat([...this.pending, part]));
      this.pending = [];
      this.pendingBytes = 0;
      from = feed + 1;
    }
    if (from === block.length) return;
    this.pending.push(Buffer.from(block.subarray(from)));
    this.pendingBytes += block.length - from;
    if (this.pendingBytes > LONGEST_UNBROKEN) throw new AppError('FILE_NOT_LINES', { name: this.name });
  }

  finish(): void {
    if (this.pendingBytes > 0) this.endLine(Buffer.concat(this.pending));
    if (this.offset === 0) throw new AppError('FILE_EMPTY', { name: this.name });
    if (this.records === 0) throw new AppError('FILE_NO_RECORDS', { name: this.name });
    this.checkEncoding();
    this.closeSlice();
  }

  result(): CutFile {
    return { bytes: this.offset, lines: this.slices.reduce((sum, slice) => sum + slice.lines, 0), slices: this.slices };
  }

  /** `line` with its line feed, where it has one. */
  private endLine(line: Buffer): void {
    if (this.line === 1) this.checkMark(line);
    const { headerLine } = FORMAT_RULES[this.format];
    if (this.line === 1 && headerLine !== undefined) return this.takeHeader(line, headerLine);
    if (!this.encodingSeen) this.lookAtEncoding(line);
    if (line.length > 2 || (line[0] !== LINE_FEED && line[0] !== 0x0d)) this.records++;
    this.slice.hash.update(line);
    this.slice.lines++;
    this.line++;
    this.offset += line.length;
    if (this.slice.lines >= this.limits.linesPerSlice || this.offset - this.slice.start >= this.limits.bytesPerSlice) this.closeSlice();
  }

  private takeHeader(line: Buffer, header: Uint8Array): void {
    const text = line.subarray(0, line.length - (line.at(-1) === LINE_FEED ? (line.at(-2) === 0x0d ? 2 : 1) : 0));
    if (text.compare(header) !== 0) {
      if (firstNotAscii(line) !== undefined && firstNotUtf8(line) === undefined) throw this.wrongEncoding('UTF-8');
      throw new AppError('FILE_HEADER_WRONG', { name: this.name });
    }
    this.line++;
    this.offset += line.length;
    this.slice = this.openSlice(this.offset);
  }

  /** A byte order mark tells an encoding outright: UTF-16 is neither of ours, and a marked UTF-8 file is not GB18030. */
  private checkMark(line: Buffer): void {
    const mark = line.subarray(0, 3).toString('hex');
    if (mark.startsWith('fffe') || mark.startsWith('feff')) throw this.wrongEncoding('UTF-16');
    if (mark === 'efbbbf' && this.format !== 'ndjson') throw this.wrongEncoding('UTF-8');
  }

  /**
   * The usual mistake is a whole file in the other encoding. One GB18030 line can look like UTF-8 by accident (and a
   * damaged line like neither), so only files in which *every* line beyond ASCII is of the other kind are refused.
   */
  private lookAtEncoding(line: Buffer): void {
    if (firstNotAscii(line) === undefined) return;
    const looksUtf8 = firstNotUtf8(line) === undefined;
    if (looksUtf8 === (FORMAT_RULES[this.format].encoding === 'UTF-8')) this.encodingSeen = true;
    else this.wrongKind++;
  }

  private checkEncoding(): void {
    if (this.encodingSeen || this.wrongKind === 0) return;
    if (FORMAT_RULES[this.format].encoding === 'GB18030') throw this.wrongEncoding('UTF-8');
    // A single line that is no UTF-8 may as well be a damaged one; it is rejected by itself.
    if (this.wrongKind > 1) throw this.wrongEncoding('GB18030 ?');
  }

  private wrongEncoding(found: string): AppError {
    return new AppError('FILE_WRONG_ENCODING', { name: this.name, expected: FORMAT_RULES[this.format].encoding, found });
  }

  private closeSlice(): void {
    const { start, firstLine, lines, hash } = this.slice;
    if (lines > 0) this.slices.push({ firstLine, lines, byteStart: start, byteEnd: this.offset, digest: hash.digest('hex').toUpperCase() });
    this.slice = this.openSlice(this.offset);
  }

  private openSlice(start: number): FileCutter['slice'] {
    return { start, firstLine: this.line, lines: 0, hash: createHash('sha256') };
  }
}
