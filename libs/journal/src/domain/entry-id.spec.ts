import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { entryId } from './entry-id.js';

const random = fc.uint8Array({ minLength: 10, maxLength: 10 });
const moment = fc.date({ min: new Date('2000-01-01T00:00:00.000Z'), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true });

describe('entryId (RFC 9562 5.7)', () => {
  it('gives the example of the RFC, appendix A.6', () => {
    expect(entryId(new Date(0x017f22e279b0), Buffer.from('0cc3' + '18c4dc0c0c07398f', 'hex'))).toBe('017f22e2-79b0-7cc3-98c4-dc0c0c07398f');
  });

  it('is a UUID of version 7, later for a later millisecond', () => {
    fc.assert(
      fc.property(moment, moment, random, random, (one, other, a, b) => {
        const [first, second] = [entryId(one, a), entryId(other, b)];
        for (const id of [first, second]) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
        if (one < other) expect(first < second).toBe(true);
      }),
    );
  });
});
