import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type Amounts, amountsAgree, yuanToFen } from './amount.js';

describe('yuanToFen', () => {
  it.each([
    ['0.00', 0n],
    ['0.01', 1n],
    ['12.50', 1_250n],
    ['-3.07', -307n],
    ['999999999999.99', 99_999_999_999_999n],
  ])('%s', (text, fen) => expect(yuanToFen(text)).toBe(fen));

  it.each(['', '1', '1.5', '1.500', '01.00', '-0.00', '+1.00', '1,000.00', '1.00 ', '.50', '1e2', '1000000000000.00', '１.00'])('refuses %p', (text) => {
    expect(yuanToFen(text)).toBeUndefined();
  });

  it('is exact for every amount', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 99_999_999_999_999n }), (fen) => {
        const digits = fen.toString().padStart(3, '0');
        expect(yuanToFen(`${digits.slice(0, -2)}.${digits.slice(-2)}`)).toBe(fen);
      }),
    );
  });
});

describe('amountsAgree', () => {
  const right: Amounts = { type: 'settle', totalFen: 100n, fundPayFen: 60n, accountPayFen: 30n, cashPayFen: 10n, balanceBeforeFen: 500n, balanceAfterFen: 470n };
  const refund: Amounts = { type: 'refund', totalFen: -100n, fundPayFen: -60n, accountPayFen: -30n, cashPayFen: -10n, balanceBeforeFen: 470n, balanceAfterFen: 500n };

  it('accepts what adds up', () => {
    expect([amountsAgree(right), amountsAgree(refund), amountsAgree({ ...right, type: 'register' })]).toEqual([true, true, true]);
  });

  it.each([
    ['total', { ...right, totalFen: 101n }],
    ['balance', { ...right, balanceAfterFen: 471n }],
    ['shifted between account and cash', { ...right, accountPayFen: 31n, cashPayFen: 9n }],
    ['negative part of a payment', { ...right, fundPayFen: -10n, cashPayFen: 80n }],
    ['negative balance', { ...right, balanceBeforeFen: 20n, balanceAfterFen: -10n }],
    ['a payment called a refund', { ...right, type: 'refund' as const }],
    ['a refund called a payment', { ...refund, type: 'settle' as const }],
  ])('refuses: %s', (_name, amounts) => expect(amountsAgree(amounts)).toBe(false));
});
