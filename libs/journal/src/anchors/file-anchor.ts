import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { Anchor } from './anchor.js';

const NEWLINE = 0x0a;

/** One line a head, synced to the disk before the push counts. A line that a power cut left unfinished is ended first, never touched. */
export class FileAnchor extends Anchor {
  constructor(
    override readonly name: string,
    private readonly path: string,
  ) {
    super();
  }

  override async push(lines: readonly string[]): Promise<void> {
    // Opened for each push: the mount of another host may have come and gone. Synchronous by its flag (O_SYNC): a fenced process has
    // no fsync.
    const file = openSync(this.path, 'as+', 0o640);
    try {
      const { size } = fstatSync(file);
      const last = Buffer.alloc(1);
      const torn = size > 0 && readSync(file, last, 0, 1, size - 1) === 1 && last[0] !== NEWLINE;
      const bytes = Buffer.from(`${torn ? '\n' : ''}${lines.join('\n')}\n`, 'utf8');
      for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
    } finally {
      closeSync(file);
    }
  }

  override async close(): Promise<void> {
    // Nothing stays open between pushes.
  }
}
