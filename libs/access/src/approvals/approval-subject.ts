import { AppError } from '#libs/platform/domain';
import type { ApprovalSubject, Need, QuorumPolicy } from '#libs/signature';

export type SubjectKind = 'request' | 'ticket' | 'policy';

interface SubjectRule<S> {
  readonly kind: SubjectKind;
  /** Name of the rule in the policy when nobody says another. */
  rule(subject: S): string;
  /** The client of the supervisor that asks; empty where none does. */
  requester(subject: S): string;
  requestedBy(subject: S): string | undefined;
  /** Version of the policy whose approvers decide. */
  policyVersion(subject: S): number;
  /** An act; not what is made under a ticket later, and not the log's own key, by which a log that stands still is set going. */
  waitsForJournal(subject: S): boolean;
}

const LOG_KEY_CLASS = 'journalSigning';

const RULES: { readonly [F in ApprovalSubject['format']]: SubjectRule<Extract<ApprovalSubject, { format: F }>> } = {
  'hufu/request/1': { kind: 'request', rule: ({ recipe }) => recipe, requester: ({ requester }) => requester, requestedBy: ({ requestedBy }) => requestedBy, policyVersion: ({ policyVersion }) => policyVersion, waitsForJournal: ({ parameters }) => parameters['keyClass'] !== LOG_KEY_CLASS },
  'hufu/ticket/1': { kind: 'ticket', rule: ({ recipe }) => recipe, requester: ({ line }) => line, requestedBy: ({ requestedBy }) => requestedBy, policyVersion: ({ policyVersion }) => policyVersion, waitsForJournal: () => false },
  // A version is decided on by the one before it.
  'hufu/hsm-policy/1': { kind: 'policy', rule: () => 'amend', requester: () => '', requestedBy: () => undefined, policyVersion: ({ version }) => version - 1, waitsForJournal: () => false },
};

export function subjectRule(subject: ApprovalSubject): SubjectRule<ApprovalSubject> {
  return RULES[subject.format] as SubjectRule<ApprovalSubject>;
}

/** Throws HSM_REFUSED when the policy has no such rule. */
export function needOf(policy: QuorumPolicy, kind: SubjectKind, rule: string): Need {
  const need = kind === 'policy' ? policy.amend : policy.rules[rule];
  if (need === undefined) throw new AppError('HSM_REFUSED', { reason: `${rule} has no rule in policy version ${policy.version}` });
  return need;
}
