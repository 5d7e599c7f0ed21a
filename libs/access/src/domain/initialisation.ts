import { z } from 'zod';
import { AppError } from '#libs/platform/domain';
import { type ExclusionRules, type HeldRole, requireAssignable } from './exclusion.js';
import { type Qualification, requireKeyRole } from './qualification.js';
import { QUALIFICATION_KINDS } from './qualification-kind.js';
import { IdentityNumber } from './identity.js';
import { CREDENTIAL_METHODS, Digest, OperatorId } from './record.js';
import { RegionPrefix } from './region.js';
import { ROLE_NAMES, type RoleName } from './role.js';

const moment = z.iso.datetime({ precision: 3 });

/** One of the first operators: a person, the account, what vets them, the roles and two keys: one approves, one signs in. */
export const FirstOperator = z.strictObject({
  operatorId: OperatorId,
  identityNumber: IdentityNumber,
  name: z.string().trim().min(1).max(100),
  department: z.string().trim().min(1).max(100),
  region: z.string().regex(/^[0-9]{6}$/),
  qualifications: z.array(z.strictObject({ kind: z.enum(QUALIFICATION_KINDS), validFrom: moment, validUntil: moment, evidenceDigest: Digest })).max(32),
  roles: z.array(z.strictObject({ role: z.enum(ROLE_NAMES), regions: z.array(RegionPrefix).max(64) })).min(1).max(4),
  /** The key that approves. */
  credential: z.strictObject({ method: z.enum(CREDENTIAL_METHODS), keyDigest: Digest, validUntil: moment }),
  /** The key that signs in, another one. */
  signIn: z.strictObject({ method: z.enum(CREDENTIAL_METHODS), keyDigest: Digest, validUntil: moment }).refine(({ method }) => method !== 'plain', 'nobody signs in with a plain key'),
});
export type FirstOperator = z.infer<typeof FirstOperator>;

/** An approver of the first policy, as far as it must agree with the operators. */
export interface FirstApprover {
  readonly id: string;
  readonly person: string;
  readonly roles: readonly string[];
  readonly keyDigest: string;
  readonly notAfter: string;
}

/**
 * With fewer, the first change about an administrator could never be confirmed by two others. The audit side stands from the first
 * moment: it is created together with the rest, not by an administrator later (GM/T 0034-2014).
 */
export const FIRST_LEAST = { systemAdministrator: 1, securityAdministrator: 2, auditAdministrator: 2 } as const satisfies Partial<Record<RoleName, number>>;

/** One person, one account, one key, at the beginning; roles as for anybody else; the approver list is theirs. Throws INITIALISATION_INVALID, ROLE_EXCLUDED, ROLE_NOT_QUALIFIED. */
export function requireFoundable(operators: readonly FirstOperator[], approvers: readonly FirstApprover[], rules: ExclusionRules, at: Date): void {
  for (const unique of ['operatorId', 'identityNumber'] as const) requireDistinct(unique, operators.map((each) => each[unique]));
  requireDistinct('keyDigest', operators.flatMap(({ credential, signIn }) => [credential.keyDigest, signIn.keyDigest]));
  for (const [role, least] of Object.entries(FIRST_LEAST)) {
    const found = operators.filter(({ roles }) => roles.some((each) => each.role === role)).length;
    if (found < least) throw invalid(`${least} × ${role} needed, ${found} given`);
  }
  for (const operator of operators) requireFit(operator, rules, at);
  for (const approver of approvers) requireListed(approver, operators);
  requireDistinct('approver person', approvers.map(({ person }) => person));
}

function requireFit({ qualifications, roles }: FirstOperator, rules: ExclusionRules, at: Date): void {
  const held: Qualification[] = qualifications.map(({ kind, validFrom, validUntil }) => ({ kind, validFrom: new Date(validFrom), validUntil: new Date(validUntil) }));
  const assigned: HeldRole[] = [];
  for (const { role } of roles) {
    const next: HeldRole = { role, validFrom: at, validUntil: null, componentSet: null, component: null };
    if (role === 'custodian') throw invalid('components do not exist yet: custodians are appointed by a change');
    requireAssignable(assigned, next, rules);
    requireKeyRole(held, role, at);
    assigned.push(next);
  }
}

function requireListed(approver: FirstApprover, operators: readonly FirstOperator[]): void {
  const operator = operators.find(({ operatorId }) => operatorId === approver.id);
  if (operator === undefined) throw invalid(`approver ${approver.id} is none of the operators`);
  const missing = approver.roles.find((role) => !operator.roles.some((each) => each.role === role));
  if (missing !== undefined) throw invalid(`approver ${approver.id} does not hold ${missing}`);
  if (approver.keyDigest !== operator.credential.keyDigest) throw invalid(`approver ${approver.id} has another key`);
  if (approver.notAfter !== operator.credential.validUntil) throw invalid(`the key of approver ${approver.id} ends at another time`);
}

function requireDistinct(what: string, values: readonly string[]): void {
  if (new Set(values).size !== values.length) throw invalid(`${what} twice`);
}

function invalid(reason: string): AppError {
  return new AppError('INITIALISATION_INVALID', { reason });
}
