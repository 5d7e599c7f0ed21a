import { Injectable } from '@nestjs/common';
import { CardsRepository } from './cards.repository.js';
import type { CardStatusView } from './domain/card.js';
import { statusIntervals } from './domain/card-status.js';

/** The reading side, for judges of transactions. */
@Injectable()
export class CardHistory {
  constructor(private readonly repository: CardsRepository) {}

  /** Every card with its status intervals, by card number. */
  async load(): Promise<CardStatusView[]> {
    const byCard = Map.groupBy(await this.repository.listStatuses(), (change) => change.cardNumber);
    return [...byCard].map(([cardNumber, events]) => ({ cardNumber, intervals: statusIntervals(events) }));
  }
}
