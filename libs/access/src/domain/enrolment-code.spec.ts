import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { toHex } from '#libs/platform/domain';
import { codeDigest, codeText, digestGroups, enrolmentChallenge, typedCode } from './enrolment-code.js';

const bytes = fc.uint8Array({ minLength: 16, maxLength: 16 });

describe('an enrolment code', () => {
  it('is seven groups of digits that nobody confuses', () => {
    expect(codeText(new Uint8Array(16))).toBe('0000-0000-0000-0000-0000-0000-00');
    expect(codeText(new Uint8Array(16).fill(0xff))).toBe('ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZW');
    fc.assert(fc.property(bytes, (random) => void expect(codeText(random)).toMatch(/^([0-9A-HJKMNP-TV-Z]{4}-){6}[0-9A-HJKMNP-TV-Z]{2}$/)));
  });

  it('is another for other bytes, and typed in any manner it is the same', () => {
    fc.assert(fc.property(bytes, bytes, (one, other) => void expect(codeText(one) === codeText(other)).toBe(toHex(one) === toHex(other))));
    fc.assert(
      fc.property(bytes, (random) => {
        const code = codeText(random);
        const digits = code.replaceAll('-', '');
        for (const typed of [code, digits, code.toLowerCase(), digits.replaceAll('0', 'o').replaceAll('1', 'l'), ` ${code.replaceAll('-', ' ')} `]) expect(typedCode(typed)).toBe(digits);
      }),
    );
  });

  it('with a digit missing, too many or none of the 32 is no code', () => {
    const digits = codeText(new Uint8Array(16)).replaceAll('-', '');
    for (const typed of ['', digits.slice(1), `${digits}0`, `${digits.slice(1)}U`, `${digits.slice(1)}*`]) expect(typedCode(typed)).toBeUndefined();
  });

  it('is known by a digest that says nothing of the challenge made of it', () => {
    const digits = '0'.repeat(26);
    expect(codeDigest(digits)).not.toBe(toHex(enrolmentChallenge(digits)));
    expect(enrolmentChallenge(digits)).toHaveLength(32);
    expect(digestGroups('0123456789ABCDEF')).toBe('0123 4567 89AB CDEF');
  });
});
