import { AppError } from '#libs/platform/domain';
import { ALL_PSAM_STATES, type PsamState } from './psam-state.js';

/** Cards of one lot, or of all lots, by state; a state without cards stands with 0. */
export interface Stock {
  readonly received: number;
  readonly counts: Readonly<Record<PsamState, number>>;
}

export function stock(received: number, counts: Partial<Record<PsamState, number>>): Stock {
  return { received, counts: Object.fromEntries(ALL_PSAM_STATES.map((state) => [state, counts[state] ?? 0])) as Record<PsamState, number> };
}

/** Cards that are nowhere (positive) or that nobody received (negative). */
export function difference({ received, counts }: Stock): number {
  return received - ALL_PSAM_STATES.reduce((sum, state) => sum + counts[state], 0);
}

/** received = blank + inWork + good + scrapped + quarantined + returnedToVendor + lost, or PSAM_STOCK_DIFFERS. */
export function requireConserved(label: string, held: Stock): void {
  const missing = difference(held);
  if (missing !== 0) throw new AppError('PSAM_STOCK_DIFFERS', { lot: label, difference: missing });
}
