import { AppError } from '#libs/platform/domain';
import { Approval, type QuorumPolicy, requirePolicyChain, requireQuorum, SignedPolicy, subjectDigest } from '#libs/signature';
import type { SignedApproval } from './domain/event.js';
import type { Signers } from './domain/signers.js';

/** Who may sign with which key. Behind it stands the access room where there is a database, a signed policy where there is none. */
export abstract class Approvers implements Signers {
  abstract personOf(account: string, policyVersion: number): string | undefined;
  abstract requireSigned(subject: object, approval: SignedApproval, terms: { readonly at: Date; readonly policyVersion: number }): void;
  /** The version that a new plan is to name. */
  abstract readonly version: number;
}

/** By the versions of a signed policy, the same that the HSM supervisor judges by. */
export class PolicyApprovers extends Approvers {
  private constructor(
    private readonly policies: readonly QuorumPolicy[],
    /** Of the first version: compared with what stands on paper. */
    readonly bootstrapDigest: string,
  ) {
    super();
  }

  /** Checks the chain. `pinned` is the digest of the first version as the reader knows it. Throws POLICY_INVALID, POLICY_CHANGED. */
  static of(chain: readonly SignedPolicy[], pinned?: string): PolicyApprovers {
    requirePolicyChain(chain, pinned, '');
    const policies = chain.map(({ policy }) => policy);
    return new PolicyApprovers(policies, subjectDigest(policies[0] as QuorumPolicy));
  }

  override get version(): number {
    return this.policies.length;
  }

  override personOf(account: string, policyVersion: number): string | undefined {
    return this.policies[policyVersion - 1]?.approvers.find(({ id }) => id === account)?.person;
  }

  override requireSigned(subject: object, approval: SignedApproval, { at, policyVersion }: { readonly at: Date; readonly policyVersion: number }): void {
    const parsed = Approval.safeParse(approval);
    const policy = this.policies[policyVersion - 1];
    if (!parsed.success || policy === undefined) throw new AppError('APPROVAL_INVALID', { reason: policy === undefined ? `no policy version ${policyVersion}` : `approval of ${approval.approver} is malformed` });
    requireQuorum(subject, [parsed.data], { policy, need: { count: 1, roles: {} }, requester: '', now: at });
  }
}
