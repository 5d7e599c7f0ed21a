import { describe, expect, it } from '@jest/globals';
import { planBatch } from './batch.js';
import type { LogKey } from './log-key.js';

const key = (keyId: string, fromShard: number): LogKey => ({ keyId, algorithm: 'p256', spki: new Uint8Array(), deviceGroup: 'general', fromShard });
const years = (...list: number[]) => list.map((year) => ({ year }));
const A = key('A', 2026);
const B = key('B', 2026);
const NEXT = key('N', 2027);
const head = (shard: number, keyId: string) => ({ shard, size: 9, sha256Root: '', sm3Root: '', keyId });

describe('the next batch', () => {
  it.each([
    ['nothing staged', years(), head(2026, 'A'), [A], 2026, undefined],
    ['no key', years(2026), undefined, [], 2026, undefined],
    ['the first of all', years(2026, 2026), undefined, [A], 2026, { shard: 2026, key: A, previousKey: undefined, take: 2, logKeyEntry: 'first' }],
    ['recorded before the first key', years(2025, 2026), undefined, [A], 2026, { shard: 2026, key: A, previousKey: undefined, take: 2, logKeyEntry: 'first' }],
    ['in the middle', years(2026), head(2026, 'A'), [A], 2026, { shard: 2026, key: A, previousKey: undefined, take: 1, logKeyEntry: undefined }],
    ['rotation', years(2026, 2026), head(2026, 'A'), [A, B], 2026, { shard: 2026, key: B, previousKey: A, take: 2, logKeyEntry: 'last' }],
    ['a key of next year waits', years(2026), head(2026, 'A'), [A, NEXT], 2026, { shard: 2026, key: A, previousKey: undefined, take: 1, logKeyEntry: undefined }],
    ['up to the new year', years(2026, 2026, 2027), head(2026, 'A'), [A], 2027, { shard: 2026, key: A, previousKey: undefined, take: 2, logKeyEntry: undefined }],
    ['a new year, same key', years(2027, 2027), head(2026, 'A'), [A], 2027, { shard: 2027, key: A, previousKey: undefined, take: 2, logKeyEntry: 'first' }],
    ['a new year, new key', years(2027), head(2026, 'A'), [A, NEXT], 2027, { shard: 2027, key: NEXT, previousKey: A, take: 1, logKeyEntry: 'first' }],
    ['late from the closed year', years(2026, 2027), head(2027, 'N'), [A, NEXT], 2027, { shard: 2027, key: NEXT, previousKey: undefined, take: 2, logKeyEntry: undefined }],
    ['a database clock gone wild', years(2099), head(2026, 'A'), [A], 2026, { shard: 2026, key: A, previousKey: undefined, take: 1, logKeyEntry: undefined }],
    ['a clock that fell back', years(1970), head(2026, 'A'), [A], 1970, { shard: 2026, key: A, previousKey: undefined, take: 1, logKeyEntry: undefined }],
  ] as const)('%s', (_, rows, last, keys, thisYear, plan) => {
    expect(planBatch(rows, last, keys, thisYear)).toEqual(plan);
  });
});
