import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { Journal } from '#libs/journal';
import { Clock, zodReason } from '#libs/platform';
import { AppError, canonicalJson, toHex } from '#libs/platform/domain';
import { CardsRepository, type StatusChange } from './cards.repository.js';
import { Card } from './domain/card.js';
import { isCardNumber } from './domain/card-number.js';
import { nextCardStatus } from './domain/card-status.js';

/** The card register. A card's status history only ever grows. */
@Injectable()
export class Cards {
  constructor(
    private readonly dataSource: DataSource,
    private readonly repository: CardsRepository,
    private readonly journal: Journal,
    private readonly clock: Clock,
  ) {}

  /**
   * Enters cards in one transaction, all or none; the journal entry carries the digest of the whole list.
   * Throws CARD_NUMBER_INVALID, CARD_EXISTS, REQUEST_INVALID.
   */
  async register(cards: readonly Card[]): Promise<void> {
    for (const card of cards) {
      if (!isCardNumber(card.cardNumber)) throw new AppError('CARD_NUMBER_INVALID', { cardNumber: card.cardNumber });
      const checked = Card.safeParse(card);
      if (!checked.success) throw new AppError('REQUEST_INVALID', { reason: zodReason(checked.error) });
    }
    const listed = cards.map((card) => ({ cardNumber: card.cardNumber, region: card.region, activeFrom: card.activeFrom.toISOString() }));
    const digest = toHex(createHash('sha256').update(canonicalJson(listed)).digest());
    await this.transaction('CARD_EXISTS', async (tx) => {
      const entryId = await this.journal.record(tx, { kind: 'cards.register', subject: 'cards', data: { cards: cards.length, digest } });
      await this.repository.insertCards(tx, cards, entryId);
      const first = cards.map((card) => ({ cardNumber: card.cardNumber, sequence: 1, status: 'active' as const, effectiveAt: card.activeFrom }));
      await this.repository.insertStatuses(tx, first, this.clock.now(), cards.map(() => entryId));
    });
  }

  /** 注销: for ever. Throws as `change`. */
  cancel(cardNumber: string, effectiveAt: Date): Promise<void> {
    return this.change([{ cardNumber, status: 'cancelled', effectiveAt }]);
  }

  /** 停用. Throws as `change`. */
  suspend(cardNumber: string, effectiveAt: Date): Promise<void> {
    return this.change([{ cardNumber, status: 'suspended', effectiveAt }]);
  }

  /** 挂失. Throws as `change`. */
  reportLost(cardNumber: string, effectiveAt: Date): Promise<void> {
    return this.change([{ cardNumber, status: 'lost', effectiveAt }]);
  }

  /** 解挂、恢复: back to active. Throws as `change`. */
  reinstate(cardNumber: string, effectiveAt: Date): Promise<void> {
    return this.change([{ cardNumber, status: 'active', effectiveAt }]);
  }

  /**
   * Adds one status per card, all or none, one journal entry each. Times may lie in the past, but not before the card's
   * last status. Throws CARD_UNKNOWN, CARD_STATUS_ILLEGAL, CARD_TIME_INVALID, CARD_STATUS_CONFLICT, REQUEST_INVALID (a
   * card twice in one call).
   */
  async change(changes: readonly StatusChange[]): Promise<void> {
    const numbers = changes.map((change) => change.cardNumber);
    if (new Set(numbers).size !== numbers.length) throw new AppError('REQUEST_INVALID', { reason: 'one change per card' });
    await this.transaction('CARD_STATUS_CONFLICT', async (tx) => {
      const last = await this.repository.lastStatuses(tx, numbers);
      const decided = changes.map((change) => {
        const before = last.get(change.cardNumber);
        if (before === undefined) throw new AppError('CARD_UNKNOWN', { cardNumber: change.cardNumber });
        nextCardStatus(change.cardNumber, before, change);
        return { ...change, sequence: before.sequence + 1 };
      });
      const entryIds = await this.journal.recordMany(
        tx,
        decided.map((change) => ({
          kind: 'cards.status',
          subject: change.cardNumber,
          data: { status: change.status, effectiveAt: change.effectiveAt.toISOString(), sequence: change.sequence },
        })),
      );
      await this.repository.insertStatuses(tx, decided, this.clock.now(), entryIds);
    });
  }

  /** A row that stands there already (23505) has its own meaning in each use case. */
  private async transaction(taken: 'CARD_EXISTS' | 'CARD_STATUS_CONFLICT', work: (tx: EntityManager) => Promise<void>): Promise<void> {
    try {
      await this.dataSource.transaction(work);
    } catch (error) {
      const { code, detail } = error as { code?: string; detail?: string };
      if (code === '23505') throw new AppError(taken, { reason: detail ?? '' }, { cause: error });
      throw error;
    }
  }
}
