import { describe, expect, it } from '@jest/globals';
import { Lanes } from './lanes.js';

const filled = (most: number, online: number, batch: number): Lanes<string> => {
  const lanes = new Lanes<string>(most);
  for (let i = 0; i < batch; i++) lanes.add(`batch${i}`, false);
  for (let i = 0; i < online; i++) lanes.add(`online${i}`, true);
  return lanes;
};
const started = (lanes: Lanes<string>): string[] => {
  const items: string[] = [];
  for (let next = lanes.next(); next !== undefined; next = lanes.next()) items.push(next.item);
  return items;
};

describe('two lanes', () => {
  it.each([[1, 1], [2, 1], [3, 2], [8, 5], [10, 7], [18, 12]])('of %i in flight, batch work holds %i at most', (most, batchMost) => {
    expect(started(filled(most, 0, 40))).toHaveLength(batchMost);
  });
  it('give online work everything', () => expect(started(filled(10, 40, 40)).filter((item) => item.startsWith('online'))).toHaveLength(10));
  it('let online work pass what waits, and fill the rest with batch work in order', () => {
    expect(started(filled(10, 2, 20))).toEqual(['online0', 'online1', 'batch0', 'batch1', 'batch2', 'batch3', 'batch4', 'batch5', 'batch6']);
  });
  it('go on when something has ended', () => {
    const lanes = filled(2, 0, 3);
    expect(started(lanes)).toEqual(['batch0']);
    lanes.add('online', true);
    expect(started(lanes)).toEqual(['online']);
    lanes.ended(true);
    expect(started(lanes)).toEqual([]);
    lanes.ended(false);
    expect(started(lanes)).toEqual(['batch1']);
    expect([lanes.running, lanes.waiting]).toEqual([1, 1]);
  });
  it('put back what could not start, at the front', () => {
    const lanes = filled(1, 2, 0);
    const first = lanes.next() as { item: string; online: boolean };
    lanes.putBack(first.item, first.online);
    expect(lanes.next()?.item).toBe('online0');
  });
  it('drain everything and hold nothing', () => {
    const lanes = filled(2, 2, 2);
    lanes.next();
    expect(lanes.drain()).toEqual(['online1', 'batch0', 'batch1']);
    expect([lanes.running, lanes.waiting]).toEqual([0, 0]);
  });
});
