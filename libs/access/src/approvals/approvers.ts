import { hash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Journal } from '#libs/journal';
import { Clock } from '#libs/platform';
import { AppError, fromHex, isAppError, type JsonValue } from '#libs/platform/domain';
import { type Approval, type Approver, type QuorumPolicy, requirePolicyChain, type SignedPolicy, subjectDigest } from '#libs/signature';
import { actingAt, denied, holds } from '../domain/authority.js';
import { requireApprovingKey } from '../domain/approving-key.js';
import { ROLE_NAMES, type RoleName } from '../domain/role.js';
import { FirstPolicies } from '../first-policies.js';
import { PersonRecords } from '../person-records.js';
import { ApprovalPolicy } from './approval-policy.js';

/** An approver of the policy, as the records of persons know the account now. */
export interface StandingApprover {
  readonly approver: Approver;
  /** The person behind the account; what the policy calls the person while there are no operators. */
  readonly person: string;
  readonly keyDigest: string;
}

/** Who counts as an approver: whom the signed policy lists, as far as the account, its roles and its approving key are in force now. */
@Injectable()
export class Approvers {
  /** Versions that this process has named in the journal. */
  private readonly named = new Set<string>();

  constructor(
    private readonly policy: ApprovalPolicy,
    private readonly firstPolicies: FirstPolicies,
    private readonly records: PersonRecords,
    private readonly journal: Journal,
    private readonly clock: Clock,
  ) {}

  /**
   * The policy in force, checked from its first version on, which must be the one that the first operators brought. A version that this
   * process has not used yet is journalled whole: whoever reads the log knows by which rules its approvals are to be judged. Outside of
   * any transaction: the answer comes from the HSM supervisor. Throws POLICY_INVALID, POLICY_CHANGED.
   */
  async policyInForce(): Promise<QuorumPolicy> {
    const chain = await this.policy.chain();
    const last = requirePolicyChain(chain, await this.firstPolicies.digest());
    for (const signed of chain) await this.name(signed);
    return last;
  }

  private async name(signed: SignedPolicy): Promise<void> {
    const digest = subjectDigest(signed.policy);
    if (this.named.has(digest)) return;
    await this.records.write((tx) => this.journal.record(tx, { kind: 'approvals.policy', subject: digest, data: { signed: signed as unknown as JsonValue } }));
    this.named.add(digest);
  }

  /** Throws APPROVAL_INVALID, OPERATOR_*, ACCESS_DENIED (a role of the policy that is not held now), CREDENTIAL_REPLACED, ACCESS_ROW_ALTERED. */
  async standing(tx: EntityManager, policy: QuorumPolicy, approverId: string): Promise<StandingApprover> {
    const approver = listed(policy, approverId);
    const keyDigest = keyDigestOf(approver);
    // Rehearsal: there are no operators, and the signed policy alone says who approves.
    if (!(await this.firstPolicies.exists(tx))) return { approver, person: approver.person, keyDigest };
    const at = this.clock.now();
    const record = await this.records.ofOperator(tx, approverId);
    const acting = actingAt(record, approverId, at);
    const lapsed = approver.roles.filter((role): role is RoleName => (ROLE_NAMES as readonly string[]).includes(role)).find((role) => !holds(acting, role));
    if (lapsed !== undefined) throw denied('approve', [lapsed]);
    requireApprovingKey(record, { operatorId: approverId, keyDigest, method: approver.method ?? 'plain' }, at);
    return { approver, person: record.personId, keyDigest };
  }

  /** Whether an approval that was taken still counts: it has not run out, and neither has the right of its approver. */
  async stillStands(tx: EntityManager, policy: QuorumPolicy, given: Pick<Approval, 'approver' | 'notAfter'>): Promise<boolean> {
    const at = this.clock.now();
    try {
      const { approver } = await this.standing(tx, policy, given.approver);
      return at < new Date(given.notAfter) && at < new Date(approver.notAfter);
    } catch (error) {
      if (!isAppError(error) || error.code === 'ACCESS_ROW_ALTERED') throw error;
      return false;
    }
  }

  /** The person behind an account, by whichever of the two lists knows it; undefined for a client of the supervisor. */
  async personOf(tx: EntityManager, policy: QuorumPolicy, operatorId: string): Promise<string | undefined> {
    return (await this.records.personOf(tx, operatorId)) ?? policy.approvers.find(({ id }) => id === operatorId)?.person;
  }
}

/** Throws APPROVAL_INVALID. */
export function listed(policy: QuorumPolicy, approverId: string): Approver {
  const approver = policy.approvers.find(({ id }) => id === approverId);
  if (approver === undefined) throw new AppError('APPROVAL_INVALID', { reason: `${approverId} is not on the list of approvers` });
  return approver;
}

export function keyDigestOf({ publicKey }: Approver): string {
  return hash('sha256', fromHex(publicKey), 'hex').toUpperCase();
}
