import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { z } from 'zod';
import { Hsm } from '#libs/hsm';
import { Journal } from '#libs/journal';
import { holders, Keys } from '#libs/keys';
import { Clock, zodReason } from '#libs/platform';
import { AppError, canonicalJson, toHex } from '#libs/platform/domain';
import type { CardChannel } from './card-channel.js';
import type { Apdu } from './domain/apdu.js';
import type { SlotName } from './domain/card-profile.js';
import { difference, requireConserved, type Stock } from './domain/conservation.js';
import { isGroup, keyUnfitness, places } from './domain/key-set.js';
import { beijingDay, isFiled, type PersonalisationResult, type PsamCard, PsamLot, PsamOrder, PsamVendor } from './domain/psam.js';
import { type PsamState, transition } from './domain/psam-state.js';
import { Personalisation } from './personalisation.service.js';
import { PsamRepository } from './psam.repository.js';

/** Ledger of PSAM cards: vendor → lot → order → card, and the way out of each card. */
@Injectable()
export class Psam {
  constructor(
    private readonly dataSource: DataSource,
    private readonly repository: PsamRepository,
    private readonly personalisation: Personalisation,
    private readonly journal: Journal,
    private readonly keys: Keys,
    private readonly hsm: Hsm,
    private readonly clock: Clock,
  ) {}

  /** Enters a filed vendor. Throws PSAM_VENDOR_EXISTS, REQUEST_INVALID. */
  async registerVendor(input: PsamVendor): Promise<void> {
    const vendor = parsed(PsamVendor, input);
    if (vendor.filedTo < vendor.filedFrom) throw new AppError('REQUEST_INVALID', { reason: 'filedTo lies before filedFrom' });
    await this.dataSource
      .transaction(async (tx) => {
        const entryId = await this.journal.record(tx, { kind: 'psam.vendor', subject: vendor.code, data: { ...vendor } });
        await this.repository.insertVendor(tx, vendor, entryId);
      })
      .catch(onConstraint({ psam_vendor_pkey: () => new AppError('PSAM_VENDOR_EXISTS', { vendor: vendor.code }) }));
  }

  /** Receives blanks, each chip once. Throws PSAM_VENDOR_UNKNOWN, PSAM_VENDOR_NOT_FILED, PSAM_LOT_EXISTS, PSAM_CHIP_KNOWN. */
  async receiveLot(input: PsamLot): Promise<Stock> {
    const lot = parsed(PsamLot, input);
    this.requireFiled(await this.repository.vendor(lot.vendorCode), lot.vendorCode);
    const digest = toHex(createHash('sha256').update(canonicalJson(lot.chipSerials)).digest());
    await this.dataSource
      .transaction(async (tx) => {
        const data = { vendorCode: lot.vendorCode, received: lot.chipSerials.length, chipSerialsDigest: digest };
        const entryId = await this.journal.record(tx, { kind: 'psam.lot', subject: lot.lotNo, data });
        await this.repository.insertLot(tx, lot, this.clock.now(), entryId);
      })
      .catch(onConstraint({
        psam_lot_pkey: () => new AppError('PSAM_LOT_EXISTS', { lot: lot.lotNo }),
        psam_card_pkey: (detail) => new AppError('PSAM_CHIP_KNOWN', { reason: detail }),
      }));
    return this.stock(lot.lotNo);
  }

  /**
   * Places an order: one PSAM per terminal number. Throws PSAM_LOT_UNKNOWN, PSAM_VENDOR_NOT_FILED (filing judged today),
   * PSAM_KEY_UNFIT, PSAM_ORDER_INVALID (terminals, institution, too few blanks), PSAM_ORDER_EXISTS.
   */
  async placeOrder(input: PsamOrder): Promise<void> {
    const order = parsed(PsamOrder, input);
    const invalid = (reason: string): AppError => new AppError('PSAM_ORDER_INVALID', { reason });
    if (order.count !== order.terminalNumbers.length) throw invalid(`${order.terminalNumbers.length} terminal numbers for ${order.count} cards`);
    if (new Set(order.terminalNumbers).size !== order.count) throw invalid('a terminal number stands twice');
    if (order.validTo < order.validFrom) throw invalid('validTo lies before validFrom');
    const [occupied] = await this.repository.occupiedTerminals(order.terminalNumbers);
    if (occupied !== undefined) throw invalid(`terminal ${occupied} has a PSAM already`);
    const { counts } = await this.stock(order.lotNo);
    if (counts.blank < order.count) throw invalid(`lot ${order.lotNo} has ${counts.blank} blanks for ${order.count} cards`);
    this.requireFiled(await this.repository.vendorOfLot(order.lotNo), order.lotNo);
    await this.requireKeys(order);
    await this.dataSource
      .transaction(async (tx) => {
        const entryId = await this.journal.record(tx, {
          kind: 'psam.order',
          subject: order.orderNo,
          data: { ...order, keySet: { ...order.keySet }, terminalNumbers: [...order.terminalNumbers] },
        });
        await this.repository.insertOrder(tx, order, entryId);
      })
      .catch(onConstraint({
        psam_order_pkey: () => new AppError('PSAM_ORDER_EXISTS', { order: order.orderNo }),
        psam_order_institution_code_fkey: invalid,
        psam_order_terminal_terminal_number_fkey: invalid,
      }));
  }

