import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { DedicatedFile } from './files.js';
import type { Persistent } from './memory.js';

/** The chip's memory in a file, so that a card that lost its power wakes up as it was. Written whole, then renamed. */
export function saveChip(path: string, chip: Persistent): void {
  const text = JSON.stringify(chip, (_name, value: unknown) => (isBufferJson(value) ? Buffer.from(value.data).toString('hex') : value));
  writeFileSync(`${path}.part`, text, { mode: 0o600 });
  renameSync(`${path}.part`, path);
}

export function loadChip(path: string): Persistent | undefined {
  if (!existsSync(path)) return undefined;
  const stored = JSON.parse(readFileSync(path, 'utf8')) as StoredChip;
  return {
    chipSerial: Buffer.from(stored.chipSerial, 'hex'),
    masterFile: restored(stored.masterFile),
    applications: stored.applications.map(restored),
  };
}

type Stored<T> = { [K in keyof T]: T[K] extends Buffer ? string : T[K] extends (infer E)[] ? Stored<E>[] : T[K] };
interface StoredChip {
  chipSerial: string;
  masterFile: Stored<DedicatedFile>;
  applications: Stored<DedicatedFile>[];
}

function restored(file: Stored<DedicatedFile>): DedicatedFile {
  return {
    fid: file.fid,
    issued: file.issued,
    name: Buffer.from(file.name, 'hex'),
    keys: file.keys.map((key) => ({ ...key, value: Buffer.from(key.value, 'hex') })),
    files: file.files.map((each) => ({ ...each, content: Buffer.from(each.content, 'hex') })),
  };
}

function isBufferJson(value: unknown): value is { type: 'Buffer'; data: number[] } {
  return typeof value === 'object' && value !== null && (value as { type?: unknown }).type === 'Buffer';
}
