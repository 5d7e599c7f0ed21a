import { createHash } from 'node:crypto';
import { closeSync, lstatSync, mkdirSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { AppError, canonicalJson, type JsonValue } from '#libs/platform/domain';
import { writeFileAtomic } from '#libs/platform/host';
import type { Link } from './domain/chain.js';
import { type Digests, digestsOfBytes } from './domain/digests.js';
import type { EvidenceFile, SignedApproval } from './domain/event.js';
import { type BundleFile, type Manifest, manifestOf } from './domain/manifest.js';
import type { CeremonyState } from './domain/state.js';
import { subtitles } from './domain/subtitles.js';
import type { Bundle } from './verify/bundle.js';
import { REHEARSAL_FILE, SCRIPT_FILE, TRANSCRIPT_FILE } from './file-transcript-store.js';

export const MANIFEST_FILE = 'manifest.json';
export const EVIDENCE_FOLDER = 'files';
/** Read whole; everything else is only counted and digested. */
const READ_WHOLE: ReadonlySet<string> = new Set([TRANSCRIPT_FILE, SCRIPT_FILE, REHEARSAL_FILE, MANIFEST_FILE]);
const LARGEST_READ_BYTES = 256 * 1024 * 1024;

/** A photo, scan or other file for the bundle: copied into the folder, and what `evidenceAdded` is to say of it. */
export function keepEvidence(folder: string, { name, kind, bytes }: { readonly name: string; readonly kind: EvidenceFile['kind']; readonly bytes: Uint8Array }): EvidenceFile {
  mkdirSync(join(folder, EVIDENCE_FOLDER), { recursive: true });
  writeFileAtomic(join(folder, EVIDENCE_FOLDER, name), bytes);
  return { name, kind, bytes: bytes.length, ...digestsOfBytes(bytes) };
}

/** Writes the subtitles of a closed ceremony and gives the manifest to be signed. */
export function prepareBundle(folder: string, state: CeremonyState, links: readonly Link[]): Manifest {
  if (state.phase !== 'closed') throw new AppError('CEREMONY_BUNDLE_INVALID', { reason: 'the ceremony is not closed' });
  for (const recording of state.recordings) writeFileAtomic(join(folder, `${recording.video}.srt`), subtitles(state, links, recording));
  return manifestOf(state, listFiles(folder).filter(({ path }) => path !== MANIFEST_FILE));
}

export function signBundle(folder: string, manifest: Manifest, approvals: readonly SignedApproval[]): void {
  writeFileAtomic(join(folder, MANIFEST_FILE), canonicalJson({ manifest, approvals } as unknown as JsonValue));
}

/** A bundle as the verifier takes it. Throws CEREMONY_BUNDLE_INVALID for what no bundle holds. */
export function readBundle(folder: string): Bundle {
  const files = listFiles(folder);
  return { files, contents: new Map(files.filter(({ path, bytes }) => READ_WHOLE.has(path) && bytes <= LARGEST_READ_BYTES).map(({ path }) => [path, readFileSync(join(folder, path))])) };
}

function listFiles(folder: string): BundleFile[] {
  try {
    return walk(folder, '');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EACCES') throw new AppError('CEREMONY_BUNDLE_INVALID', { reason: `${folder}: ${code}` }, { cause: error });
    throw error;
  }
}

/** Files below a folder by their path; the store's lock is none of the bundle. */
function walk(folder: string, below: string): BundleFile[] {
  return readdirSync(join(folder, below)).sort().flatMap((name): BundleFile[] => {
    const path = below === '' ? name : `${below}/${name}`;
    if (path === '.lock') return [];
    const found = lstatSync(join(folder, path));
    if (found.isDirectory()) return walk(folder, path);
    if (!found.isFile()) throw new AppError('CEREMONY_BUNDLE_INVALID', { reason: `${path} is no plain file` });
    return [{ path, bytes: found.size, ...digestsOfFile(join(folder, path)) }];
  });
}

/** Piece by piece: scans and recordings are larger than memory likes. */
function digestsOfFile(path: string): Digests {
  const [sha256, sm3] = [createHash('sha256'), createHash('sm3')];
  const piece = Buffer.alloc(1024 * 1024);
  const fd = openSync(path, 'r');
  try {
    for (let read = readSync(fd, piece); read > 0; read = readSync(fd, piece)) {
      sha256.update(piece.subarray(0, read));
      sm3.update(piece.subarray(0, read));
    }
  } finally {
    closeSync(fd);
  }
  return { sha256: sha256.digest('hex').toUpperCase(), sm3: sm3.digest('hex').toUpperCase() };
}
