import { hash, randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { Journal } from '#libs/journal';
import { Clock } from '#libs/platform';
import { AppError, fromHex } from '#libs/platform/domain';
import { requirePolicyChain, SignedPolicy, subjectDigest } from '#libs/signature';
import { AccessTerms } from './access-terms.js';
import { FirstOperator, requireFoundable } from './domain/initialisation.js';
import type { AnyRow } from './domain/record.js';
import { FirstPolicies } from './first-policies.js';
import { parsed } from './operators.service.js';
import { PersonRecords } from './person-records.js';
import { SignInRepository } from './sign-in/sign-in.repository.js';

export const Founding = z.strictObject({ operators: z.array(FirstOperator).min(1).max(64), policy: SignedPolicy });
export type Founding = z.infer<typeof Founding>;

/** There is no default account: the first operators come all together, once, with the approver list that they have signed themselves. */
@Injectable()
export class Initialisation {
  constructor(
    private readonly records: PersonRecords,
    private readonly policies: FirstPolicies,
    private readonly material: SignInRepository,
    private readonly journal: Journal,
    private readonly terms: AccessTerms,
    private readonly clock: Clock,
  ) {}

  /** Returns the digest of the policy, which the HSM supervisor pins too. Throws OPERATORS_EXIST, INITIALISATION_INVALID, POLICY_INVALID, ROLE_EXCLUDED, ROLE_NOT_QUALIFIED, CREDENTIAL_FOREIGN. */
  async found(founding: Founding): Promise<{ policyDigest: string; operators: number }> {
    const { operators, policy } = parsed(Founding, founding);
    return this.records.write(async (tx) => {
      if (await this.policies.exists(tx)) throw new AppError('OPERATORS_EXIST');
      const at = this.clock.now();
      const first = requirePolicyChain([policy], undefined);
      const approvers = first.approvers.map((approver) => ({ ...approver, keyDigest: hash('sha256', fromHex(approver.publicKey), 'hex').toUpperCase() }));
      requireFoundable(operators, approvers, this.terms.config, at);
      for (const { operatorId, credential, signIn } of operators) {
        await this.material.requireOwn({ operatorId, purpose: 'approve', ...credential }, tx);
        await this.material.requireOwn({ operatorId, purpose: 'signIn', ...signIn }, tx);
      }
      const digest = subjectDigest(first);
      const entryId = await this.journal.record(tx, { kind: 'access.initialise', subject: 'access', data: { operators: operators.map(({ operatorId }) => operatorId), policyDigest: digest } });
      await this.policies.insert(tx, { policy: first, digest, at, entryId });
      for (const operator of operators) {
        const personId = randomUUID();
        const hashes = { identityHash: this.terms.identityHash(operator.identityNumber), nameHash: this.terms.nameHash(operator.name) };
        await this.records.record(tx, { kind: 'access.first', personId, data: { operatorId: operator.operatorId, nameHash: hashes.nameHash, policyDigest: digest }, rows: rowsOf(operator, personId, hashes, at), name: operator.name });
      }
      return { policyDigest: digest, operators: operators.length };
    });
  }
}

function rowsOf({ operatorId, department, region, qualifications, roles, credential, signIn }: FirstOperator, personId: string, hashes: { readonly identityHash: string; readonly nameHash: string }, at: Date): AnyRow[] {
  return [
    { kind: 'person', row: { personId, ...hashes, department, region, recordedAt: at } },
    { kind: 'operator', row: { operatorId, personId, effectiveAt: at, recordedAt: at } },
    { kind: 'operatorStatus', row: { operatorId, personId, sequence: 1, status: 'active', effectiveAt: at, recordedAt: at } },
    ...qualifications.map(({ kind, validFrom, validUntil, evidenceDigest }): AnyRow => ({
      kind: 'qualification',
      row: { qualificationId: randomUUID(), personId, kind, validFrom: new Date(validFrom), validUntil: new Date(validUntil), evidenceDigest, recordedAt: at },
    })),
    ...roles.map(({ role, regions }): AnyRow => ({
      kind: 'roleAssignment',
      row: { assignmentId: randomUUID(), personId, operatorId, role, regions, componentSet: null, component: null, validFrom: at, validUntil: null, recordedAt: at },
    })),
    ...([['approve', credential], ['signIn', signIn]] as const).map(([purpose, { method, keyDigest, validUntil }]): AnyRow => ({
      kind: 'credential',
      row: { credentialId: randomUUID(), personId, operatorId, method, purpose, keyDigest, validFrom: at, validUntil: new Date(validUntil), recordedAt: at },
    })),
  ];
}
