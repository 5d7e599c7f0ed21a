import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { z } from 'zod';
import { Clock, zodReason } from '#libs/platform';
import { AppError } from '#libs/platform/domain';
import { AccessTerms } from './access-terms.js';
import { type Acting, actingAt, assignmentsInForce, requireInForce, requireRole, requireScope, statusOf } from './domain/authority.js';
import { nextStatus } from './domain/effects.js';
import { quorumForecast, type Shortage } from './domain/forecast.js';
import { IdentityNumber } from './domain/identity.js';
import { Reason, type AnyRow, type PersonRecord, type Row } from './domain/record.js';
import { type RoleName, roleRule } from './domain/role.js';
import { FirstPolicies } from './first-policies.js';
import { PersonRecords } from './person-records.js';

export const NewPerson = z.strictObject({
  identityNumber: IdentityNumber,
  name: z.string().trim().min(1).max(100),
  department: z.string().trim().min(1).max(100),
  region: z.string().regex(/^[0-9]{6}$/),
});
export type NewPerson = z.infer<typeof NewPerson>;

export interface OperatorView {
  readonly personId: string;
  /** First character only; the whole name needs a purpose. */
  readonly name: string;
  readonly department: string;
  readonly region: string;
  readonly accounts: readonly { readonly operatorId: string; readonly status: string }[];
  readonly roles: readonly { readonly role: RoleName; readonly operatorId: string; readonly regions: readonly string[]; readonly validUntil: Date | null }[];
}

/** Who registers persons and proposes changes. */
export const PROPOSERS: readonly RoleName[] = ['systemAdministrator'];

/** Without a valid holder of these, no change could be confirmed any more. */
export const NEVER_EMPTY: readonly RoleName[] = ['securityAdministrator', 'auditAdministrator'];

/** Persons and their accounts: who may act, who is listed, and stopping, for which one person is enough. */
@Injectable()
export class Operators {
  constructor(
    private readonly records: PersonRecords,
    private readonly policies: FirstPolicies,
    private readonly terms: AccessTerms,
    private readonly clock: Clock,
  ) {}

  /**
   * What the operator may do now. Throws OPERATOR_UNKNOWN, OPERATOR_INACTIVE, ACCESS_ROW_ALTERED; with the credential that opened a
   * session also CREDENTIAL_NOT_IN_FORCE, once that is withdrawn, replaced, reset or expired.
   */
  acting(operatorId: string, credentialId?: string): Promise<Acting> {
    return this.records.read(async (tx) => {
      const record = await this.records.ofOperator(tx, operatorId);
      const at = this.clock.now();
      if (credentialId !== undefined) requireInForce(record, credentialId, at);
      return actingAt(record, operatorId, at);
    });
  }

  async actingIn(tx: EntityManager, operatorId: string): Promise<Acting> {
    return actingAt(await this.records.ofOperator(tx, operatorId), operatorId, this.clock.now());
  }

  /** Enters a person, who has no right by that. Returns the person's id. Throws ACCESS_DENIED, OUT_OF_SCOPE, PERSON_EXISTS, REQUEST_INVALID. */
  async registerPerson(byOperatorId: string, person: NewPerson): Promise<string> {
    const { name, identityNumber, ...rest } = parsed(NewPerson, person);
    const identityHash = this.terms.identityHash(identityNumber);
    return this.records.write(async (tx) => {
      const acting = await this.actingIn(tx, byOperatorId);
      requireRole(acting, PROPOSERS, 'access.registerPerson');
      requireScope(acting, PROPOSERS, [rest.region]);
      if (await this.records.identityKnown(tx, identityHash)) throw new AppError('PERSON_EXISTS');
      const personId = randomUUID();
      const row: Row<'person'> = { personId, identityHash, nameHash: this.terms.nameHash(name), ...rest, recordedAt: this.clock.now() };
      await this.records.record(tx, { kind: 'access.registerPerson', personId, data: { by: byOperatorId, nameHash: row.nameHash }, rows: [{ kind: 'person', row }], name });
      return personId;
    });
  }

  /** Persons of the scope's regions, a page at a time. Throws ACCESS_ROW_ALTERED, also for a name that was exchanged. */
  async list(scope: readonly string[], page: { readonly after?: string | undefined; readonly limit: number }): Promise<OperatorView[]> {
    const at = this.clock.now();
    const { listed, records } = await this.records.read(async (tx) => {
      const found = await this.records.listed(tx, scope, page.after, page.limit);
      return { listed: found, records: await this.records.load(tx, found.map(({ personId }) => personId)) };
    });
    return listed.map(({ personId, name }) => {
      const record = records.get(personId);
      const person = record?.person[0];
      if (record === undefined || person === undefined || person.nameHash !== this.terms.nameHash(name)) throw new AppError('ACCESS_ROW_ALTERED', { personId });
      return view(record, person, name, at);
    });
  }

