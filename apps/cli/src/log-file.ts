import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

const TAIL_BYTES = 16_384;

/** The last lines of a log, for a message to a person; empty when there is none. */
export function lastLines(file: string, lines: number): string {
  return readFrom(file, -TAIL_BYTES).trimEnd().split('\n').slice(-lines).join('\n');
}

/** Text of a file from `offset` to its end; a negative offset counts from the end. */
export function readFrom(file: string, offset: number): string {
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch {
    return '';
  }
  try {
    const size = fstatSync(fd).size;
    const start = offset < 0 ? Math.max(0, size + offset) : Math.min(offset, size);
    const bytes = Buffer.alloc(size - start);
    return bytes.toString('utf8', 0, readSync(fd, bytes, 0, bytes.length, start));
  } finally {
    closeSync(fd);
  }
}

export function fileSize(file: string): number {
  try {
    const fd = openSync(file, 'r');
    try {
      return fstatSync(fd).size;
    } finally {
      closeSync(fd);
    }
  } catch {
    return 0;
  }
}
