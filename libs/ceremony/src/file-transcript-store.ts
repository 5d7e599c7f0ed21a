import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { AppError, canonicalJson, type JsonValue } from '#libs/platform/domain';
import { diskError, syncFolder, writeFileAtomic } from '#libs/platform/host';
import type { Link } from './domain/chain.js';
import { parseScript, type Script } from './domain/script.js';
import { readTranscript, transcriptBytes } from './transcript-file.js';
import { type Stored, TranscriptStore } from './transcript-store.js';

export const TRANSCRIPT_FILE = 'transcript.jsonl';
export const SCRIPT_FILE = 'script.json';
export const REHEARSAL_FILE = 'rehearsal.jsonl';
const LOCK_FILE = '.lock';

/**
 * A folder: the script, one line an event, synced before the event counts. Killed at any byte, it goes on after the last whole line: what is
 * behind that was never answered to anybody and is cut off. A line that is whole and wrong was changed, and is refused.
 */
export class FileTranscriptStore extends TranscriptStore {
  private size = 0;

  private constructor(
    readonly folder: string,
    private readonly lock: number,
    private readonly transcript: number,
  ) {
    super();
  }

  /** Throws CEREMONY_LOCKED while another program has the folder open; the lock is the kernel's and goes with its process. */
  static open(folder: string): FileTranscriptStore {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const lock = lockFile(folder);
    const transcript = openSync(join(folder, TRANSCRIPT_FILE), existsSync(join(folder, TRANSCRIPT_FILE)) ? 'r+' : 'wx+', 0o600);
    sweep(folder);
    syncFolder(folder);
    return new FileTranscriptStore(folder, lock, transcript);
  }

  override async load(): Promise<Stored | undefined> {
    const { links, wholeBytes } = readTranscript(readFileSync(join(this.folder, TRANSCRIPT_FILE)));
    ftruncateSync(this.transcript, wholeBytes);
    fsyncSync(this.transcript);
    this.size = wholeBytes;
    const script = join(this.folder, SCRIPT_FILE);
    if (!existsSync(script)) {
      if (links.length > 0) throw new AppError('CEREMONY_BUNDLE_INVALID', { reason: `${SCRIPT_FILE} is missing` });
      return undefined;
    }
    const rehearsal = join(this.folder, REHEARSAL_FILE);
    return { script: parseScript(JSON.parse(readFileSync(script, 'utf8')), script), links, rehearsal: existsSync(rehearsal) ? readTranscript(readFileSync(rehearsal)).links : undefined };
  }

  override async begin(script: Script, rehearsal?: readonly Link[]): Promise<void> {
    if (this.size > 0) throw new AppError('CEREMONY_ALREADY_DONE', { what: this.folder });
    if (rehearsal !== undefined) writeFileAtomic(join(this.folder, REHEARSAL_FILE), transcriptBytes(rehearsal));
    writeFileAtomic(join(this.folder, SCRIPT_FILE), canonicalJson(script as unknown as JsonValue));
  }

  override async append(link: Link): Promise<void> {
    const bytes = transcriptBytes([link]);
    try {
      for (let done = 0; done < bytes.length; ) done += writeSync(this.transcript, bytes, done, bytes.length - done, this.size + done);
      fsyncSync(this.transcript);
    } catch (error) {
      ftruncateSync(this.transcript, this.size);
      throw diskError(error, this.folder);
    }
    this.size += bytes.length;
  }

  override async close(): Promise<void> {
    closeSync(this.transcript);
    closeSync(this.lock);
  }
}

/** Files that a killed writer left half-written belong to nobody, and no bundle may hold them. */
function sweep(folder: string): void {
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) if (/\.\d+\.part$/.test(name)) rmSync(join(folder, name));
}

/** flock(2) by flock(1), since Node has none; what the file says is for people. */
function lockFile(folder: string): number {
  const file = join(folder, LOCK_FILE);
  const fd = openSync(file, 'a+', 0o600);
  const taken = spawnSync('flock', ['--nonblock', '3'], { stdio: ['ignore', 'ignore', 'ignore', fd] });
  if (taken.status !== 0) {
    closeSync(fd);
    if (taken.error !== undefined) throw new AppError('TOOL_MISSING', { tool: 'flock', package: 'util-linux' }, { cause: taken.error });
    throw new AppError('CEREMONY_LOCKED', { folder, pid: readFileSync(file, 'utf8').trim() || '?' });
  }
  ftruncateSync(fd);
  writeSync(fd, `${process.pid}\n`);
  return fd;
}