  /** Days of the next 30 on which a quorum of the approval policy, or the second person of a key role, would be missing. */
  async forecast(): Promise<Shortage[]> {
    return quorumForecast(await this.records.read((tx) => this.records.loadAll(tx)), await this.policies.needs(), this.clock.now());
  }

  /** Ends a role, a qualification or a credential at once. Throws ACCESS_DENIED, NOT_FOUND, LAST_OF_ROLE. */
  async withdraw(byOperatorId: string, target: { readonly personId: string; readonly rowId: string; readonly reason: string }): Promise<void> {
    const reason = parsed(Reason, target.reason);
    await this.stop(byOperatorId, 'access.withdraw', target.personId, (record, at) => {
      const known = [...record.roleAssignment.map((row) => row.assignmentId), ...record.qualification.map((row) => row.qualificationId), ...record.credential.map((row) => row.credentialId)];
      if (!known.includes(target.rowId) || record.withdrawal.some((row) => row.rowId === target.rowId && row.effectiveAt <= at)) throw new AppError('NOT_FOUND', { what: target.rowId });
      return [{ kind: 'withdrawal', row: { rowId: target.rowId, personId: record.personId, byOperatorId, effectiveAt: at, reason, recordedAt: at } }];
    });
  }

  /** 停用: at once; coming back is a change. Throws ACCESS_DENIED, OPERATOR_UNKNOWN, OPERATOR_STATUS_ILLEGAL, LAST_OF_ROLE. */
  async suspend(byOperatorId: string, operatorId: string): Promise<void> {
    const { personId } = await this.records.read((tx) => this.records.ofOperator(tx, operatorId));
    await this.stop(byOperatorId, 'access.suspend', personId, (record, at) => [nextStatus(record, operatorId, 'suspended', at, at)]);
  }

  /** Who may take away from an account without a change. Returns the person whose it is. Throws ACCESS_DENIED, OUT_OF_SCOPE, OPERATOR_UNKNOWN. */
  async requireMayStop(tx: EntityManager, byOperatorId: string, operatorId: string, roles: readonly RoleName[], what: string): Promise<string> {
    const acting = await this.actingIn(tx, byOperatorId);
    requireRole(acting, roles, what);
    const record = await this.records.ofOperator(tx, operatorId);
    requireScope(acting, roles, record.person.map(({ region }) => region));
    return record.personId;
  }

  private async stop(byOperatorId: string, kind: string, personId: string, rows: (record: PersonRecord, at: Date) => AnyRow[]): Promise<void> {
    await this.records.write(async (tx) => {
      const at = this.clock.now();
      const acting = await this.actingIn(tx, byOperatorId);
      requireRole(acting, NEVER_EMPTY, kind);
      const record = await this.records.one(tx, personId);
      requireScope(acting, NEVER_EMPTY, record.person.map(({ region }) => region));
      const stopped = rows(record, at);
      await this.records.record(tx, { kind, personId, data: { by: byOperatorId }, rows: stopped });
      await this.requireNotEmpty(tx, at);
    });
  }

  /** Judged on what the transaction would leave. Throws LAST_OF_ROLE. */
  async requireNotEmpty(tx: EntityManager, at: Date): Promise<void> {
    const records = await this.records.loadAll(tx);
    const empty = NEVER_EMPTY.find((role) => !records.some((record) => assignmentsInForce(record, at).some((held) => held.role === role)));
    if (empty !== undefined) throw new AppError('LAST_OF_ROLE', { roleZh: roleRule(empty).text.zh, roleEn: roleRule(empty).text.en });
  }
}

function view(record: PersonRecord, person: Row<'person'>, name: string, at: Date): OperatorView {
  return {
    personId: record.personId,
    name: `${[...name][0] ?? ''}**`,
    department: person.department,
    region: person.region,
    accounts: record.operator.map(({ operatorId }) => ({ operatorId, status: statusOf(record, operatorId, at) ?? 'pending' })),
    roles: assignmentsInForce(record, at).map(({ role, operatorId, regions, validUntil }) => ({ role, operatorId, regions, validUntil })),
  };
}

/** Throws REQUEST_INVALID with the field's name. */
export function parsed<S extends z.ZodType>(schema: S, value: unknown): z.infer<S> {
  const result = schema.safeParse(value);
  if (!result.success) throw new AppError('REQUEST_INVALID', { reason: zodReason(result.error) });
  return result.data;
}
