import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type Checkpoint, checkpointBytes, readCheckpoint, readDer } from './index.js';

const checkpoint: Checkpoint = {
  shard: 2026,
  size: 1234,
  sha256Root: 'AB'.repeat(32),
  sm3Root: '0F'.repeat(32),
  at: new Date('2026-11-24T01:02:03.004Z'),
  keyId: '00112233445566778899AABBCCDDEEFF',
};
const text = `hufu/journal/1\nhufu-journal-2026\n1234\n${'AB'.repeat(32)}\n${'0F'.repeat(32)}\n2026-11-24T01:02:03.004Z\n00112233445566778899AABBCCDDEEFF\n`;
const read = (changed: string): Checkpoint | undefined => readCheckpoint(Buffer.from(changed, 'latin1'));

describe('checkpoint text', () => {
  it('is these bytes', () => {
    expect(Buffer.from(checkpointBytes(checkpoint)).toString('latin1')).toBe(text);
    expect(read(text)).toEqual(checkpoint);
  });

  it('has no other encoding: every cut, every appended and every changed octet reads differently or not at all', () => {
    const bytes = checkpointBytes(checkpoint);
    for (let length = 0; length < bytes.length; length++) expect(readCheckpoint(bytes.subarray(0, length))).toBeUndefined();
    expect(read(`${text}\n`)).toBeUndefined();
    fc.assert(
      fc.property(fc.nat({ max: bytes.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const changed = Uint8Array.from(bytes);
        changed[at] = (changed[at] as number) ^ change;
        const again = readCheckpoint(changed);
        expect(again === undefined || Buffer.compare(checkpointBytes(again), changed) === 0).toBe(true);
        expect(again).not.toEqual(checkpoint);
      }),
    );
  });

  it.each<[string, string, string]>([
    ['lower-case hex', 'AB', 'ab'],
    ['a leading zero in the size', '1234', '01234'],
    ['a size of nothing', '1234', '0'],
    ['a size that a number cannot hold', '1234', '9999999999999999'],
    ['no milliseconds', '03.004Z', '03Z'],
    ['another zone', '004Z', '004+00:00'],
    ['a day that is not', '2026-11-24', '2026-02-30'],
    ['carriage returns', '1234\n', '1234\r\n'],
    ['another format', 'journal/1', 'journal/2'],
    ['another log', 'hufu-journal-2026', 'hufu-ledger-2026'],
  ])('refuses %s', (_, from, to) => {
    expect(text).toContain(from);
    expect(read(text.replace(from, to))).toBeUndefined();
  });

  it('throws rather than write what cannot be read', () => {
    for (const wrong of [{ size: 0 }, { size: 1.5 }, { shard: 26 }, { keyId: 'AA' }, { sha256Root: '' }]) expect(() => checkpointBytes({ ...checkpoint, ...wrong })).toThrow(RangeError);
  });

  it('is never DER', () => {
    expect(() => {
      const { end } = readDer(checkpointBytes(checkpoint));
      if (end !== checkpointBytes(checkpoint).length) throw new Error('bytes after the element');
    }).toThrow();
  });
});
