import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import type { JsonValue } from '#libs/platform/domain';
import { type Stock, stock } from './domain/conservation.js';
import type { PsamCard, PsamKeySet, PsamLot, PsamOrder, PsamVendor } from './domain/psam.js';
import type { PsamState } from './domain/psam-state.js';

interface CardRow {
  chip_serial: string;
  lot_no: string;
  state: PsamState;
  atr: string | null;
  order_no: string | null;
  psam_serial: string | null;
  terminal_number: string | null;
  reason: string | null;
}

export interface StoredOrder extends Omit<PsamOrder, 'terminalNumbers'> {
  readonly state: 'open' | 'closed';
}

const CARD = 'SELECT chip_serial, lot_no, state, atr, order_no, psam_serial, terminal_number, reason FROM psam_card';

@Injectable()
export class PsamRepository {
  constructor(private readonly dataSource: DataSource) {}

  async vendor(code: string): Promise<PsamVendor | undefined> {
    const [row]: PsamVendor[] = await this.dataSource.query(
      `SELECT code, name, filing_number AS "filingNumber", filed_from::text AS "filedFrom", filed_to::text AS "filedTo", card_model AS "cardModel"
       FROM psam_vendor WHERE code = $1`,
      [code],
    );
    return row;
  }

  async vendorOfLot(lotNo: string): Promise<PsamVendor | undefined> {
    const [row]: { vendor_code: string }[] = await this.dataSource.query('SELECT vendor_code FROM psam_lot WHERE lot_no = $1', [lotNo]);
    return row === undefined ? undefined : this.vendor(row.vendor_code);
  }

  async insertVendor(tx: EntityManager, vendor: PsamVendor, entryId: string): Promise<void> {
    await tx.query(
      'INSERT INTO psam_vendor (code, name, filing_number, filed_from, filed_to, card_model, entry_id) VALUES ($1, $2, $3, $4, $5, $6, $7)',
      [vendor.code, vendor.name, vendor.filingNumber, vendor.filedFrom, vendor.filedTo, vendor.cardModel, entryId],
    );
  }

  async insertLot(tx: EntityManager, lot: PsamLot, at: Date, entryId: string): Promise<void> {
    await tx.query('INSERT INTO psam_lot (lot_no, vendor_code, received_count, received_at, entry_id) VALUES ($1, $2, $3, $4, $5)', [
      lot.lotNo, lot.vendorCode, lot.chipSerials.length, at, entryId,
    ]);
    await tx.query(`INSERT INTO psam_card (chip_serial, lot_no, state, entry_id) SELECT c, $2, 'blank', $3 FROM unnest($1::text[]) AS t(c)`, [
      lot.chipSerials, lot.lotNo, entryId,
    ]);
  }

  async insertOrder(tx: EntityManager, order: PsamOrder, entryId: string): Promise<void> {
    await tx.query(
      `INSERT INTO psam_order (order_no, lot_no, region, institution_code, key_set, device, valid_from, valid_to, state, entry_id)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'open', $9)`,
      [order.orderNo, order.lotNo, order.region, order.institutionCode, order.keySet, order.device, order.validFrom, order.validTo, entryId],
    );
    await tx.query(
      `INSERT INTO psam_order_terminal (order_no, place, terminal_number, entry_id)
       SELECT $1, place, number, $3 FROM unnest($2::text[]) WITH ORDINALITY AS t(number, place)`,
      [order.orderNo, order.terminalNumbers, entryId],
    );
  }

  /** With `lock`, other stations of this order wait until the transaction ends. */
  async order(orderNo: string, tx: EntityManager = this.dataSource.manager, lock = false): Promise<StoredOrder | undefined> {
    const [row]: (StoredOrder & { keySet: PsamKeySet })[] = await tx.query(
      `SELECT order_no AS "orderNo", lot_no AS "lotNo", region, institution_code AS "institutionCode", key_set AS "keySet", device,
              valid_from::text AS "validFrom", valid_to::text AS "validTo", state,
              (SELECT count(*)::int FROM psam_order_terminal t WHERE t.order_no = o.order_no) AS count
       FROM psam_order o WHERE order_no = $1 ${lock ? 'FOR UPDATE' : ''}`,
      [orderNo],
    );
    return row;
  }

  async closeOrder(tx: EntityManager, orderNo: string, entryId: string): Promise<void> {
    await tx.query(`UPDATE psam_order SET state = 'closed', entry_id = $2 WHERE order_no = $1`, [orderNo, entryId]);
  }

  /** A terminal of the order that has no PSAM in work or good, in the order's sequence. */
  async freeTerminal(tx: EntityManager, orderNo: string): Promise<string | undefined> {
    const [row]: { terminal_number: string }[] = await tx.query(
      `SELECT t.terminal_number FROM psam_order_terminal t
       WHERE t.order_no = $1 AND NOT EXISTS (
         SELECT 1 FROM psam_card c WHERE c.terminal_number = t.terminal_number AND c.state IN ('inWork', 'good'))
       ORDER BY t.place LIMIT 1`,
      [orderNo],
    );
    return row?.terminal_number;
  }

