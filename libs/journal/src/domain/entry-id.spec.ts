import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { entryId, type EntryTick, nextTick } from './entry-id.js';

const random = fc.uint8Array({ minLength: 8, maxLength: 8 });
const moment = fc.integer({ min: 0, max: 2 ** 47 });

describe('entry ids (RFC 9562 5.7)', () => {
  it('give the example of the RFC, appendix A.6', () => {
    expect(entryId({ milliseconds: 0x017f22e279b0, count: 0xcc3 }, Buffer.from('18c4dc0c0c07398f', 'hex'))).toBe('017f22e2-79b0-7cc3-98c4-dc0c0c07398f');
  });

  it('are of version 7 and grow with each one, whatever the clock does', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(moment, random), { minLength: 2, maxLength: 50 }), (made) => {
        let tick: EntryTick | undefined;
        const ids = made.map(([at, bytes]) => entryId((tick = nextTick(tick, at)), bytes));
        for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
        expect([...ids].sort()).toEqual(ids);
      }),
    );
  });

  it('go on into the next millisecond when one is full', () => {
    let tick: EntryTick | undefined;
    const ids = Array.from({ length: 10_000 }, () => entryId((tick = nextTick(tick, 5)), new Uint8Array(8)));
    expect(new Set(ids).size).toBe(10_000);
    expect([...ids].sort()).toEqual(ids);
  });
});
