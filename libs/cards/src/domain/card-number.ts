import { z } from 'zod';

/**
 * Card number 卡号, an9: eight characters and the check character of GB 11714 (weights 3 7 9 10 5 8 4 2 over values 0-9,
 * A=10 … Z=35; 11 − sum mod 11, where 10 is written X and 11 is written 0).
 */
const WEIGHTS = [3, 7, 9, 10, 5, 8, 4, 2] as const;

/** The ninth character for eight characters 0-9A-Z. Throws a RangeError on anything else. */
export function cardCheckCharacter(first8: string): string {
  if (!/^[0-9A-Z]{8}$/.test(first8)) throw new RangeError('a card number begins with 8 characters 0-9A-Z');
  const sum = WEIGHTS.reduce((total, weight, i) => total + weight * Number.parseInt(first8.charAt(i), 36), 0);
  const check = 11 - (sum % 11);
  return check === 10 ? 'X' : check === 11 ? '0' : String(check);
}

export function isCardNumber(text: string): boolean {
  return /^[0-9A-Z]{8}[0-9X]$/.test(text) && cardCheckCharacter(text.slice(0, 8)) === text.charAt(8);
}

export const CardNumber = z.string().refine(isCardNumber, 'check character');
