import { AppError, type Bilingual } from '#libs/platform/domain';

/** What a card can be. `cancelled` is for ever. */
export const CARD_STATUSES = {
  active: { text: { zh: '正常', en: 'active' }, to: ['suspended', 'lost', 'cancelled'] },
  suspended: { text: { zh: '停用', en: 'suspended' }, to: ['active', 'lost', 'cancelled'] },
  lost: { text: { zh: '挂失', en: 'reported lost' }, to: ['active', 'cancelled'] },
  cancelled: { text: { zh: '注销', en: 'cancelled' }, to: [] },
} as const satisfies Record<string, { text: Bilingual; to: readonly string[] }>;

export type CardStatus = keyof typeof CARD_STATUSES;

export interface CardStatusEvent {
  readonly status: CardStatus;
  readonly effectiveAt: Date;
}

/** From `from` (inclusive) to `until` (exclusive); the last one is open. */
export interface CardStatusInterval {
  readonly status: CardStatus;
  readonly from: Date;
  readonly until: Date | undefined;
}

/** Throws CARD_STATUS_ILLEGAL on a move that the table does not have, CARD_TIME_INVALID on one before the last. */
export function nextCardStatus(cardNumber: string, last: CardStatusEvent, next: CardStatusEvent): CardStatusEvent {
  if (!(CARD_STATUSES[last.status].to as readonly string[]).includes(next.status)) {
    throw new AppError('CARD_STATUS_ILLEGAL', { cardNumber, from: last.status, to: next.status });
  }
  if (!(next.effectiveAt >= last.effectiveAt)) throw new AppError('CARD_TIME_INVALID', { cardNumber });
  return next;
}

/** Intervals of events in order. Before the first one the card does not exist. */
export function statusIntervals(events: readonly CardStatusEvent[]): CardStatusInterval[] {
  return events.map((event, i) => ({ status: event.status, from: event.effectiveAt, until: events[i + 1]?.effectiveAt }));
}

/** The status at a time; undefined before the card was registered. */
export function statusAt(intervals: readonly CardStatusInterval[], at: Date): CardStatus | undefined {
  return intervals.findLast((interval) => interval.from <= at && (interval.until === undefined || at < interval.until))?.status;
}
