import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import { MemoryHsm } from '../../../test/builders/memory-hsm.js';
import { openPkiScheme, type PkiScheme } from '../../../test/builders/pki-scheme.js';
import type { AppError } from '#libs/platform/domain';
import { type Card, cardCheckCharacter, CardHistory, Cards } from './index.js';

const at = (day: number): Date => new Date(Date.UTC(2026, 0, day));
const card = (n: number): Card => {
  const first8 = String(n).padStart(8, '0');
  return { cardNumber: first8 + cardCheckCharacter(first8), region: '110101', activeFrom: at(1) };
};

describe('card register', () => {
  let scheme: PkiScheme;
  let cards: Cards;
  const [first, second, third] = [card(1).cardNumber, card(2).cardNumber, card(3).cardNumber];

  beforeAll(async () => {
    scheme = await openPkiScheme(new MemoryHsm());
    cards = scheme.app.get(Cards);
  });
  afterAll(() => scheme.close());

  it('takes a batch whole or not at all', async () => {
    await cards.register(Array.from({ length: 2_000 }, (_, n) => card(n)));
    await expect(cards.register([card(5_000), card(1)])).rejects.toMatchObject({ code: 'CARD_EXISTS' });
    await expect(cards.register([card(5_000), { ...card(5_001), cardNumber: '123456780' }])).rejects.toMatchObject({ code: 'CARD_NUMBER_INVALID' });
    await expect(cards.register([{ ...card(5_000), region: 'x' }])).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
    expect(await scheme.app.get(CardHistory).load()).toHaveLength(2_000);
  });

  it('keeps the whole history of a card, and refuses what cannot follow', async () => {
    await cards.suspend(first, at(3));
    await cards.reinstate(first, at(4));
    await cards.reportLost(first, at(5));
    await expect(cards.suspend(first, at(6))).rejects.toMatchObject({ code: 'CARD_STATUS_ILLEGAL' });
    await expect(cards.cancel(first, at(4))).rejects.toMatchObject({ code: 'CARD_TIME_INVALID' });
    await cards.cancel(first, at(7));
    await expect(cards.reinstate(first, at(8))).rejects.toMatchObject({ code: 'CARD_STATUS_ILLEGAL' });
    await expect(cards.cancel('000000000', new Date(Number.NaN))).rejects.toMatchObject({ code: 'CARD_TIME_INVALID' });
    await expect(cards.cancel('999999999', at(9))).rejects.toMatchObject({ code: 'CARD_UNKNOWN' });
    const history = new Map((await scheme.app.get(CardHistory).load()).map((view) => [view.cardNumber, view.intervals]));
    expect(history.get(first)).toEqual([
      { status: 'active', from: at(1), until: at(3) },
      { status: 'suspended', from: at(3), until: at(4) },
      { status: 'active', from: at(4), until: at(5) },
      { status: 'lost', from: at(5), until: at(7) },
      { status: 'cancelled', from: at(7), until: undefined },
    ]);
  });

  it('changes many cards with one journal entry each, all or none', async () => {
    const cancelled = (cardNumber: string): { cardNumber: string; status: 'cancelled'; effectiveAt: Date } => ({ cardNumber, status: 'cancelled', effectiveAt: at(9) });
    await expect(cards.change([cancelled(second), cancelled(first)])).rejects.toMatchObject({ code: 'CARD_STATUS_ILLEGAL' });
    await expect(cards.change([cancelled(second), cancelled(second)])).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
    await cards.change([cancelled(second), cancelled(third)]);
    const rows: { subject: string }[] = await scheme.app.get(DataSource).query(
      `SELECT s.subject FROM card_status c JOIN journal_stage s ON s.id = c.entry_id WHERE c.effective_at = $1 AND s.kind = 'cards.status' ORDER BY 1`,
      [at(9)],
    );
    expect(rows.map((row) => row.subject)).toEqual([second, third].sort());
  });

  it('lets one of many changes at once win', async () => {
    const number = card(10).cardNumber;
    const all = await Promise.allSettled(Array.from({ length: 6 }, (_, i) => (i % 2 === 0 ? cards.cancel(number, at(3)) : cards.suspend(number, at(3)))));
    const refused = all.flatMap((each) => (each.status === 'rejected' ? [(each.reason as AppError).code] : []));
    expect(refused.length).toBeGreaterThanOrEqual(4);
    expect(refused.filter((code) => code !== 'CARD_STATUS_ILLEGAL' && code !== 'CARD_STATUS_CONFLICT')).toEqual([]);
    const view = (await scheme.app.get(CardHistory).load()).find((each) => each.cardNumber === number);
    expect(view?.intervals).toHaveLength(1 + all.length - refused.length);
  });
});
