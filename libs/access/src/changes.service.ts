import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Clock } from '#libs/platform';
import { AppError, canonicalJson, type JsonValue } from '#libs/platform/domain';
import { AccessTerms } from './access-terms.js';
import { requireRole, requireScope } from './domain/authority.js';
import { ChangeContent, type ChangeState, LEG_NAMES, LEGS, requireConfirmable, requireOpen } from './domain/change.js';
import { effectsOf, type EffectTerms } from './domain/effects.js';
import { type AnyRow, type PersonRecord, Reason, type Row } from './domain/record.js';
import { inScope } from './domain/region.js';
import { Operators, parsed, PROPOSERS } from './operators.service.js';
import { PersonRecords } from './person-records.js';
import { SignInRepository } from './sign-in/sign-in.repository.js';

const DAY = 86_400_000;

export interface ChangeView {
  readonly changeId: string;
  readonly personId: string;
  readonly proposerId: string;
  readonly content: ChangeContent;
  readonly expiresAt: Date;
  readonly confirmed: readonly string[];
}

interface Loaded {
  readonly record: PersonRecord;
  readonly state: ChangeState;
  readonly content: ChangeContent;
}

/** Whatever gives a right: proposed by one, confirmed by a security and an audit administrator, told to its owner, in force after a delay. */
@Injectable()
export class Changes {
  constructor(
    private readonly records: PersonRecords,
    private readonly operators: Operators,
    private readonly material: SignInRepository,
    private readonly terms: AccessTerms,
    private readonly clock: Clock,
  ) {}

  /** Returns the id of the change. It is tried out first. Throws ACCESS_DENIED, OUT_OF_SCOPE and what its effects would throw. */
  async propose(proposerId: string, personId: string, change: ChangeContent): Promise<string> {
    const content = parsed(ChangeContent, change);
    return this.records.write(async (tx) => {
      const at = this.clock.now();
      const proposer = await this.operators.actingIn(tx, proposerId);
      requireRole(proposer, PROPOSERS, 'access.propose');
      const record = await this.records.one(tx, personId);
      requireScope(proposer, PROPOSERS, regionsOf(record, content));
      await this.effects(tx, content, record, proposerId, at);
      const changeId = randomUUID();
      const text = new TextDecoder().decode(canonicalJson(content as unknown as JsonValue));
      await this.records.record(tx, {
        kind: 'access.propose',
        personId,
        data: { by: proposerId, changeId, change: content.kind },
        rows: [
          { kind: 'change', row: { changeId, personId, proposerId, content: text, expiresAt: new Date(at.getTime() + this.terms.config.changeDays * DAY), recordedAt: at } },
          notice(personId, changeId, 'proposed', at),
        ],
      });
      return changeId;
    });
  }

  /** One leg; with the second the change is done. Returns the legs that are still missing. Throws CONFIRMATION_REFUSED, OUT_OF_SCOPE, CHANGE_CLOSED, NOT_FOUND. */
  async confirm(confirmerId: string, changeId: string): Promise<string[]> {
    return this.records.write(async (tx) => {
      const at = this.clock.now();
      const confirmer = await this.operators.actingIn(tx, confirmerId);
      const { record, state, content } = await this.open(tx, changeId);
      const { personId } = record;
      const leg = requireConfirmable(state, confirmer, at);
      requireScope(confirmer, [LEGS[leg]], regionsOf(record, content));
      const done = state.confirmations.length + 1 === LEG_NAMES.length;
      const confirmation: AnyRow = { kind: 'confirmation', row: { changeId, personId, leg, confirmerId, confirmerPersonId: confirmer.personId, recordedAt: at } };
      const effects = done ? [...(await this.effects(tx, content, record, confirmerId, at)), notice(personId, changeId, 'confirmed', at)] : [];
      await this.records.record(tx, { kind: 'access.confirm', personId, data: { by: confirmerId, changeId, leg, done }, rows: [confirmation, ...effects] });
      return LEG_NAMES.filter((name) => name !== leg && !state.confirmations.some((each) => each.leg === name));
    });
  }

