import { closeSync, existsSync, fdatasync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { AppError } from '#libs/platform/domain';

/**
 * Lines that are on disk before anything is done about them. Several appends that come in at once share one fdatasync. A line
 * that a power cut tore is dropped at the next start: what it stood for was never released.
 */
export class AppendLog {
  readonly #file: number;
  #waiting: { readonly resolve: () => void; readonly reject: (error: Error) => void }[] = [];
  #syncing = false;
  /** After a write that failed nobody knows what is on disk: nothing more is promised until the file was read anew. */
  #broken: Error | undefined;

  /** Opens or makes the file; `each` sees every whole line that stands there. */
  constructor(
    private readonly path: string,
    each: (line: string) => void,
  ) {
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    this.#file = openSync(path, 'a', 0o600);
    if (whole.length < text.length) ftruncateSync(this.#file, Buffer.byteLength(whole));
    for (const line of whole.split('\n')) if (line !== '') each(line);
  }

  /** Resolves when the line is on disk. Rejects when it may not be (disk full), and then for every later line too. */
  append(line: string): Promise<void> {
    try {
      if (this.#broken === undefined) this.#write(Buffer.from(`${line}\n`));
    } catch (error) {
      this.#broken = (error as { code?: string }).code === 'ENOSPC' ? new AppError('DISK_FULL', { path: this.path }, { cause: error }) : (error as Error);
    }
    if (this.#broken !== undefined) return Promise.reject(this.#broken);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#sync();
    });
  }

  close(): void {
    closeSync(this.#file);
  }

  /** A short write (disk full) would glue the next line to a torn one. */
  #write(bytes: Uint8Array): void {
    if (writeSync(this.#file, bytes) !== bytes.length) throw new AppError('DISK_FULL', { path: this.path });
  }

  #sync(): void {
    if (this.#syncing || this.#waiting.length === 0) return;
    this.#syncing = true;
    const covered = this.#waiting.splice(0);
    fdatasync(this.#file, (error) => {
      this.#syncing = false;
      if (error !== null) this.#broken = error;
      for (const { resolve, reject } of covered) if (error === null) resolve(); else reject(error);
      this.#sync();
    });
  }
}
