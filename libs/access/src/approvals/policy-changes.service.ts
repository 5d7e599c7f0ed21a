import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { Journal } from '#libs/journal';
import { Logger } from '#libs/platform';
import { isAppError } from '#libs/platform/domain';
import { type Approval, QuorumPolicy, requireReachable, subjectDigest } from '#libs/signature';
import { requireRole } from '../domain/authority.js';
import type { RoleName } from '../domain/role.js';
import { Operators, parsed } from '../operators.service.js';
import { PersonRecords } from '../person-records.js';
import { ApprovalPolicy } from './approval-policy.js';
import { ApprovalsRepository } from './approvals.repository.js';
import { Approvals } from './approvals.service.js';
import { Approvers } from './approvers.js';

/** What the next version of the policy says; its number and its predecessor are the room's to write. */
export const PolicyDraft = z.strictObject({ approvers: QuorumPolicy.shape.approvers, rules: QuorumPolicy.shape.rules, amend: QuorumPolicy.shape.amend });
export type PolicyDraft = z.infer<typeof PolicyDraft>;

const PROPOSERS: readonly RoleName[] = ['securityAdministrator'];

/** Policies guard policies: the next version is signed by the quorum that the one in force wants for it. */
@Injectable()
export class PolicyChanges {
  constructor(
    private readonly approvals: Approvals,
    private readonly approvers: Approvers,
    private readonly repository: ApprovalsRepository,
    private readonly policy: ApprovalPolicy,
    private readonly operators: Operators,
    private readonly records: PersonRecords,
    private readonly journal: Journal,
    private readonly log: Logger,
  ) {}

  /**
   * Puts the next version before the approvers of the one in force and returns at once; the id is the digest that they sign. When
   * enough have signed it goes to the supervisor. `proposerId` undefined: over the local socket. Throws ACCESS_DENIED, REQUEST_INVALID,
   * POLICY_INVALID (nobody could ever approve something), CREDENTIAL_REPLACED (an approver with a key that is not registered).
   */
  async propose(proposerId: string | undefined, proposed: PolicyDraft): Promise<{ id: string; version: number }> {
    const draft = parsed(PolicyDraft, proposed);
    if (proposerId !== undefined) requireRole(await this.operators.acting(proposerId), PROPOSERS, 'approvals.proposePolicy');
    const before = await this.approvers.policyInForce();
    const next = parsed(QuorumPolicy, { format: 'hufu/hsm-policy/1', version: before.version + 1, previous: subjectDigest(before), ...draft });
    requireReachable(next, '-');
    await this.records.read(async (tx) => {
      for (const { id } of next.approvers) await this.approvers.standing(tx, next, id);
    });
    const { approved } = await this.approvals.put(next, undefined, proposerId);
    void this.carryOut(next, approved);
    return { id: subjectDigest(next), version: next.version };
  }

  /** Start-up: a version that a quorum has signed and that did not reach the supervisor is handed in now. Returns how many. */
  async settle(): Promise<number> {
    const signed = await this.records.read((tx) => this.repository.approvedPolicies(tx));
    if (signed.length === 0) return 0;
    const before = await this.approvers.policyInForce();
    const next = signed.find(({ subject }) => subject.format === 'hufu/hsm-policy/1' && subject.version === before.version + 1 && subject.previous === subjectDigest(before));
    if (next === undefined) return 0;
    const approvals = await this.records.read((tx) => this.repository.approvals(tx, next.id));
    await this.carryOut(next.subject as QuorumPolicy, Promise.resolve(approvals.map(({ approval }) => approval)));
    return 1;
  }

  private async carryOut(policy: QuorumPolicy, approved: Promise<Approval[]>): Promise<void> {
    const id = subjectDigest(policy);
    try {
      await this.policy.add({ policy, approvals: await approved });
      await this.noted(id, 'approvals.policyAdded', { version: policy.version });
    } catch (error) {
      this.log.error('the policy was not changed', error, { id });
      const code = isAppError(error) ? error.code : 'INTERNAL';
      await this.noted(id, 'approvals.policyFailed', { version: policy.version, code }).catch((failed: unknown) => this.log.error('the policy was not changed, and that is not journalled', failed, { id }));
    }
  }

  private noted(id: string, kind: string, data: { readonly version: number; readonly code?: string }): Promise<void> {
    return this.records.write(async (tx) => void (await this.journal.record(tx, { kind, subject: id, data })));
  }
}
