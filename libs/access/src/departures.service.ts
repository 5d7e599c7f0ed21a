import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { z } from 'zod';
import { Clock } from '#libs/platform';
import { AppError } from '#libs/platform/domain';
import { requireRole, rolesOf } from './domain/authority.js';
import { requireMayLeave } from './domain/departure.js';
import { nextStatus } from './domain/effects.js';
import { type AnyRow, Digest, type PersonRecord, Reason } from './domain/record.js';
import { Operators, parsed } from './operators.service.js';
import { PersonRecords } from './person-records.js';

/** An absence ends; a departure (离岗) does not, and carries the evidence of the leaver's secrecy measures. */
export const Leave = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('absence'), validFrom: z.date(), validUntil: z.date(), reason: Reason }).refine(({ validFrom, validUntil }) => validFrom < validUntil, 'an absence ends after it begins'),
  z.strictObject({ kind: z.literal('departure'), validFrom: z.date(), reason: Reason, evidenceDigest: Digest }),
]);
export type Leave = z.infer<typeof Leave>;

/** Absence, hand-over and leaving (在岗离岗、工作移交). */
@Injectable()
export class Departures {
  constructor(
    private readonly records: PersonRecords,
    private readonly operators: Operators,
    private readonly clock: Clock,
  ) {}

  /** By the person or by a security administrator. During an absence the person may not act. Throws ACCESS_DENIED, REQUEST_INVALID. */
  async announce(byOperatorId: string, personId: string, announced: Leave): Promise<void> {
    const leave = parsed(Leave, announced);
    await this.records.write(async (tx) => {
      const at = this.clock.now();
      const acting = await this.operators.actingIn(tx, byOperatorId);
      if (acting.personId !== personId) requireRole(acting, ['securityAdministrator'], 'access.announceLeave');
      await this.records.one(tx, personId);
      const row = { validUntil: null, evidenceDigest: null, ...leave, leaveId: randomUUID(), personId, recordedAt: at };
      await this.records.record(tx, { kind: 'access.announceLeave', personId, data: { by: byOperatorId, leave: leave.kind }, rows: [{ kind: 'leave', row }] });
    });
  }

  /** The holder gives one post to a successor; the successor has to receive it. Returns the id of the hand-over. Throws NOT_FOUND, REQUEST_INVALID. */
  async handOver(byOperatorId: string, given: { readonly assignmentId: string; readonly successorId: string; readonly evidenceDigest: string }): Promise<string> {
    const evidenceDigest = parsed(Digest, given.evidenceDigest);
    return this.records.write(async (tx) => {
      const at = this.clock.now();
      const { personId } = await this.operators.actingIn(tx, byOperatorId);
      const giver = await this.records.one(tx, personId);
      if (!giver.roleAssignment.some(({ assignmentId }) => assignmentId === given.assignmentId)) throw new AppError('NOT_FOUND', { what: given.assignmentId });
      if (given.successorId === personId) throw new AppError('REQUEST_INVALID', { reason: 'nobody is their own successor' });
      await this.records.one(tx, given.successorId);
      const handOverId = randomUUID();
      await this.records.record(tx, {
        kind: 'access.handOver',
        personId,
        data: { by: byOperatorId, handOverId, assignmentId: given.assignmentId, successor: given.successorId },
        rows: [{ kind: 'handOver', row: { handOverId, personId, assignmentId: given.assignmentId, successorId: given.successorId, evidenceDigest, recordedAt: at } }],
      });
      return handOverId;
    });
  }

  /** The named successor signs for it, once. Throws NOT_FOUND for anybody else. */
  async receive(byOperatorId: string, giverId: string, handOverId: string): Promise<void> {
    await this.records.write(async (tx) => {
      const { personId } = await this.operators.actingIn(tx, byOperatorId);
      const [giver, receiver] = [await this.records.one(tx, giverId), await this.records.one(tx, personId)];
      if (receiver.handOverReceipt.some((each) => each.handOverId === handOverId)) throw new AppError('NOT_FOUND', { what: handOverId });
      if (!giver.handOver.some((each) => each.handOverId === handOverId && each.successorId === personId)) throw new AppError('NOT_FOUND', { what: handOverId });
      await this.records.record(tx, { kind: 'access.receive', personId, data: { by: byOperatorId, handOverId }, rows: [{ kind: 'handOverReceipt', row: { handOverId, personId, recordedAt: this.clock.now() } }] });
    });
  }

  /** Closes every account and post of a person for ever. Throws ACCESS_DENIED, LEAVE_NOT_ANNOUNCED, HAND_OVER_OPEN, LAST_OF_ROLE. */
  async leave(byOperatorId: string, personId: string): Promise<void> {
    await this.records.write(async (tx) => {
      const at = this.clock.now();
      requireRole(await this.operators.actingIn(tx, byOperatorId), ['securityAdministrator'], 'access.leave');
      const leaver = await this.records.one(tx, personId);
      requireMayLeave({ leaver, successors: await this.successors(tx, leaver) }, at);
      await this.records.record(tx, { kind: 'access.leave', personId, data: { by: byOperatorId }, rows: closing(leaver, byOperatorId, at) });
      await this.operators.requireNotEmpty(tx, at);
    });
  }

  private async successors(tx: EntityManager, leaver: PersonRecord): Promise<PersonRecord[]> {
    return [...(await this.records.load(tx, leaver.handOver.map(({ successorId }) => successorId))).values()];
  }
}

function closing(leaver: PersonRecord, byOperatorId: string, at: Date): AnyRow[] {
  const { personId } = leaver;
  const accounts = leaver.operator.map(({ operatorId }) => nextStatus(leaver, operatorId, 'left', at, at));
  const running = rolesOf(leaver).filter(({ validUntil }) => validUntil === null || at < validUntil);
  return [...accounts, ...running.map(({ assignmentId }): AnyRow => ({ kind: 'withdrawal', row: { rowId: assignmentId, personId, byOperatorId, effectiveAt: at, reason: 'access.leave', recordedAt: at } }))];
}
