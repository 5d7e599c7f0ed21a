import type { SignedPolicy } from '#libs/signature';

/** Where the signed approver list and policy is kept and enforced: the HSM supervisor, bound in the app. */
export abstract class ApprovalPolicy {
  /** Every version, the first one first. */
  abstract chain(): Promise<SignedPolicy[]>;

  /** Hands in the next version; it is judged there once more. Throws POLICY_INVALID, APPROVAL_*, QUORUM_NOT_MET. */
  abstract add(signed: SignedPolicy): Promise<void>;
}
