import { z } from 'zod';
import { AppError, type Bilingual } from '#libs/platform/domain';
import { type Acting, holds } from './authority.js';
import { QUALIFICATION_KINDS } from './qualification-kind.js';
import { CREDENTIAL_METHODS, CREDENTIAL_PURPOSES, Digest, OperatorId, type Row } from './record.js';
import { RegionPrefix } from './region.js';
import { ROLE_NAMES, type RoleName, roleRule } from './role.js';

const moment = z.iso.datetime({ precision: 3 });

/** What may be changed about a person, and only by a change: whatever gives a right. Taking one away needs one person (`withdraw`, `suspend`). */
export const ChangeContent = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('operator.add'), operatorId: OperatorId }),
  z.strictObject({ kind: z.literal('operator.resume'), operatorId: OperatorId }),
  z.strictObject({ kind: z.literal('qualification.add'), qualification: z.enum(QUALIFICATION_KINDS), validUntil: moment, evidenceDigest: Digest }),
  z
    .strictObject({
      kind: z.literal('role.assign'),
      operatorId: OperatorId,
      role: z.enum(ROLE_NAMES),
      regions: z.array(RegionPrefix).max(64),
      componentSet: z.string().min(1).max(64).nullable().default(null),
      component: z.int().min(1).max(32).nullable().default(null),
      validFrom: moment.optional(),
      validUntil: moment.nullable().default(null),
    })
    .refine(({ role, componentSet, component }) => roleRule(role).component === (componentSet !== null) && (componentSet === null) === (component === null), 'a custodian, and nobody else, has a component'),
  z
    .strictObject({
      kind: z.literal('credential.set'),
      act: z.enum(['add', 'replace', 'reset']),
      operatorId: OperatorId,
      method: z.enum(CREDENTIAL_METHODS),
      purpose: z.enum(CREDENTIAL_PURPOSES),
      keyDigest: Digest,
      validUntil: moment,
      replaces: z.uuid().nullable().default(null),
    })
    .refine(({ method, purpose }) => method !== 'plain' || purpose !== 'signIn', 'nobody signs in with a plain key')
    .refine(({ act, replaces }) => (act === 'add') === (replaces === null), 'a replaced or reset credential is named, an added one replaces none'),
]);
export type ChangeContent = z.infer<typeof ChangeContent>;

/** Who must confirm: one of each, two persons, neither the subject nor the proposer. */
export const LEGS = { security: 'securityAdministrator', audit: 'auditAdministrator' } as const satisfies Record<string, RoleName>;
export type Leg = keyof typeof LEGS;
export const LEG_NAMES = Object.keys(LEGS) as Leg[];

export interface ChangeState {
  readonly change: Row<'change'>;
  readonly proposerPersonId: string;
  readonly confirmations: readonly Row<'confirmation'>[];
  readonly refused: boolean;
}

const RULES = {
  subject: { zh: '变更涉及本人', en: 'the change is about this very person' },
  proposer: { zh: '提出人不得确认', en: 'who proposed it does not confirm it' },
  twice: { zh: '同一人已确认过', en: 'this person has confirmed it already' },
  leg: { zh: '需要安全管理员与审计管理员各一名', en: 'one security and one audit administrator confirm it' },
} as const satisfies Record<string, Bilingual>;

/** Throws CHANGE_CLOSED once a change is refused, expired or confirmed. */
export function requireOpen({ change, confirmations, refused }: ChangeState, at: Date): void {
  if (refused || at >= change.expiresAt || confirmations.length === LEG_NAMES.length) throw new AppError('CHANGE_CLOSED', { changeId: change.changeId });
}

/** The leg that this operator may confirm. Throws CHANGE_CLOSED, CONFIRMATION_REFUSED. */
export function requireConfirmable(state: ChangeState, confirmer: Acting, at: Date): Leg {
  requireOpen(state, at);
  const { change, proposerPersonId, confirmations } = state;
  const { personId } = confirmer;
  if (personId === change.personId) throw refusedBy('subject');
  if (personId === proposerPersonId) throw refusedBy('proposer');
  if (confirmations.some((each) => each.confirmerPersonId === personId)) throw refusedBy('twice');
  const leg = LEG_NAMES.find((name) => holds(confirmer, LEGS[name]) && !confirmations.some((each) => each.leg === name));
  if (leg === undefined) throw refusedBy('leg');
  return leg;
}

function refusedBy(rule: keyof typeof RULES): AppError {
  return new AppError('CONFIRMATION_REFUSED', { ruleZh: RULES[rule].zh, ruleEn: RULES[rule].en });
}

const HOUR = 3_600_000;

/** A confirmed change counts after the delay, so that its owner, told by the notice, can still object. */
export function effectiveAfter(confirmedAt: Date, delayHours: number, requested?: string): Date {
  return new Date(Math.max(confirmedAt.getTime() + delayHours * HOUR, requested === undefined ? 0 : Date.parse(requested)));
}
