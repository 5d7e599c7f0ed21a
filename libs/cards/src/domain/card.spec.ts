import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { cardCheckCharacter, isCardNumber } from './card-number.js';
import { CARD_STATUSES, type CardStatus, nextCardStatus, statusAt, statusIntervals } from './card-status.js';

const vectors = JSON.parse(readFileSync('test/vectors/card-number.json', 'utf8')) as { source: string; first8: string; check: string }[];

describe('card number', () => {
  it.each(vectors)('$first8 → $check ($source)', ({ first8, check }) => {
    expect(cardCheckCharacter(first8)).toBe(check);
    expect(isCardNumber(first8 + check)).toBe(true);
  });

  it('accepts one of eleven check characters, and refuses a changed digit', () => {
    const first8 = fc.stringMatching(/^[0-9A-Z]{8}$/);
    fc.assert(
      fc.property(first8, fc.nat(7), fc.nat(9), (text, at, digit) => {
        const number = text + cardCheckCharacter(text);
        const changed = number.slice(0, at) + digit + number.slice(at + 1);
        // Weights and 11 have no common divisor: a change of less than 11 is always seen.
        const distance = Math.abs(Number.parseInt(text.charAt(at), 36) - digit) % 11;
        return '0123456789X'.split('').filter((c) => isCardNumber(text + c)).length === 1 && isCardNumber(changed) === (distance === 0);
      }),
    );
  });

  it.each(['12345678', '1234567890', '12345678A', 'a12345674', '1234567x8', '123456780'])('refuses %s', (text) => {
    expect(isCardNumber(text)).toBe(false);
  });
});

describe('card status', () => {
  const t = (day: number): Date => new Date(Date.UTC(2026, 0, day));

  it('moves only as the table says, never out of cancelled, never back in time', () => {
    const statuses = Object.keys(CARD_STATUSES) as CardStatus[];
    for (const from of statuses) {
      for (const to of statuses) {
        const move = (): unknown => nextCardStatus('123456788', { status: from, effectiveAt: t(2) }, { status: to, effectiveAt: t(3) });
        if ((CARD_STATUSES[from].to as readonly string[]).includes(to)) expect(move()).toMatchObject({ status: to });
        else expect(move).toThrow(expect.objectContaining({ code: 'CARD_STATUS_ILLEGAL' }));
      }
    }
    expect(CARD_STATUSES.cancelled.to).toEqual([]);
    expect(() => nextCardStatus('123456788', { status: 'active', effectiveAt: t(2) }, { status: 'lost', effectiveAt: t(1) })).toThrow(
      expect.objectContaining({ code: 'CARD_TIME_INVALID' }),
    );
  });

  it('has one status at any time: from inclusive, until exclusive', () => {
    const intervals = statusIntervals([
      { status: 'active', effectiveAt: t(1) },
      { status: 'lost', effectiveAt: t(5) },
      { status: 'cancelled', effectiveAt: t(5) },
    ]);
    expect(statusAt(intervals, new Date(t(1).getTime() - 1))).toBeUndefined();
    expect(statusAt(intervals, t(1))).toBe('active');
    expect(statusAt(intervals, new Date(t(5).getTime() - 1))).toBe('active');
    expect(statusAt(intervals, t(5))).toBe('cancelled');
  });
});
