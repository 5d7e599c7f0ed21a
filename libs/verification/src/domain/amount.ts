const YUAN = /^(-?)(0|[1-9][0-9]{0,11})\.([0-9]{2})$/;

/**
 * An amount in 元 with exactly two decimals → 分. At most 12 digits before the point. Undefined for every other form
 * (a JSON number, a missing decimal, a leading zero, "-0.00"): one amount has one spelling.
 */
export function yuanToFen(text: string): bigint | undefined {
  const match = YUAN.exec(text);
  if (match === null) return undefined;
  // 14 digits are far below 2^53, so Number is exact and much faster than BigInt of a text.
  const fen = BigInt(Number((match[2] as string) + (match[3] as string)));
  if (match[1] === '') return fen;
  return fen === 0n ? undefined : -fen;
}

export interface Amounts {
  readonly type: TransactionType;
  readonly totalFen: bigint;
  readonly fundPayFen: bigint;
  readonly accountPayFen: bigint;
  readonly cashPayFen: bigint;
  readonly balanceBeforeFen: bigint;
  readonly balanceAfterFen: bigint;
}

/** What a transaction does. A refund carries its fees and payments as negative amounts. */
export const TRANSACTION_TYPES = ['register', 'prescription', 'settle', 'refund'] as const;
export type TransactionType = (typeof TRANSACTION_TYPES)[number];

/**
 * Fee total = fund + personal account + cash; balance after = balance before − personal account; all of one sign, and a
 * balance is never negative.
 */
export function amountsAgree(amounts: Amounts): boolean {
  const parts = [amounts.totalFen, amounts.fundPayFen, amounts.accountPayFen, amounts.cashPayFen];
  return (
    amounts.totalFen === amounts.fundPayFen + amounts.accountPayFen + amounts.cashPayFen &&
    amounts.balanceAfterFen === amounts.balanceBeforeFen - amounts.accountPayFen &&
    amounts.balanceBeforeFen >= 0n &&
    amounts.balanceAfterFen >= 0n &&
    parts.every((part) => (amounts.type === 'refund' ? part <= 0n : part >= 0n))
  );
}
