import { describe, expect, it } from '@jest/globals';
import { chooseDevice, piecesOf } from './choice.js';
import { TokenBucket } from './token-bucket.js';

const candidates = (...outstanding: number[]): { device: string; outstanding: number }[] => outstanding.map((each, i) => ({ device: `d${i}`, outstanding: each }));

describe('the choice of a device', () => {
  it('takes the one with the least to do', () => {
    for (let turn = 0; turn < 7; turn++) expect(chooseDevice(candidates(3, 1, 2), turn)?.device).toBe('d1');
  });
  it('takes turns among equals', () => expect([0, 1, 2, 3].map((turn) => chooseDevice(candidates(0, 0, 0), turn)?.device)).toEqual(['d0', 'd1', 'd2', 'd0']));
  it('takes none of none', () => expect(chooseDevice([], 5)).toBeUndefined());
  it.each([[1, 5, 1], [127, 5, 1], [128, 5, 2], [1000, 5, 5], [1000, 0, 1]])('%i items for %i devices are %i pieces', (items, devices, pieces) => expect(piecesOf(items, devices)).toBe(pieces));
});

describe('the token bucket', () => {
  it('gives a second’s worth at once and the rest at its rate', () => {
    const bucket = new TokenBucket(100, 0);
    expect([bucket.take(100, 0), bucket.take(10, 0), bucket.take(10, 99), bucket.take(10, 100)]).toEqual([0, 100, 1, 0]);
  });
  it('lets a larger batch pass when it is full, and makes up for it', () => {
    const bucket = new TokenBucket(100, 0);
    expect([bucket.take(300, 0), bucket.take(1, 1000), bucket.take(1, 2010)]).toEqual([0, 1010, 0]);
  });
  it('does not save up', () => {
    const bucket = new TokenBucket(100, 0);
    expect([bucket.take(100, 60_000), bucket.take(1, 60_000)]).toEqual([0, 10]);
  });
  it('of rate 0 holds nobody back', () => expect(new TokenBucket(0, 0).take(1_000_000, 0)).toBe(0));
});
