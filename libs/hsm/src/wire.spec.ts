import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isAppError } from '#libs/platform/domain';
import { encodeFrame, FRAME_MOST, FrameReader } from './wire.js';

const value = fc.letrec((tie) => ({
  tree: fc.oneof({ maxDepth: 4 }, fc.integer(), fc.string({ unit: 'grapheme' }), fc.boolean(), fc.constant(null), fc.uint8Array(), fc.array(tie('tree')), fc.dictionary(fc.string().filter((key) => key !== '__proto__'), tie('tree'), { noNullPrototype: true })),
})).tree;
const refusal = (act: () => unknown): string => {
  try {
    act();
    return 'ok';
  } catch (error) {
    return isAppError(error) ? error.code : String(error);
  }
};
const frame = (...body: number[]): Uint8Array => Uint8Array.from([0, 0, 0, body.length, ...body]);
/** Typed arrays compare by content, whatever their prototype. */
const plain = (tree: unknown): unknown => JSON.stringify(tree, (_, each: unknown) => (ArrayBuffer.isView(each) ? `bytes:${Buffer.from(each as Uint8Array).toString('hex')}` : each));

describe('frames', () => {
  it('come back as they went, however the stream is cut', () => {
    fc.assert(
      fc.property(fc.array(value, { maxLength: 5 }), fc.infiniteStream(fc.integer({ min: 1, max: 40 })), (values, cuts) => {
        const stream = Buffer.concat(values.map(encodeFrame));
        const reader = new FrameReader();
        const read: unknown[] = [];
        for (let offset = 0; offset < stream.length; ) {
          const { value: step } = cuts.next() as { value: number };
          read.push(...reader.push(stream.subarray(offset, offset + step)));
          offset += step;
        }
        expect(sorted(read)).toEqual(sorted(values));
      }),
    );
  });

  it.each<[string, Uint8Array]>([
    ['length 0', Uint8Array.of(0, 0, 0, 0)],
    ['a length beyond the limit', Uint8Array.of(0x00, 0x40, 0x00, 0x01)],
    ['the largest length', Uint8Array.of(0xff, 0xff, 0xff, 0xff)],
    ['two values in one frame', frame(0x01, 0x02)],
    ['a cut value', frame(0x43, 0x01)],
    ['indefinite length', frame(0x9f, 0x01, 0xff)],
    ['undefined', frame(0xf7)],
    ['NaN', frame(0xf9, 0x7e, 0x00)],
    ['infinity', frame(0xf9, 0x7c, 0x00)],
    ['a longer form than needed', frame(0x18, 0x01)],
    ['a key twice', frame(0xa2, 0x61, 0x61, 0x01, 0x61, 0x61, 0x02)],
    ['a tag', frame(0xc0, 0x61, 0x61)],
    ['a key that is no string', frame(0xa1, 0x01, 0x01)],
  ])('refuses %s', (_, bytes) => {
    expect(refusal(() => new FrameReader().push(bytes))).toBe('WIRE_MALFORMED');
  });

  it('random bytes are refused or wait for more, and never throw anything else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        expect(['ok', 'WIRE_MALFORMED']).toContain(refusal(() => new FrameReader().push(bytes)));
      }),
    );
  });

  it('a value beyond the limit is not sent', () => {
    expect(refusal(() => encodeFrame({ bytes: new Uint8Array(FRAME_MOST) }))).toBe('WIRE_MALFORMED');
    expect(refusal(() => encodeFrame({ bytes: new Uint8Array(FRAME_MOST - 16) }))).toBe('ok');
  });
});

/** CBOR orders keys its own way. */
function sorted(values: readonly unknown[]): unknown {
  const order = (tree: unknown): unknown => {
    if (Array.isArray(tree)) return tree.map(order);
    if (tree === null || typeof tree !== 'object' || ArrayBuffer.isView(tree)) return tree;
    return Object.entries(tree).sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, each]) => [key, order(each)]);
  };
  return values.map((each) => plain(order(each)));
}