  /** One refusal ends it: by either administrator, or by the owner of what would change. Throws ACCESS_DENIED, CHANGE_CLOSED, NOT_FOUND. */
  async refuse(byOperatorId: string, changeId: string, why: string): Promise<void> {
    const reason = parsed(Reason, why);
    await this.records.write(async (tx) => {
      const at = this.clock.now();
      const acting = await this.operators.actingIn(tx, byOperatorId);
      const { record, state } = await this.open(tx, changeId);
      const { personId } = record;
      if (acting.personId !== personId) requireRole(acting, Object.values(LEGS), 'access.refuse');
      requireOpen(state, at);
      await this.records.record(tx, {
        kind: 'access.refuse',
        personId,
        data: { by: byOperatorId, changeId },
        rows: [{ kind: 'refusal', row: { changeId, personId, byOperatorId, reason, recordedAt: at } }, notice(personId, changeId, 'refused', at)],
      });
    });
  }

  /** What waits for confirmation, about persons of the scope's regions. */
  async pending(scope: readonly string[]): Promise<ChangeView[]> {
    const at = this.clock.now();
    const records = await this.records.read((tx) => this.records.loadAll(tx));
    return records.filter(({ person }) => person.some(({ region }) => inScope(scope, region))).flatMap((record) =>
      record.change.filter((change) => isOpen(record, change, at)).map((change) => ({
        changeId: change.changeId,
        personId: change.personId,
        proposerId: change.proposerId,
        content: contentOf(change),
        expiresAt: change.expiresAt,
        confirmed: confirmationsOf(record, change.changeId).map(({ leg }) => leg),
      })),
    );
  }

  /** What the owner of an account was told, newest first. */
  async notices(operatorId: string): Promise<Row<'notice'>[]> {
    return [...(await this.records.read((tx) => this.records.ofOperator(tx, operatorId))).notice].reverse();
  }

  private async open(tx: EntityManager, changeId: string): Promise<Loaded> {
    const personId = await this.records.personOfChange(tx, changeId);
    const record = personId === undefined ? undefined : await this.records.one(tx, personId);
    const change = record?.change.find((each) => each.changeId === changeId);
    if (record === undefined || change === undefined) throw new AppError('NOT_FOUND', { what: changeId });
    const proposer = await this.records.ofOperator(tx, change.proposerId);
    const state = { change, proposerPersonId: proposer.personId, confirmations: confirmationsOf(record, changeId), refused: record.refusal.some((each) => each.changeId === changeId) };
    return { record, state, content: contentOf(change) };
  }

  private async effects(tx: EntityManager, content: ChangeContent, record: PersonRecord, confirmerId: string, at: Date): Promise<AnyRow[]> {
    const { changeDelayHours: delayHours, lookBackDays } = this.terms.config;
    const terms: EffectTerms = { at, delayHours, lookBackDays, confirmerId, newId: randomUUID };
    if (content.kind === 'operator.add' && (await this.records.personOf(tx, content.operatorId)) !== undefined) throw new AppError('OPERATOR_EXISTS', { operatorId: content.operatorId });
    if (content.kind === 'credential.set' && (await this.records.keyInUse(tx, content.keyDigest))) throw new AppError('CREDENTIAL_TAKEN');
    if (content.kind === 'credential.set') await this.material.requireOwn(content, tx);
    return effectsOf(content, record, terms);
  }
}

/** Where the person works, and where a role would count. */
function regionsOf({ person }: PersonRecord, content: ChangeContent): string[] {
  return [...person.map(({ region }) => region), ...(content.kind === 'role.assign' ? content.regions : [])];
}

function confirmationsOf(record: PersonRecord, changeId: string): Row<'confirmation'>[] {
  return record.confirmation.filter((each) => each.changeId === changeId);
}

function isOpen(record: PersonRecord, { changeId, expiresAt }: Row<'change'>, at: Date): boolean {
  return at < expiresAt && confirmationsOf(record, changeId).length < LEG_NAMES.length && !record.refusal.some((each) => each.changeId === changeId);
}

function contentOf({ content }: Row<'change'>): ChangeContent {
  return ChangeContent.parse(JSON.parse(content));
}

function notice(personId: string, changeId: string, event: 'proposed' | 'confirmed' | 'refused', at: Date): AnyRow {
  return { kind: 'notice', row: { noticeId: randomUUID(), personId, changeId, event, recordedAt: at } };
}
