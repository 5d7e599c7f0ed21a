import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { Hsm } from '#libs/hsm';
import { Journal } from '#libs/journal';
import { Clock } from '#libs/platform';
import { AppError, fromHex, isAppError, type JsonValue, toHex } from '#libs/platform/domain';
import type { CardChannel } from './card-channel.js';
import { CardSession, chipSerialOf, type ReleaseKey } from './card-session.js';
import { type Apdu, secured } from './domain/apdu.js';
import { type LoggedExchange, logDigest } from './domain/apdu-log.js';
import type { CardIdentity, SlotName } from './domain/card-profile.js';
import { type Failure, type PersonalisationResult, type Proof, type PsamCard, psamSerial } from './domain/psam.js';
import { transition } from './domain/psam-state.js';
import { loadStep, personalisationScript } from './domain/script.js';
import { KeyReleases } from './key-releases.js';
import { proveCard } from './psam-proofs.js';
import { PsamRepository, type StoredOrder } from './psam.repository.js';

interface Work {
  readonly sessionId: string;
  readonly order: StoredOrder;
  readonly card: WorkingCard;
}
type WorkingCard = PsamCard & { readonly psamSerial: string; readonly terminalNumber: string };

/** One card from blank to proven. The card is in work, on paper, before it hears its first command. */
@Injectable()
export class Personalisation {
  constructor(
    private readonly dataSource: DataSource,
    private readonly repository: PsamRepository,
    private readonly releases: KeyReleases,
    private readonly journal: Journal,
    private readonly hsm: Hsm,
    private readonly clock: Clock,
  ) {}

  /**
   * Makes the card in the channel a PSAM of this order. Whatever goes wrong once it is in work (card, token, proof)
   * quarantines the card and stands in the result; before that it throws and the card stays blank:
   * PSAM_CARD_UNKNOWN, PSAM_STATE_ILLEGAL, PSAM_ORDER_*, PSAM_ATR_UNKNOWN, PSAM_CARD_GONE, PSAM_CARD_SILENT.
   */
  async personalise(orderNo: string, channel: CardChannel): Promise<PersonalisationResult> {
    const atr = await channel.reset();
    const work = await this.begin(orderNo, atr);
    const session = new CardSession(channel, this.hsm, work.order.device);
    let proofs: readonly Proof[] = [];
    let cause: unknown;
    try {
      proofs = await this.makeAndProve(work, session);
    } catch (error) {
      cause = error;
    }
    const failure = cause === undefined ? failedProof(proofs) : failureOf(cause);
    const state = await this.end(work, { failure, proofs, log: session.log });
    if (cause !== undefined && !isAppError(cause)) throw cause;
    const { chipSerial, psamSerial: serial, terminalNumber } = work.card;
    return {
      sessionId: work.sessionId, chipSerial, psamSerial: serial, terminalNumber,
      state, proofs, failure, commands: session.log.length, logDigest: logDigest(session.log),
    };
  }

  /**
   * The finished WRITE KEY of one slot, bound to the card's challenge: for a line that speaks to its cards by itself.
   * A second challenge for a released slot throws KEY_ALREADY_RELEASED and quarantines the card.
   */
  async releaseKey(chipSerial: string, slot: SlotName, challenge: Uint8Array): Promise<Apdu> {
    const card = await this.repository.card(chipSerial);
    if (card?.orderNo === undefined || card.state !== 'inWork') throw new AppError('PSAM_STATE_ILLEGAL', { from: card?.state ?? '-', to: 'inWork' });
    const order = await this.orderOf(card.orderNo);
    const { load } = loadStep(slot, identity(card as WorkingCard, order), order.keySet);
    try {
      const { cipher, mac } = await this.releases.release(chipSerial, slot, { ...load, challenge }, order.device);
      return secured(load.command, cipher, mac);
    } catch (error) {
      if (isAppError(error) && error.code === 'KEY_ALREADY_RELEASED') await this.quarantine(chipSerial, error.code);
      throw error;
    }
  }

  /** Start-up: a session without an outcome was cut off; its card may hold any half of its keys, so it is quarantined. */
  async settleIntents(): Promise<{ quarantined: number }> {
    const open = await this.repository.openSessions();
    for (const { id, chipSerial } of open) {
      await this.dataSource.transaction(async (tx) => {
        const entryId = await this.journal.record(tx, { kind: 'psam.interrupted', subject: chipSerial, data: { sessionId: id } });
        const card = await this.repository.card(chipSerial, tx, true);
        if (card?.state === 'inWork') await this.repository.setState(tx, chipSerial, transition(card.state, 'quarantined'), 'PSAM_INTERRUPTED', entryId);
        const outcome = { failure: { code: 'PSAM_INTERRUPTED', details: {} }, proofs: [], commands: [], logDigest: logDigest([]) };
        await this.repository.closeSession(tx, { id, at: this.clock.now(), outcome: 'quarantined', ...outcome }, entryId);
      });
    }
    return { quarantined: open.length };
  }

