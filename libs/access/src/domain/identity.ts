import { z } from 'zod';

const WEIGHTS = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const CHECK = '10X98765432';

/** GB 11643: the check character of a resident identity number over its first 17 digits (ISO 7064, MOD 11-2). */
export function identityCheckCharacter(first17: string): string {
  const sum = WEIGHTS.reduce((total, weight, n) => total + weight * Number(first17[n]), 0);
  return CHECK[sum % 11] as string;
}

/** Known only as a keyed hash: it tells that two accounts are of one person, whatever name was typed. */
export const IdentityNumber = z
  .string()
  .regex(/^[0-9]{17}[0-9X]$/, '17 digits and a check character (GB 11643)')
  .refine((number) => identityCheckCharacter(number) === number[17], 'wrong check character (GB 11643)');