  personalise(orderNo: string, channel: CardChannel): Promise<PersonalisationResult> {
    return this.personalisation.personalise(orderNo, channel);
  }

  releaseKey(chipSerial: string, slot: SlotName, challenge: Uint8Array): Promise<Apdu> {
    return this.personalisation.releaseKey(chipSerial, slot, challenge);
  }

  settleIntents(): Promise<{ quarantined: number }> {
    return this.personalisation.settleIntents();
  }

  /** Scraps, returns, loses or sets apart a card. Cards come into work and become good by `personalise` only. */
  async move(chipSerial: string, to: Exclude<PsamState, 'blank' | 'inWork' | 'good'>, reason: string): Promise<PsamCard> {
    await this.dataSource.transaction(async (tx) => {
      const card = await this.repository.card(chipSerial, tx, true);
      if (card === undefined) throw new AppError('PSAM_CARD_UNKNOWN', { chipSerial });
      const state = transition(card.state, to);
      const entryId = await this.journal.record(tx, { kind: 'psam.move', subject: chipSerial, data: { from: card.state, to: state, reason } });
      await this.repository.setState(tx, chipSerial, state, reason, entryId);
    });
    return this.card(chipSerial);
  }

  /** Closes an order when every card is good and none is in work, and the lot balances. PSAM_ORDER_OPEN, PSAM_STOCK_DIFFERS. */
  async closeOrder(orderNo: string): Promise<Stock> {
    return this.dataSource.transaction(async (tx) => {
      const order = await this.repository.order(orderNo, tx, true);
      if (order === undefined) throw new AppError('PSAM_ORDER_UNKNOWN', { order: orderNo });
      if (order.state !== 'open') throw new AppError('PSAM_ORDER_CLOSED', { order: orderNo });
      const cards = await this.repository.cards('order_no', orderNo, tx);
      const inWork = cards.filter((card) => card.state === 'inWork').length;
      const missing = order.count - cards.filter((card) => card.state === 'good').length;
      if (inWork > 0 || missing > 0) throw new AppError('PSAM_ORDER_OPEN', { order: orderNo, inWork, missing });
      const held = (await this.repository.stock(order.lotNo, tx)) as Stock;
      requireConserved(order.lotNo, held);
      const entryId = await this.journal.record(tx, {
        kind: 'psam.orderClosed', subject: orderNo, data: { lotNo: order.lotNo, received: held.received, ...held.counts },
      });
      await this.repository.closeOrder(tx, orderNo, entryId);
      return held;
    });
  }

  /** Cards of a lot by state; `received` is what was counted in. Throws PSAM_LOT_UNKNOWN. */
  async stock(lotNo: string): Promise<Stock & { readonly difference: number }> {
    const held = await this.repository.stock(lotNo);
    if (held === undefined) throw new AppError('PSAM_LOT_UNKNOWN', { lot: lotNo });
    return { ...held, difference: difference(held) };
  }

  cardsOfOrder(orderNo: string): Promise<PsamCard[]> {
    return this.repository.cards('order_no', orderNo);
  }

  cardsOfLot(lotNo: string): Promise<PsamCard[]> {
    return this.repository.cards('lot_no', lotNo);
  }

  /** Throws PSAM_CARD_UNKNOWN. */
  async card(chipSerial: string): Promise<PsamCard> {
    const card = await this.repository.card(chipSerial);
    if (card === undefined) throw new AppError('PSAM_CARD_UNKNOWN', { chipSerial });
    return card;
  }

  private requireFiled(vendor: PsamVendor | undefined, name: string): void {
    if (vendor === undefined) throw new AppError('PSAM_VENDOR_UNKNOWN', { vendor: name });
    const day = beijingDay(this.clock.now());
    if (!isFiled(vendor, day)) throw new AppError('PSAM_VENDOR_NOT_FILED', { vendor: vendor.code, day, from: vendor.filedFrom, to: vendor.filedTo });
  }

  private async requireKeys(order: PsamOrder): Promise<void> {
    const devices = isGroup(order.device) ? await this.hsm.devices() : [];
    const register = (await this.keys.list()).map((key) => ({ ...key, devices: places(holders(key), devices) }));
    const unfit = keyUnfitness(order.keySet, order.device, register);
    if (unfit !== undefined) throw new AppError('PSAM_KEY_UNFIT', { ...unfit });
  }
}

function parsed<S extends z.ZodType>(schema: S, value: unknown): z.infer<S> {
  const result = schema.safeParse(value);
  if (!result.success) throw new AppError('REQUEST_INVALID', { reason: zodReason(result.error) });
  return result.data;
}

/** Turns a broken constraint of the database, by its name, into the error that a person understands. */
function onConstraint(table: Readonly<Record<string, (detail: string) => AppError>>): (error: unknown) => never {
  return (error) => {
    const { constraint, detail } = error as { constraint?: string; detail?: string };
    const known = constraint === undefined ? undefined : table[constraint];
    if (known === undefined) throw error;
    const named = known(detail ?? '');
    named.cause = error;
    throw named;
  };
}
