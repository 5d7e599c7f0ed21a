import { hash } from 'node:crypto';
import { type Founding, type FirstOperator, identityCheckCharacter, type RoleName, ROLES } from '#libs/access';
import { fromHex } from '#libs/platform/domain';
import { FAR, signPolicy, type TestApprover, testApprover, testPolicy } from './quorum.js';

/** Digest of what stands on paper; another for each text. */
export const evidence = (text: string): string => hash('sha256', text, 'hex').toUpperCase();

/** A well-formed identity number of nobody; the same for the same text. */
export function identityNumber(text: string): string {
  const serial = Number.parseInt(hash('sha256', text, 'hex').slice(0, 10), 16) % 10_000_000_000;
  const first17 = `9999990${String(serial).padStart(10, '0')}`;
  return first17 + identityCheckCharacter(first17);
}

export interface FirstPost {
  readonly operatorId: string;
  readonly roles: readonly RoleName[];
  readonly regions?: readonly string[];
}

/** The fewest with whom the scheme can begin, and two of the key side. */
export const FIRST_POSTS: readonly FirstPost[] = [
  { operatorId: 'system-1', roles: ['systemAdministrator'] },
  { operatorId: 'security-1', roles: ['securityAdministrator'] },
  { operatorId: 'security-2', roles: ['securityAdministrator'] },
  { operatorId: 'audit-1', roles: ['auditAdministrator'] },
  { operatorId: 'audit-2', roles: ['auditAdministrator'] },
  { operatorId: 'keys-1', roles: ['keyAdministrator'] },
  { operatorId: 'keys-2', roles: ['keyAdministrator'] },
];

export type SignInKey = Pick<FirstOperator['signIn'], 'method' | 'keyDigest'>;

/** First operators of region 11, each vetted for their role until `until`, and the policy that they signed: two approve, one of them of the key side. Who has no key of `signIn` cannot sign in. */
export function founding(posts: readonly FirstPost[] = FIRST_POSTS, until = FAR, signIn: Readonly<Record<string, SignInKey>> = {}): Founding {
  const approvers = posts.map((post) => ({ post, approver: testApprover(post.operatorId, { roles: [...post.roles] }) }));
  const signers = approvers.map(({ approver }) => approver);
  return {
    operators: approvers.map(({ post, approver }) => firstOperator(post, approver, until, signIn[post.operatorId])),
    policy: signPolicy(testPolicy(signers, { generateKey: { count: 2, roles: { keyAdministrator: 1 } } }), signers),
  };
}

function firstOperator({ operatorId, roles, regions = ['11'] }: FirstPost, approver: TestApprover, until: string, signIn: SignInKey = { method: 'ukey', keyDigest: evidence(`sign-in key of ${operatorId}`) }): FirstOperator {
  return {
    operatorId,
    identityNumber: identityNumber(operatorId),
    name: `甄${operatorId}`,
    department: '密钥管理科',
    region: '110101',
    qualifications: [...new Set(roles.flatMap((role) => [...ROLES[role].needs]))].map((kind) => ({ kind, validFrom: '2026-01-01T00:00:00.000Z', validUntil: until, evidenceDigest: evidence(`${operatorId} ${kind}`) })),
    roles: roles.map((role) => ({ role, regions: [...regions] })),
    credential: { method: 'plain', keyDigest: hash('sha256', fromHex(approver.entry.publicKey), 'hex').toUpperCase(), validUntil: approver.entry.notAfter },
    signIn: { ...signIn, validUntil: approver.entry.notAfter },
  };
}