  private async makeAndProve({ card, order }: Work, session: CardSession): Promise<Proof[]> {
    const what = identity(card, order);
    const release: ReleaseKey = async (slot, load) => {
      const protectedKey = await this.releases.release(card.chipSerial, slot, load, order.device);
      return { protectedKey, loaded: () => this.releases.loaded(card.chipSerial, slot, protectedKey) };
    };
    for (const step of personalisationScript(what, order.keySet)) await session.run(step, release);
    return proveCard({ session, hsm: this.hsm, device: order.device, card: what, keySet: order.keySet });
  }

  /** Intent: gives the card its serial and terminal and puts it in work, before the token or the card does anything. */
  private begin(orderNo: string, atr: Uint8Array): Promise<Work> {
    const chipSerial = chipSerialOf(atr);
    return this.dataSource.transaction(async (tx) => {
      const order = await this.orderOf(orderNo, () => this.repository.order(orderNo, tx, true));
      if (order.state !== 'open') throw new AppError('PSAM_ORDER_CLOSED', { order: orderNo });
      const found = await this.repository.card(chipSerial, tx, true);
      if (found === undefined) throw new AppError('PSAM_CARD_UNKNOWN', { chipSerial });
      if (found.lotNo !== order.lotNo) throw new AppError('PSAM_CARD_FOREIGN_LOT', { chipSerial, lot: found.lotNo });
      const state = transition(found.state, 'inWork');
      const terminalNumber = await this.repository.freeTerminal(tx, orderNo);
      if (terminalNumber === undefined) throw new AppError('PSAM_ORDER_COMPLETE', { order: orderNo });
      const serial = psamSerial(order.region, await this.repository.nextRunningNumber(tx));
      const card: WorkingCard = { ...found, state, atr: toHex(atr), orderNo, psamSerial: serial, terminalNumber };
      const sessionId = randomUUID();
      const entryId = await this.journal.record(tx, {
        kind: 'psam.begin',
        subject: chipSerial,
        data: { sessionId, orderNo, psamSerial: serial, terminalNumber, atr: toHex(atr), device: order.device, keySet: { ...order.keySet } },
      });
      await this.repository.putInWork(tx, card, entryId);
      await this.repository.openSession(tx, { id: sessionId, chipSerial, orderNo, at: this.clock.now() }, entryId);
      return { sessionId, order, card };
    });
  }

  /** Outcome. A card that somebody quarantined meanwhile stays so. */
  private end(work: Work, result: { failure: Failure | undefined; proofs: readonly Proof[]; log: readonly LoggedExchange[] }): Promise<'good' | 'quarantined'> {
    const { chipSerial } = work.card;
    return this.dataSource.transaction(async (tx) => {
      const now = await this.repository.card(chipSerial, tx, true);
      const wanted = result.failure === undefined ? 'good' : 'quarantined';
      const outcome = now?.state === 'inWork' ? wanted : 'quarantined';
      const failure = (result.failure ?? null) as JsonValue;
      const proofs = result.proofs.map((proof) => ({ ...proof }));
      const digest = logDigest(result.log);
      const entryId = await this.journal.record(tx, {
        kind: outcome === 'good' ? 'psam.good' : 'psam.quarantine',
        subject: chipSerial,
        data: { sessionId: work.sessionId, failure, proofs, logDigest: digest },
      });
      if (now?.state === 'inWork') await this.repository.setState(tx, chipSerial, transition(now.state, outcome), result.failure?.code, entryId);
      const session = { id: work.sessionId, at: this.clock.now(), outcome, failure, proofs, commands: result.log, logDigest: digest } as const;
      await this.repository.closeSession(tx, session, entryId);
      return outcome;
    });
  }

  private quarantine(chipSerial: string, reason: string): Promise<void> {
    return this.dataSource.transaction(async (tx) => {
      const card = await this.repository.card(chipSerial, tx, true);
      if (card === undefined || card.state === 'quarantined') return;
      const entryId = await this.journal.record(tx, { kind: 'psam.quarantine', subject: chipSerial, data: { reason } });
      await this.repository.setState(tx, chipSerial, transition(card.state, 'quarantined'), reason, entryId);
    });
  }

  private async orderOf(orderNo: string, load = () => this.repository.order(orderNo)): Promise<StoredOrder> {
    const order = await load();
    if (order === undefined) throw new AppError('PSAM_ORDER_UNKNOWN', { order: orderNo });
    return order;
  }
}

function identity(card: WorkingCard, order: StoredOrder): CardIdentity {
  return {
    chipSerial: fromHex(card.chipSerial),
    psamSerial: fromHex(card.psamSerial),
    terminalNumber: fromHex(card.terminalNumber),
    region: order.region,
    institutionCode: order.institutionCode,
    validFrom: order.validFrom,
    validTo: order.validTo,
  };
}

function failedProof(proofs: readonly Proof[]): Failure | undefined {
  const failed = proofs.find((proof) => !proof.ok);
  if (failed === undefined) return undefined;
  return { code: 'PSAM_PROOF_FAILED', details: { proof: failed.name, expected: failed.expected, actual: failed.actual } };
}

function failureOf(error: unknown): Failure {
  return isAppError(error) ? { code: error.code, details: error.details } : { code: 'INTERNAL', details: {} };
}
