import { createHash } from 'node:crypto';
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from '@jest/globals';
import { digestOf, type EvidenceStore, FolderEvidenceStore } from './evidence-store.js';

const root = mkdtempSync(join(tmpdir(), 'hufu-evidence-'));
let folder = '';
let store: EvidenceStore;
let count = 0;

beforeEach(async () => {
  folder = join(root, String(count++));
  store = await FolderEvidenceStore.open(folder, Date.now());
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const files = (): string[] => readdirSync(folder, { recursive: true, withFileTypes: true }).filter((each) => each.isFile()).map((each) => each.name);
const pathOf = (digest: string): string => join(folder, digest.slice(0, 2), digest.slice(2));

describe('FolderEvidenceStore', () => {
  it('keeps bytes under their digest, read-only, and gives them back whole or in part', async () => {
    const blocks = [Buffer.from('hello '), Buffer.from('world')];
    const kept = await store.keep(blocks);
    expect(kept).toEqual({ digest: createHash('sha256').update('hello world').digest('hex').toUpperCase(), bytes: 11 });
    expect((await store.read(kept.digest)).toString()).toBe('hello world');
    expect((await store.read(kept.digest, { start: 6, end: 9 })).toString()).toBe('wor');
    expect(await store.size(kept.digest)).toBe(11);
    expect(statSync(pathOf(kept.digest)).mode & 0o777).toBe(0o400);
    expect(await store.keep([Buffer.from('hello world')])).toEqual(kept);
    expect(files()).toHaveLength(1);
  });

  it('leaves nothing when the source or the disk gives up', async () => {
    async function* failing(error: Error): AsyncIterable<Uint8Array> {
      yield Buffer.alloc(100_000);
      throw error;
    }
    await expect(store.keep(failing(new Error('cut')))).rejects.toThrow('cut');
    await expect(store.keep(failing(Object.assign(new Error('full'), { code: 'ENOSPC' })))).rejects.toMatchObject({ code: 'DISK_FULL', details: { path: folder } });
    expect(files()).toEqual([]);
  });

  it('says what is missing and what is damaged, and heals what is handed in again', async () => {
    const bytes = Buffer.from('evidence');
    const { digest } = await store.keep([bytes]);
    await expect(store.read('A'.repeat(64))).rejects.toMatchObject({ code: 'EVIDENCE_MISSING' });
    await expect(store.read('../../etc/passwd')).rejects.toMatchObject({ code: 'EVIDENCE_MISSING' });
    await expect(store.read(digest, { start: 0, end: 99 })).rejects.toMatchObject({ code: 'EVIDENCE_DAMAGED' });
    chmodSync(pathOf(digest), 0o600);
    writeFileSync(pathOf(digest), 'Evidence');
    await expect(store.read(digest)).rejects.toMatchObject({ code: 'EVIDENCE_DAMAGED', details: { digest } });
    await store.keep([bytes]);
    expect(digestOf(await store.read(digest))).toBe(digest);
  });

  it('sweeps what a dead process left behind, but not what another one is writing', async () => {
    const incoming = join(folder, 'incoming');
    for (const name of ['old', 'new']) writeFileSync(join(incoming, name), 'x');
    const yesterday = new Date(Date.now() - 25 * 3_600_000);
    utimesSync(join(incoming, 'old'), yesterday, yesterday);
    await FolderEvidenceStore.open(folder, Date.now());
    expect(readdirSync(incoming)).toEqual(['new']);
  });
});
