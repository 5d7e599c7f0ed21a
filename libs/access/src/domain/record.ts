import { hash } from 'node:crypto';
import { z } from 'zod';
import { canonicalJson } from '#libs/platform/domain';
import { QUALIFICATION_KINDS } from './qualification-kind.js';
import { RegionPrefix } from './region.js';
import { ROLE_NAMES } from './role.js';

export const OperatorId = z.string().regex(/^[a-z][a-z0-9.-]{1,31}$/, 'an account: lower-case letters, digits, dots and hyphens');
export const Digest = z.string().regex(/^[0-9A-F]{64}$/, 'SHA-256 as upper-case hex');
export const Reason = z.string().trim().min(1).max(500);
const id = z.uuid();
const time = z.date();
const open = time.nullable();

export const OPERATOR_STATUSES = ['active', 'suspended', 'left'] as const;
export const CREDENTIAL_METHODS = ['plain', 'webauthn', 'certificate', 'ukey'] as const;
export const CREDENTIAL_PURPOSES = ['signIn', 'approve'] as const;

/**
 * Every kind of row that says something about a person. Rows are only ever added. `personId` is whose record the row belongs to;
 * names stand in a column of their own and in no row, identity numbers nowhere.
 */
export const ROWS = {
  person: z.strictObject({ personId: id, identityHash: Digest, nameHash: Digest, department: z.string().min(1).max(100), region: z.string().regex(/^[0-9]{6}$/), recordedAt: time }),
  operator: z.strictObject({ operatorId: OperatorId, personId: id, effectiveAt: time, recordedAt: time }),
  operatorStatus: z.strictObject({ operatorId: OperatorId, personId: id, sequence: z.int().min(1), status: z.enum(OPERATOR_STATUSES), effectiveAt: time, recordedAt: time }),
  qualification: z.strictObject({ qualificationId: id, personId: id, kind: z.enum(QUALIFICATION_KINDS), validFrom: time, validUntil: time, evidenceDigest: Digest, recordedAt: time }),
  roleAssignment: z.strictObject({
    assignmentId: id,
    personId: id,
    operatorId: OperatorId,
    role: z.enum(ROLE_NAMES),
    regions: z.array(RegionPrefix).max(64),
    componentSet: z.string().min(1).max(64).nullable(),
    component: z.int().min(1).max(32).nullable(),
    validFrom: time,
    validUntil: open,
    recordedAt: time,
  }),
  credential: z.strictObject({
    credentialId: id,
    personId: id,
    operatorId: OperatorId,
    method: z.enum(CREDENTIAL_METHODS),
    purpose: z.enum(CREDENTIAL_PURPOSES),
    keyDigest: Digest,
    validFrom: time,
    validUntil: time,
    recordedAt: time,
  }),
  /** Ends an assignment, a qualification or a credential. */
  withdrawal: z.strictObject({ rowId: id, personId: id, byOperatorId: OperatorId, effectiveAt: time, reason: Reason, recordedAt: time }),
  leave: z.strictObject({ leaveId: id, personId: id, kind: z.enum(['absence', 'departure']), validFrom: time, validUntil: open, reason: Reason, evidenceDigest: Digest.nullable(), recordedAt: time }),
  handOver: z.strictObject({ handOverId: id, personId: id, assignmentId: id, successorId: id, evidenceDigest: Digest, recordedAt: time }),
  handOverReceipt: z.strictObject({ handOverId: id, personId: id, recordedAt: time }),
  change: z.strictObject({ changeId: id, personId: id, proposerId: OperatorId, content: z.string().max(4096), expiresAt: time, recordedAt: time }),
  confirmation: z.strictObject({ changeId: id, personId: id, leg: z.enum(['security', 'audit']), confirmerId: OperatorId, confirmerPersonId: id, recordedAt: time }),
  refusal: z.strictObject({ changeId: id, personId: id, byOperatorId: OperatorId, reason: Reason, recordedAt: time }),
  /** About a change, or about what happened to the sign-in of the person. */
  notice: z.strictObject({ noticeId: id, personId: id, changeId: id.nullable(), event: z.enum(['proposed', 'confirmed', 'refused', 'signInLocked', 'authenticatorCloned']), recordedAt: time }),
} as const;

export type RowKind = keyof typeof ROWS;
export type Row<K extends RowKind> = z.infer<(typeof ROWS)[K]>;
/** A row with its kind, as an act writes it. */
export type AnyRow = { [K in RowKind]: { readonly kind: K; readonly row: Row<K> } }[RowKind];

/** Everything that is known about one person, in the order it was recorded. */
export type PersonRecord = { readonly personId: string } & { readonly [K in RowKind]: readonly Row<K>[] };

/** What the journal entry of an act keeps of each row it writes; a row that gives another digest was changed behind the product's back. */
export function rowDigest({ kind, row }: AnyRow): string {
  const values = Object.fromEntries(Object.entries(row).map(([name, value]) => [name, value instanceof Date ? value.toISOString() : value]));
  return hash('sha256', canonicalJson({ kind, row: values }), 'hex').toUpperCase();
}

export function emptyRecord(personId: string): PersonRecord {
  return { personId, ...(Object.fromEntries(Object.keys(ROWS).map((kind) => [kind, []])) as unknown as Omit<PersonRecord, 'personId'>) };
}
