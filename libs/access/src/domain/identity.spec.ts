import { describe, expect, it } from '@jest/globals';
import { IdentityNumber } from './identity.js';

describe('identity numbers', () => {
  it('the example of GB 11643-1999', () => {
    expect(IdentityNumber.safeParse('11010519491231002X').success).toBe(true);
    expect(IdentityNumber.safeParse('440524188001010014').success).toBe(true);
  });

  it('any changed digit is seen', () => {
    const number = '11010519491231002X';
    for (let n = 0; n < 17; n++) for (const digit of '0123456789') expect([n, digit, IdentityNumber.safeParse(number.slice(0, n) + digit + number.slice(n + 1)).success]).toEqual([n, digit, digit === number[n]]);
    for (const planted of ['', '11010519491231002x', '1101051949123100', '11010519491231002X1']) expect(IdentityNumber.safeParse(planted).success).toBe(false);
  });
});
