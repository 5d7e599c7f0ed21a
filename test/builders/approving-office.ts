import type { Founding } from '#libs/access';
import { fromHex } from '#libs/platform/domain';
import type { QuorumPolicy, SignedPolicy } from '#libs/signature';
import { hash } from 'node:crypto';
import { FIRST_POSTS, type FirstPost, founding } from './founding.js';
import { type TestApprover, testApprover, testPolicy } from './quorum.js';
import { type WebauthnApprover, webauthnApprover } from './webauthn-approver.js';

/** The first posts, one of them approving by an authenticator, and somebody for the owner. */
export const APPROVING_POSTS: readonly FirstPost[] = [...FIRST_POSTS, { operatorId: 'owner-1', roles: ['ownerRepresentative'] }];

export interface ApprovingOffice {
  readonly founding: Founding;
  /** Everybody but the system administrator. */
  readonly approvers: Readonly<Record<string, TestApprover | WebauthnApprover>>;
  readonly policy: QuorumPolicy;
}

export const keyDigestOf = (publicKey: string): string => hash('sha256', fromHex(publicKey), 'hex').toUpperCase();

/** First operators whose keys the test holds. `keys-2` approves by WebAuthn, all others by plain keys; every one of them signs the policy. */
export function approvingOffice(rules: QuorumPolicy['rules'], amend: QuorumPolicy['amend']): ApprovingOffice {
  const base = founding(APPROVING_POSTS);
  const listed = APPROVING_POSTS.filter(({ operatorId }) => operatorId !== 'system-1');
  const made = listed.map(({ operatorId, roles }) => [operatorId, operatorId === 'keys-2' ? webauthnApprover(operatorId, { roles: [...roles] }) : testApprover(operatorId, { roles: [...roles] })] as const);
  const policy = testPolicy(made.map(([, { entry }]) => ({ entry }) as TestApprover), rules, { amend });
  const signed: SignedPolicy = { policy, approvals: made.map(([, approver]) => approver.approve(policy)) };
  const approvers = Object.fromEntries(made);
  const operators = base.operators.map((operator) => {
    const entry = approvers[operator.operatorId]?.entry;
    return entry === undefined ? operator : { ...operator, credential: { method: entry.method ?? ('plain' as const), keyDigest: keyDigestOf(entry.publicKey), validUntil: entry.notAfter } };
  });
  return { founding: { ...base, operators, policy: signed }, approvers, policy };
}
