import type { Approvals } from '#libs/access';
import type { Approval, ApprovalSubject } from '#libs/signature';

/**
 * The port `Hsm` asks for approvals, and the room that gathers them asks the same port for the policy: the port is made first, and
 * leads here; the room steps in when it is made.
 */
export class ApprovalsDoor {
  private approvals!: Approvals;

  /** Before anything can be asked of the HSM. */
  open(approvals: Approvals): void {
    this.approvals = approvals;
  }

  ask(subject: ApprovalSubject, rule: string): Promise<Approval[]> {
    return this.approvals.ask(subject, rule);
  }
}
