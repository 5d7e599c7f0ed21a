import { AppError } from '#libs/platform/domain';
import { qualificationsOf, rolesOf } from './authority.js';
import { type ChangeContent, effectiveAfter } from './change.js';
import { type ExclusionRules, requireAssignable } from './exclusion.js';
import { requireKeyRole } from './qualification.js';
import { type AnyRow, OPERATOR_STATUSES, type PersonRecord, type Row } from './record.js';

export interface EffectTerms extends ExclusionRules {
  readonly delayHours: number;
  /** When the second confirmation came. */
  readonly at: Date;
  readonly confirmerId: string;
  readonly newId: () => string;
}

type Status = (typeof OPERATOR_STATUSES)[number];
/** `left` is for ever: the account of somebody who left is never used again. */
const STATUS_MOVES: Readonly<Record<Status, readonly Status[]>> = { active: ['suspended', 'left'], suspended: ['active', 'left'], left: [] };

/** The next status row of an account of this person. Throws OPERATOR_UNKNOWN, OPERATOR_STATUS_ILLEGAL. */
export function nextStatus(record: PersonRecord, operatorId: string, status: Status, effectiveAt: Date, at: Date): AnyRow {
  const last = record.operatorStatus.filter((row) => row.operatorId === operatorId).sort((a, b) => a.sequence - b.sequence).at(-1);
  if (last === undefined) throw new AppError('OPERATOR_UNKNOWN', { operatorId });
  if (!STATUS_MOVES[last.status].includes(status)) throw new AppError('OPERATOR_STATUS_ILLEGAL', { operatorId, from: last.status, to: status });
  return { kind: 'operatorStatus', row: { operatorId, personId: record.personId, sequence: last.sequence + 1, status, effectiveAt, recordedAt: at } };
}

type Effect<K extends ChangeContent['kind']> = (content: Extract<ChangeContent, { kind: K }>, record: PersonRecord, terms: EffectTerms) => AnyRow[];

const EFFECTS: { [K in ChangeContent['kind']]: Effect<K> } = {
  'operator.add': ({ operatorId }, { personId }, { at, delayHours }) => {
    const row = { operatorId, personId, effectiveAt: effectiveAfter(at, delayHours), recordedAt: at };
    return [{ kind: 'operator', row }, { kind: 'operatorStatus', row: { ...row, sequence: 1, status: 'active' } }];
  },
  'operator.resume': ({ operatorId }, record, { at, delayHours }) => [nextStatus(record, operatorId, 'active', effectiveAfter(at, delayHours), at)],
  'qualification.add': ({ qualification, validUntil, evidenceDigest }, { personId }, { at, delayHours, newId }) => {
    const row = { qualificationId: newId(), personId, kind: qualification, validFrom: effectiveAfter(at, delayHours), validUntil: new Date(validUntil), evidenceDigest, recordedAt: at };
    return [{ kind: 'qualification', row: requireInterval(row) }];
  },
  'role.assign': (content, record, { at, delayHours, newId, lookBackDays }) => {
    requireOwnAccount(record, content.operatorId);
    const row: Row<'roleAssignment'> = requireInterval({
      assignmentId: newId(),
      personId: record.personId,
      operatorId: content.operatorId,
      role: content.role,
      regions: content.regions,
      componentSet: content.componentSet,
      component: content.component,
      validFrom: effectiveAfter(at, delayHours, content.validFrom),
      validUntil: content.validUntil === null ? null : new Date(content.validUntil),
      recordedAt: at,
    });
    requireAssignable(rolesOf(record), row, { lookBackDays });
    requireKeyRole(qualificationsOf(record), row.role, row.validFrom);
    return [{ kind: 'roleAssignment', row }];
  },
  'credential.set': (content, record, { at, delayHours, newId, confirmerId }) => {
    requireOwnAccount(record, content.operatorId);
    const { personId } = record;
    const validFrom = effectiveAfter(at, delayHours);
    const { operatorId, method, purpose, keyDigest, replaces } = content;
    const set: AnyRow = { kind: 'credential', row: requireInterval({ credentialId: newId(), personId, operatorId, method, purpose, keyDigest, validFrom, validUntil: new Date(content.validUntil), recordedAt: at }) };
    if (replaces === null) return [set];
    if (!record.credential.some((each) => each.credentialId === replaces && each.operatorId === operatorId && each.purpose === purpose)) throw new AppError('NOT_FOUND', { what: replaces });
    // A reset is for a credential that is lost or in doubt: it ends at once. One that is replaced serves until its successor counts.
    const effectiveAt = content.act === 'reset' ? at : validFrom;
    return [set, { kind: 'withdrawal', row: { rowId: replaces, personId, byOperatorId: confirmerId, effectiveAt, reason: `credential.${content.act}`, recordedAt: at } }];
  },
};

/** The rows that a change makes once it is confirmed. Throws what forbids it; trying it out writes nothing. */
export function effectsOf(content: ChangeContent, record: PersonRecord, terms: EffectTerms): AnyRow[] {
  return (EFFECTS[content.kind] as Effect<ChangeContent['kind']>)(content as never, record, terms);
}

function requireOwnAccount({ personId, operator }: PersonRecord, operatorId: string): void {
  if (!operator.some((row) => row.operatorId === operatorId)) throw new AppError('OPERATOR_UNKNOWN', { operatorId: `${operatorId} (${personId})` });
}

function requireInterval<T extends { readonly validFrom: Date; readonly validUntil: Date | null }>(row: T): T {
  if (row.validUntil !== null && row.validUntil <= row.validFrom) throw new AppError('REQUEST_INVALID', { reason: `it would end at ${row.validUntil.toISOString()}, before it begins at ${row.validFrom.toISOString()}` });
  return row;
}
