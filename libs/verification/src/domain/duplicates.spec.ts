import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { bucketCount, bucketOf, findDuplicates, SPILL_BYTES, type Spilled, transactionKey, writeSpilled } from './duplicates.js';

function spill(entries: readonly Spilled[]): Buffer {
  const bytes = Buffer.alloc(entries.length * SPILL_BYTES);
  for (const [i, entry] of entries.entries()) writeSpilled(bytes, i * SPILL_BYTES, transactionKey(entry.txId), entry);
  return bytes;
}

const entry = (txId: string, receivedAtMs: number, fileNo: number, line: number): Spilled => ({ txId, receivedAtMs, fileNo, line });

describe('findDuplicates', () => {
  it('keeps the one received first, by file and line where two were received at once', () => {
    expect(findDuplicates(spill([entry('a', 5, 0, 1), entry('b', 5, 0, 2), entry('a', 4, 1, 9), entry('a', 6, 2, 1)]))).toEqual([{ fileNo: 0, line: 1 }, { fileNo: 2, line: 1 }]);
    expect(findDuplicates(spill([entry('a', 5, 1, 1), entry('a', 5, 0, 7), entry('a', 5, 0, 300)]))).toEqual([{ fileNo: 0, line: 300 }, { fileNo: 1, line: 1 }]);
    expect(findDuplicates(Buffer.alloc(0))).toEqual([]);
  });

  it('agrees with sorting, in whatever order the entries come', () => {
    const entries = fc.uniqueArray(fc.record({ txId: fc.constantFrom('a', 'b', 'c', 'd'), receivedAtMs: fc.nat(3), fileNo: fc.nat(3), line: fc.nat(300) }), {
      selector: ({ fileNo, line }) => `${fileNo}:${line}`,
    });
    fc.assert(
      fc.property(entries, (list) => {
        const sorted = [...list].sort((a, b) => a.receivedAtMs - b.receivedAtMs || a.fileNo - b.fileNo || a.line - b.line);
        const seen = new Set<string>();
        const expected = sorted.filter(({ txId }) => seen.has(txId) || !seen.add(txId)).map(({ fileNo, line }) => ({ fileNo, line }));
        expect(findDuplicates(spill(list))).toEqual(expected.sort((a, b) => a.fileNo - b.fileNo || a.line - b.line));
      }),
    );
  });

  it('puts one transaction into one bucket, all buckets in use', () => {
    const used = new Set(Array.from({ length: 500 }, (_, i) => bucketOf(transactionKey(`S${i}`), 8)));
    expect([...used].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect([1, 65_536, 131_072, 131_073, 10_000_000].map(bucketCount)).toEqual([2, 2, 2, 4, 256]);
  });
});