  /** Those of these terminals that have a PSAM in work or good. */
  async occupiedTerminals(terminalNumbers: readonly string[]): Promise<string[]> {
    const rows: { terminal_number: string }[] = await this.dataSource.query(
      `SELECT terminal_number FROM psam_card WHERE terminal_number = ANY($1) AND state IN ('inWork', 'good') ORDER BY 1`,
      [terminalNumbers],
    );
    return rows.map((row) => row.terminal_number);
  }

  async nextRunningNumber(tx: EntityManager): Promise<bigint> {
    const [row]: { n: string }[] = await tx.query(`SELECT nextval('psam_serial_number')::text AS n`);
    return BigInt(row?.n ?? '0');
  }

  async card(chipSerial: string, tx: EntityManager = this.dataSource.manager, lock = false): Promise<PsamCard | undefined> {
    const [row]: CardRow[] = await tx.query(`${CARD} WHERE chip_serial = $1 ${lock ? 'FOR UPDATE' : ''}`, [chipSerial]);
    return row === undefined ? undefined : psamCard(row);
  }

  async cards(where: 'order_no' | 'lot_no', value: string, tx: EntityManager = this.dataSource.manager): Promise<PsamCard[]> {
    const rows: CardRow[] = await tx.query(`${CARD} WHERE ${where} = $1 ORDER BY psam_serial NULLS LAST, chip_serial`, [value]);
    return rows.map(psamCard);
  }

  async putInWork(tx: EntityManager, card: PsamCard, entryId: string): Promise<void> {
    await tx.query(
      `UPDATE psam_card SET state = 'inWork', atr = $2, order_no = $3, psam_serial = $4, terminal_number = $5, entry_id = $6 WHERE chip_serial = $1`,
      [card.chipSerial, card.atr, card.orderNo, card.psamSerial, card.terminalNumber, entryId],
    );
  }

  async setState(tx: EntityManager, chipSerial: string, state: PsamState, reason: string | undefined, entryId: string): Promise<void> {
    await tx.query('UPDATE psam_card SET state = $2, reason = $3, entry_id = $4 WHERE chip_serial = $1', [chipSerial, state, reason ?? null, entryId]);
  }

  async openSession(tx: EntityManager, session: { id: string; chipSerial: string; orderNo: string; at: Date }, entryId: string): Promise<void> {
    await tx.query('INSERT INTO psam_session (id, chip_serial, order_no, started_at, entry_id) VALUES ($1, $2, $3, $4, $5)', [
      session.id, session.chipSerial, session.orderNo, session.at, entryId,
    ]);
  }

  async closeSession(
    tx: EntityManager,
    session: { id: string; at: Date; outcome: 'good' | 'quarantined'; failure: JsonValue; proofs: JsonValue; commands: JsonValue; logDigest: string },
    entryId: string,
  ): Promise<void> {
    await tx.query(
      `UPDATE psam_session SET ended_at = $2, outcome = $3, failure = $4, proofs = $5, commands = $6, log_digest = $7, entry_id = $8
       WHERE id = $1 AND outcome IS NULL`,
      [session.id, session.at, session.outcome, JSON.stringify(session.failure), JSON.stringify(session.proofs), JSON.stringify(session.commands), session.logDigest, entryId],
    );
  }

  async openSessions(): Promise<{ id: string; chipSerial: string }[]> {
    return this.dataSource.query(`SELECT id, chip_serial AS "chipSerial" FROM psam_session WHERE outcome IS NULL ORDER BY started_at`);
  }

  async stock(lotNo: string, tx: EntityManager = this.dataSource.manager): Promise<Stock | undefined> {
    const [lot]: { received_count: number }[] = await tx.query('SELECT received_count FROM psam_lot WHERE lot_no = $1', [lotNo]);
    if (lot === undefined) return undefined;
    const rows: { state: PsamState; cards: number }[] = await tx.query(
      'SELECT state, count(*)::int AS cards FROM psam_card WHERE lot_no = $1 GROUP BY state',
      [lotNo],
    );
    return stock(lot.received_count, Object.fromEntries(rows.map((row) => [row.state, row.cards])));
  }
}

function psamCard(row: CardRow): PsamCard {
  return {
    chipSerial: row.chip_serial,
    lotNo: row.lot_no,
    state: row.state,
    atr: row.atr ?? undefined,
    orderNo: row.order_no ?? undefined,
    psamSerial: row.psam_serial ?? undefined,
    terminalNumber: row.terminal_number ?? undefined,
    reason: row.reason ?? undefined,
  };
}
