import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { ApprovalPolicy } from '#libs/access';
import { Hsm } from '#libs/hsm';
import { AppError, zodReason } from '#libs/platform';
import { SignedPolicy } from '#libs/signature';

const Chain = z.array(SignedPolicy).max(10_000);

/** The policy as the HSM supervisor holds it. */
@Injectable()
export class HsmApprovalPolicy extends ApprovalPolicy {
  constructor(private readonly hsm: Hsm) {
    super();
  }

  override async chain(): Promise<SignedPolicy[]> {
    const parsed = Chain.safeParse(await this.hsm.policyChain());
    if (!parsed.success) throw new AppError('POLICY_INVALID', { reason: zodReason(parsed.error), directory: '-' });
    return parsed.data;
  }

  override add(signed: SignedPolicy): Promise<void> {
    return this.hsm.addPolicy(signed);
  }
}
