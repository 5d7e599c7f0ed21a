import type { SignedApproval } from './event.js';

/** Who may sign, asked by the rules; the room `signature` answers behind the port `Approvers`. */
export interface Signers {
  /** Whose account this is by a version of the signed list; undefined when it is not on it. */
  personOf(account: string, policyVersion: number): string | undefined;
  /** Throws APPROVAL_INVALID or APPROVAL_EXPIRED unless `approval` is a good signature over `subject` under this version, valid at `at`. */
  requireSigned(subject: object, approval: SignedApproval, terms: { readonly at: Date; readonly policyVersion: number }): void;
}
