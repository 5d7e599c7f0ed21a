import { ApprovalPolicy } from '#libs/access';
import { requirePolicyChain, type SignedPolicy } from '#libs/signature';

/** The policy chain of a supervisor that runs in no process: what it is given it checks as that one does, times apart. */
export class HeldPolicy extends ApprovalPolicy {
  constructor(private held: readonly SignedPolicy[]) {
    super();
  }

  override async chain(): Promise<SignedPolicy[]> {
    return [...this.held];
  }

  override async add(signed: SignedPolicy): Promise<void> {
    requirePolicyChain([...this.held, signed], undefined);
    this.held = [...this.held, signed];
  }
}
