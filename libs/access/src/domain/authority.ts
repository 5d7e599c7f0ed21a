import { AppError } from '#libs/platform/domain';
import type { HeldRole } from './exclusion.js';
import { missingQualifications, type Qualification } from './qualification.js';
import type { PersonRecord, Row } from './record.js';
import { inScope, unionOfPrefixes } from './region.js';
import { type RoleName, roleRule } from './role.js';

/** An operator as a use case sees one at a moment: only what is in force. */
export interface Acting {
  readonly operatorId: string;
  readonly personId: string;
  readonly assignments: readonly Row<'roleAssignment'>[];
}

type Interval = { readonly validFrom: Date; readonly validUntil: Date | null };

/** Cuts an interval at the earliest withdrawal of its row. */
function cut<T extends Interval>(row: T, rowId: string, record: PersonRecord): T {
  const ends = record.withdrawal.filter((each) => each.rowId === rowId).map(({ effectiveAt }) => effectiveAt);
  const earliest = [...ends, ...(row.validUntil === null ? [] : [row.validUntil])].sort((a, b) => a.getTime() - b.getTime())[0];
  return { ...row, validUntil: earliest ?? null };
}

/** Every role the person ever held or will hold, with withdrawals taken into account. */
export function rolesOf(record: PersonRecord): (HeldRole & Row<'roleAssignment'>)[] {
  return record.roleAssignment.map((row) => cut(row, row.assignmentId, record));
}

export function qualificationsOf(record: PersonRecord): Qualification[] {
  return record.qualification.map((row) => cut(row as Row<'qualification'> & Interval, row.qualificationId, record) as Row<'qualification'>);
}

export function credentialsOf(record: PersonRecord): Row<'credential'>[] {
  return record.credential.map((row) => cut(row as Row<'credential'> & Interval, row.credentialId, record) as Row<'credential'>);
}

/** Throws CREDENTIAL_NOT_IN_FORCE. */
export function requireInForce(record: PersonRecord, credentialId: string, at: Date): void {
  if (!credentialsOf(record).some((held) => held.credentialId === credentialId && covers(held, at))) throw new AppError('CREDENTIAL_NOT_IN_FORCE');
}

export function covers({ validFrom, validUntil }: Interval, at: Date): boolean {
  return validFrom <= at && (validUntil === null || at < validUntil);
}

/** The status of an account at a moment; undefined before it exists. */
export function statusOf(record: PersonRecord, operatorId: string, at: Date): Row<'operatorStatus'>['status'] | undefined {
  return record.operatorStatus.filter((row) => row.operatorId === operatorId && row.effectiveAt <= at).sort((a, b) => a.sequence - b.sequence).at(-1)?.status;
}

/** Assignments in force: within their time, of an active account, with everything the role needs valid at this very moment. */
export function assignmentsInForce(record: PersonRecord, at: Date): Row<'roleAssignment'>[] {
  const qualifications = qualificationsOf(record);
  return rolesOf(record).filter((held) => covers(held, at) && statusOf(record, held.operatorId, at) === 'active' && missingQualifications(qualifications, held.role, at).length === 0);
}

/**
 * Throws OPERATOR_INACTIVE for an account that does not exist yet, is suspended, has left, or whose person is absent. Who is to depart
 * acts until then, since there is something to hand over.
 */
export function actingAt(record: PersonRecord, operatorId: string, at: Date): Acting {
  const status = statusOf(record, operatorId, at);
  if (status !== 'active') throw new AppError('OPERATOR_INACTIVE', { operatorId });
  if (record.leave.some((leave) => leave.kind === 'absence' && covers(leave, at))) throw new AppError('OPERATOR_INACTIVE', { operatorId });
  return { operatorId, personId: record.personId, assignments: assignmentsInForce(record, at).filter((held) => held.operatorId === operatorId) };
}

export function holds({ assignments }: Acting, role: RoleName): boolean {
  return assignments.some((held) => held.role === role);
}

/** Region prefixes in which the operator may act in one of these roles; none = nothing. */
export function scopeOf({ assignments }: Acting, roles: readonly RoleName[]): string[] {
  return unionOfPrefixes(assignments.filter((held) => roles.includes(held.role)).flatMap(({ regions }) => regions));
}

/** Default deny: throws ACCESS_DENIED unless one of the roles is in force. `what` names the act. */
export function requireRole(acting: Acting, roles: readonly RoleName[], what: string): void {
  if (!roles.some((role) => holds(acting, role))) throw denied(what, roles);
}

/** Throws OUT_OF_SCOPE unless every region (or prefix of regions) lies where one of these roles is held. */
export function requireScope(acting: Acting, roles: readonly RoleName[], regions: readonly string[]): void {
  const scope = scopeOf(acting, roles);
  const outside = regions.find((region) => !inScope(scope, region));
  if (outside !== undefined) throw new AppError('OUT_OF_SCOPE', { region: outside });
}

export function denied(what: string, roles: readonly RoleName[]): AppError {
  const names = (language: 'zh' | 'en', mark: string, none: string): string => roles.map((role) => roleRule(role).text[language]).join(mark) || none;
  return new AppError('ACCESS_DENIED', { what, rolesZh: names('zh', '、', '无'), rolesEn: names('en', ', ', 'nobody') });
}
