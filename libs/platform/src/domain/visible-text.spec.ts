import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { visibleText } from './visible-text.js';

describe('text for people', () => {
  it.each([
    ['a screen that is cleared', 'a\x1b[2Jb', 'a\\u{1B}[2Jb'],
    ['C1 control', 'a\u009b2Jb', 'a\\u{9B}2Jb'],
    ['a new line', 'a\r\nb', 'a\\u{D}\\u{A}b'],
    ['a turned direction', '\u202e12\u202c', '\\u{202E}12\\u{202C}'],
    ['an isolate', '\u2066x\u2069', '\\u{2066}x\\u{2069}'],
    ['nothing between two letters', 'a\u200bb\ufeffc', 'a\\u{200B}b\\u{FEFF}c'],
    ['a line separator', 'a\u2028b', 'a\\u{2028}b'],
    ['another space', 'a\u3000b\u00a0c', 'a\\u{3000}b\\u{A0}c'],
    ['what strikes through', '1\u0336', '1\\u{336}'],
    ['half a pair', '\ud800', '\\u{D800}'],
    ['an escape that was written', '\\u{202E}', '\\u{5C}u{202E}'],
  ])('shows %s', (_name, text, shown) => expect(visibleText(text)).toBe(shown));

  it('leaves Chinese, digits and spaces as they are', () => expect(visibleText('根密钥 root/1 (第 2 号)')).toBe('根密钥 root/1 (第 2 号)'));

  it('shows different texts differently, and nothing that a terminal obeys', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
        expect(visibleText(a) === visibleText(b)).toBe(a === b);
        expect(visibleText(a)).not.toMatch(/[\p{C}\p{Zl}\p{Zp}\p{M}]/u);
      }),
    );
  });
});
