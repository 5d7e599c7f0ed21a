import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import type { Card } from './domain/card.js';
import type { CardStatus, CardStatusEvent } from './domain/card-status.js';

export interface StatusChange extends CardStatusEvent {
  readonly cardNumber: string;
}

interface StatusRow {
  card_number: string;
  sequence: number;
  status: CardStatus;
  effective_at: Date;
}

@Injectable()
export class CardsRepository {
  constructor(private readonly dataSource: DataSource) {}

  async insertCards(tx: EntityManager, cards: readonly Card[], entryId: string): Promise<void> {
    await tx.query('INSERT INTO card (card_number, region, entry_id) SELECT n, r, $3 FROM unnest($1::text[], $2::text[]) AS c(n, r)', [
      cards.map((card) => card.cardNumber),
      cards.map((card) => card.region),
      entryId,
    ]);
  }

  async insertStatuses(tx: EntityManager, changes: readonly (StatusChange & { sequence: number })[], at: Date, entryIds: readonly string[]): Promise<void> {
    await tx.query(
      `INSERT INTO card_status (card_number, sequence, status, effective_at, recorded_at, entry_id)
       SELECT n, q, s, t, $5, e FROM unnest($1::text[], $2::int[], $3::text[], $4::timestamptz[], $6::uuid[]) AS c(n, q, s, t, e)`,
      [
        changes.map((change) => change.cardNumber),
        changes.map((change) => change.sequence),
        changes.map((change) => change.status),
        changes.map((change) => change.effectiveAt),
        at,
        entryIds,
      ],
    );
  }

  /** The last event of each of these cards. Two changes at once meet at the primary key (card, sequence). */
  async lastStatuses(tx: EntityManager, cardNumbers: readonly string[]): Promise<Map<string, CardStatusEvent & { sequence: number }>> {
    const rows: StatusRow[] = await tx.query(
      `SELECT DISTINCT ON (card_number) card_number, sequence, status, effective_at FROM card_status
       WHERE card_number = ANY($1) ORDER BY card_number, sequence DESC`,
      [cardNumbers],
    );
    return new Map(rows.map((row) => [row.card_number, { status: row.status, effectiveAt: row.effective_at, sequence: row.sequence }]));
  }

  async listStatuses(): Promise<StatusChange[]> {
    const rows: StatusRow[] = await this.dataSource.query(
      'SELECT card_number, sequence, status, effective_at FROM card_status ORDER BY card_number, sequence',
    );
    return rows.map((row) => ({ cardNumber: row.card_number, status: row.status, effectiveAt: row.effective_at }));
  }
}
