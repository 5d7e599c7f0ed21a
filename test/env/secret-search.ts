import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { toHex } from '#libs/platform/domain';

/** Where a secret was seen, and written how. */
export interface Hit {
  readonly secret: string;
  readonly form: string;
  readonly where: string;
}

interface Needle {
  readonly bytes: Uint8Array;
  readonly secret: string;
  readonly form: string;
}

const CHUNK = 16 * 1024 * 1024;
const PREFIX_BITS = 24;

/**
 * Looks for secrets of 8 bytes and more in many gigabytes at once: raw, raw backwards (a big number's limbs), hex in both cases,
 * Base64 in its three alignments and both alphabets. The first three bytes of every needle stand in a bitmap, so that nearly
 * every place costs one look.
 */
export class SecretSearch {
  readonly #bitmap = new Uint8Array(2 ** (PREFIX_BITS - 3));
  readonly #buckets = new Map<number, Needle[]>();
  #longest = 0;
  /** One for all: a process has hundreds of mappings. */
  readonly #buffer: Buffer;

  constructor(secrets: Iterable<readonly [name: string, bytes: Uint8Array]>) {
    for (const [secret, bytes] of secrets) {
      for (const [form, written] of formsOf(bytes)) this.#add({ bytes: written, secret, form });
    }
    this.#buffer = Buffer.alloc(CHUNK + this.#longest);
  }

  /** In a file, piece by piece. */
  inFile(path: string): Hit[] {
    const file = openSync(path, 'r');
    try {
      return this.#inPieces(path, 0, Number.POSITIVE_INFINITY, (buffer, from) => readSync(file, buffer, 0, buffer.length, from));
    } finally {
      closeSync(file);
    }
  }

  /** In every file of a folder tree; `skip` is asked with each path. */
  inFolder(folder: string, skip: (path: string) => boolean = () => false): Hit[] {
    return readdirSync(folder).flatMap((name) => {
      const path = join(folder, name);
      if (skip(path)) return [];
      const stat = statSync(path, { throwIfNoEntry: false });
      if (stat?.isDirectory() === true) return this.inFolder(path, skip);
      return stat?.isFile() === true ? this.inFile(path) : [];
    });
  }

  /** In all that a process can read of its own memory; undefined when it has ended. What is mapped from an unchanged file counts once for all processes: `seen`. */
  inProcess(pid: number, seen: Set<string>): Hit[] | undefined {
    const maps = readableMaps(pid, seen);
    if (maps === undefined) return undefined;
    const memory = openSync(`/proc/${pid}/mem`, 'r');
    try {
      return maps.flatMap(({ from, to, name }) =>
        this.#inPieces(`${pid} ${name}`, from, to, (buffer, at) => {
          try {
            return readSync(memory, buffer, 0, Math.min(buffer.length, to - at), at);
          } catch {
            // [vvar], a device, or a mapping that went away: nothing that the process itself could read.
            return 0;
          }
        }),
      );
    } finally {
      closeSync(memory);
    }
  }

  #add(needle: Needle): void {
    const [a, b, c] = needle.bytes as unknown as [number, number, number];
    const prefix = (a << 16) | (b << 8) | c;
    const byte = prefix >> 3;
    this.#bitmap[byte] = (this.#bitmap[byte] as number) | (1 << (prefix & 7));
    const bucket = this.#buckets.get(prefix);
    if (bucket === undefined) this.#buckets.set(prefix, [needle]);
    else bucket.push(needle);
    this.#longest = Math.max(this.#longest, needle.bytes.length);
  }

  #inPieces(where: string, from: number, to: number, read: (buffer: Uint8Array, at: number) => number): Hit[] {
    const hits = new Map<string, Hit>();
    const buffer = this.#buffer;
    let kept = 0;
    for (let at = from; at < to; ) {
      const count = read(buffer.subarray(kept, kept + CHUNK), at);
      if (count <= 0) break;
      at += count;
      for (const hit of this.#inBuffer(buffer.subarray(0, kept + count), where)) hits.set(`${hit.secret} ${hit.form}`, hit);
      const keep = Math.min(kept + count, this.#longest - 1);
      buffer.copyWithin(0, kept + count - keep, kept + count);
      kept = keep;
    }
    return [...hits.values()];
  }

  #inBuffer(buffer: Uint8Array, where: string): Hit[] {
    const hits: Hit[] = [];
    const bitmap = this.#bitmap;
    let prefix = ((buffer[0] ?? 0) << 8) | (buffer[1] ?? 0);
    for (let i = 2; i < buffer.length; i++) {
      prefix = ((prefix << 8) | (buffer[i] as number)) & 0xffffff;
      if (((bitmap[prefix >> 3] as number) & (1 << (prefix & 7))) === 0) continue;
      for (const { bytes, secret, form } of this.#buckets.get(prefix) ?? []) {
        if (startsAt(buffer, bytes, i - 2)) hits.push({ secret, form, where });
      }
    }
    return hits;
  }
}

function startsAt(buffer: Uint8Array, needle: Uint8Array, at: number): boolean {
  if (at + needle.length > buffer.length) return false;
  for (let i = needle.length - 1; i >= 3; i--) if (buffer[at + i] !== needle[i]) return false;
  return true;
}

function formsOf(bytes: Uint8Array): [form: string, written: Uint8Array][] {
  const hex = toHex(bytes);
  const forms: [string, string | Uint8Array][] = [['raw', bytes], ['backwards', bytes.toReversed()], ['HEX', hex], ['hex', hex.toLowerCase()]];
  for (const before of [0, 1, 2]) {
    const text = Buffer.concat([Buffer.alloc(before), bytes, Buffer.alloc(2)]).toString('base64');
    // Only the characters that hold nothing of what stands before and after.
    const own = text.slice(Math.ceil((8 * before) / 6), Math.floor((8 * (before + bytes.length)) / 6));
    forms.push([`base64+${before}`, own]);
    if (/[+/]/.test(own)) forms.push([`base64url+${before}`, own.replaceAll('+', '-').replaceAll('/', '_')]);
  }
  return forms.map(([form, written]) => [form, typeof written === 'string' ? Buffer.from(written) : written]);
}

/** By /proc/PID/maps (proc(5)): address range, permissions, what it maps. */
function readableMaps(pid: number, seen: Set<string>): { from: number; to: number; name: string }[] | undefined {
  const maps = mapsOf(pid);
  return maps?.split('\n').flatMap((line) => {
    const parts = /^([0-9a-f]+)-([0-9a-f]+) (\S{4}) (\S+) (\S+) (\d+) *(.*)$/.exec(line);
    if (parts === null) return [];
    const [, from = '', to = '', rights = '', offset = '', device = '', inode = '', name = ''] = parts;
    if (!rights.startsWith('r')) return [];
    // The program's own code, and what processes share: the same bytes for all of them.
    const once = inode !== '0' && (!rights.includes('w') || rights.endsWith('s')) ? `${device} ${inode} ${offset} ${from}-${to}` : undefined;
    if (once !== undefined && seen.has(once)) return [];
    if (once !== undefined) seen.add(once);
    return [{ from: Number.parseInt(from, 16), to: Number.parseInt(to, 16), name: `${name} ${rights}` }];
  });
}

/** Undefined when the process has ended: a zombie has no mappings. */
function mapsOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/maps`, 'utf8') || undefined;
  } catch {
    return undefined;
  }
}
