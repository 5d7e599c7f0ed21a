import { z } from 'zod';
import { CardNumber } from './card-number.js';
import type { CardStatusInterval } from './card-status.js';

/** A card as it enters the register. */
export const Card = z.strictObject({
  cardNumber: CardNumber,
  /** GB/T 2260 region, 6 digits. */
  region: z.string().regex(/^[0-9]{6}$/),
  activeFrom: z.date(),
});
export type Card = z.infer<typeof Card>;

/** What a judge of transactions must know of a card. Plain data: it crosses threads. */
export interface CardStatusView {
  readonly cardNumber: string;
  readonly intervals: readonly CardStatusInterval[];
}
