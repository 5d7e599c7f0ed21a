import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { chinaTime, count, hexGroups, printable, share, wrap, yuan } from './report-text.js';

describe('figures', () => {
  it.each([
    [0n, '0.00'], [5n, '0.05'], [-5n, '-0.05'], [99n, '0.99'], [100n, '1.00'], [123_456n, '1,234.56'], [-12_345_678_901n, '-123,456,789.01'],
    [2n ** 70n, '11,805,916,207,174,113,034.24'],
  ])('%d 分 is %s 元', (fen, text) => expect(yuan(fen)).toBe(text));

  it.each([[0, '0'], [999, '999'], [1_000, '1,000'], [1_048_576, '1,048,576']])('%d is %s', (value, text) => expect(count(value)).toBe(text));

  it.each([
    [0, 0, '–'], [0, 3, '0.00 %'], [1, 3, '33.33 %'], [99_999, 100_000, '99.99 %'], [999_999, 1_000_000, '99.99 %'], [5, 5, '100.00 %'], [1, 100_000, '0.00 %'],
  ])('%d of %d is %s: never rounded up to all', (part, whole, text) => expect(share(part, whole)).toBe(text));

  it('writes China time whatever the host', () => {
    expect(chinaTime(new Date('2026-06-30T16:00:00.999Z'))).toBe('2026-07-01 00:00:00 +08:00');
  });

  it('groups hex by eight', () => {
    expect(hexGroups('0123456789ABCDEF01')).toBe('01234567 89ABCDEF 01');
    expect(hexGroups('')).toBe('');
  });

  it('shows control, bidi and lone surrogate characters instead of obeying them', () => {
    expect(printable('a\nb\tc\u202ed\u2028e\u200bf')).toBe('a□b□c□d□e□f');
    expect(printable('\ud800虎𠮷')).toBe('\ufffd虎𠮷');
  });
});

describe('wrap', () => {
  const one = (): number => 1;

  it.each([
    ['fits', 'abc', 3, 2, ['abc']],
    ['breaks anywhere', 'abcdef', 3, 2, ['abc', 'def']],
    ['breaks after a late blank', 'abcd ef gh', 6, 3, ['abcd', 'ef gh']],
    ['an early blank is no reason', 'a bcdefgh', 6, 3, ['a bcde', 'fgh']],
    ['is cut with an ellipsis', 'abcdefgh', 3, 2, ['abc', 'de…']],
    ['one line', 'abcdefgh', 4, 1, ['abc…']],
    ['empty', '', 4, 2, ['']],
    ['whole code points', '𠮷𠮷𠮷', 1, 3, ['𠮷', '𠮷', '𠮷']],
    ['narrower than a character', 'abc', 0.5, 9, ['a', 'b', 'c']],
  ])('%s', (_name, text, width, lines, expected) => expect(wrap(text, width, lines, one)).toEqual(expected));

  it('keeps every character but blanks at breaks, and never exceeds width or lines', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme-ascii', maxLength: 80 }), fc.integer({ min: 2, max: 20 }), fc.integer({ min: 1, max: 60 }), (text, width, lines) => {
        const out = wrap(text, width, lines, one);
        expect(out.length).toBeLessThanOrEqual(lines);
        for (const line of out) expect([...line].length).toBeLessThanOrEqual(width);
        if (!out.at(-1)?.endsWith('…')) expect(out.join('').replaceAll(' ', '')).toBe(text.replaceAll(' ', ''));
      }),
    );
  });
});
