import { createHash, randomUUID } from 'node:crypto';
import { type FileHandle, chmod, link, mkdir, open, readdir, rm, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, diskError } from '#libs/platform';

/** Kept bytes by their name: SHA-256, hex, upper case. */
export interface Evidence {
  readonly digest: string;
  readonly bytes: number;
}

/** Exclusive end, as in `subarray`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** Where received files, snapshots and results are kept, each under the digest of its bytes. Written once, never changed. */
export abstract class EvidenceStore {
  /**
   * Keeps a stream and answers only when the bytes are on disk. Throws DISK_FULL; whatever is thrown, by the store or by
   * the stream, nothing half-written is left under any digest.
   */
  abstract keep(blocks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<Evidence>;

  /**
   * The whole bytes, checked against their digest, or a part of them, which its reader checks. Throws EVIDENCE_MISSING or
   * EVIDENCE_DAMAGED.
   */
  abstract read(digest: string, range?: ByteRange): Promise<Buffer>;

  /** Blocks in order, for bytes that do not fit into memory; not checked. Throws EVIDENCE_MISSING. */
  abstract stream(digest: string): AsyncIterable<Buffer>;

  abstract size(digest: string): Promise<number>;
}

const DIGEST = /^[0-9A-F]{64}$/;
const BLOCK_BYTES = 1_048_576;
/** An `incoming` file of a process that died is swept when it is older than this. */
const ABANDONED_MS = 24 * 3_600_000;

/**
 * Evidence in a folder: `ab/cdef…`, read-only files. A file appears under its digest by link(2), which never replaces
 * one that is there, after its bytes and before its folder entry were synced.
 */
export class FolderEvidenceStore extends EvidenceStore {
  private constructor(private readonly folder: string) {
    super();
  }

  static async open(folder: string, nowMs: number): Promise<FolderEvidenceStore> {
    const store = new FolderEvidenceStore(folder);
    await mkdir(store.incoming, { recursive: true, mode: 0o700 });
    for (const name of await readdir(store.incoming)) {
      const path = join(store.incoming, name);
      const found = await stat(path).catch(() => undefined);
      if (found !== undefined && nowMs - found.mtimeMs > ABANDONED_MS) await rm(path, { force: true });
    }
    return store;
  }

  /** For threads of a process that has opened the store already. */
  static reuse(folder: string): FolderEvidenceStore {
    return new FolderEvidenceStore(folder);
  }

  override async keep(blocks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<Evidence> {
    const temporary = join(this.incoming, randomUUID());
    const hash = createHash('sha256');
    let bytes = 0;
    try {
      const file = await open(temporary, 'wx', 0o600);
      try {
        for await (const block of blocks) {
          hash.update(block);
          bytes += block.length;
          await writeAll(file, block);
        }
        await file.sync();
      } finally {
        await file.close();
      }
      const digest = hash.digest('hex').toUpperCase();
      await this.publish(temporary, digest);
      return { digest, bytes };
    } catch (error) {
      throw diskError(error, this.folder);
    } finally {
      await rm(temporary, { force: true });
    }
  }

  override async read(digest: string, range?: ByteRange): Promise<Buffer> {
    const file = await this.openFile(digest);
    try {
      const { start, end } = range ?? { start: 0, end: (await file.stat()).size };
      const bytes = Buffer.allocUnsafe(end - start);
      for (let filled = 0; filled < bytes.length; ) {
        const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, start + filled);
        if (bytesRead === 0) throw new AppError('EVIDENCE_DAMAGED', { digest });
        filled += bytesRead;
      }
      if (range === undefined && digestOf(bytes) !== digest) throw new AppError('EVIDENCE_DAMAGED', { digest });
      return bytes;
    } finally {
      await file.close();
    }
  }

  override async *stream(digest: string): AsyncIterable<Buffer> {
    const file = await this.openFile(digest);
    try {
      for (let at = 0; ; ) {
        const block = Buffer.allocUnsafe(BLOCK_BYTES);
        const { bytesRead } = await file.read(block, 0, BLOCK_BYTES, at);
        if (bytesRead === 0) return;
        at += bytesRead;
        yield block.subarray(0, bytesRead);
      }
    } finally {
      await file.close();
    }
  }

  override async size(digest: string): Promise<number> {
    const file = await this.openFile(digest);
    try {
      return (await file.stat()).size;
    } finally {
      await file.close();
    }
  }

  private get incoming(): string {
    return join(this.folder, 'incoming');
  }

  private pathOf(digest: string): { folder: string; path: string } {
    if (!DIGEST.test(digest)) throw new AppError('EVIDENCE_MISSING', { digest });
    const folder = join(this.folder, digest.slice(0, 2));
    return { folder, path: join(folder, digest.slice(2)) };
  }

  private async openFile(digest: string): Promise<FileHandle> {
    try {
      return await open(this.pathOf(digest).path, 'r');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      throw new AppError('EVIDENCE_MISSING', { digest }, { cause: error });
    }
  }

  private async publish(temporary: string, digest: string): Promise<void> {
    const { folder, path } = this.pathOf(digest);
    if ((await mkdir(folder, { recursive: true, mode: 0o700 })) !== undefined) await syncDirectory(this.folder);
    await chmod(temporary, 0o400);
    try {
      await link(temporary, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      // The same digest is the same bytes, unless they rotted: then this fresh copy is the better one.
      if (!(await this.isWhole(digest))) await this.replaceDamaged(temporary, path);
    }
    await unlink(temporary);
    await syncDirectory(folder);
  }

  private async isWhole(digest: string): Promise<boolean> {
    const hash = createHash('sha256');
    for await (const block of this.stream(digest)) hash.update(block);
    return hash.digest('hex').toUpperCase() === digest;
  }

  private async replaceDamaged(temporary: string, path: string): Promise<void> {
    await rm(path);
    await link(temporary, path);
  }
}

export function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex').toUpperCase();
}

async function writeAll(file: FileHandle, block: Uint8Array): Promise<void> {
  for (let written = 0; written < block.length; ) written += (await file.write(block, written)).bytesWritten;
}

async function syncDirectory(folder: string): Promise<void> {
  const file = await open(folder, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
