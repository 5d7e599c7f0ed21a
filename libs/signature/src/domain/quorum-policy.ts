import { z } from 'zod';
import { AppError } from '#libs/platform/domain';
import { Approval, digestSchema, momentSchema, nameSchema, subjectDigest } from './approval.js';
import { type Need, requireQuorum } from './quorum.js';

const need = z.strictObject({
  /** How many different persons. */
  count: z.int().min(1).max(32),
  /** Of which at least so many of a role. */
  roles: z.record(nameSchema, z.int().min(1).max(32)).default({}),
  /** The owner's consent may come on paper: two approvers who name the same document stand for the role `ownerRepresentative`. */
  ownerDocument: z.literal(true).optional(),
});

/** Where a credential that serves approvals alone is used, and by what it is known (WebAuthn). */
const WebauthnCredential = z.strictObject({
  rpId: z.string().min(1).max(253),
  origins: z.array(z.string().min(1).max(300)).min(1).max(8),
  credentialId: z.string().max(2046).regex(/^([0-9A-F]{2})+$/),
  /** Model of the authenticator, as its attestation proved it at enrolment. */
  aaguid: z.string().regex(/^[0-9A-F]{32}$/),
});
export type WebauthnCredential = z.infer<typeof WebauthnCredential>;

const PolicyApprover = z
  .strictObject({
    id: nameSchema,
    /** Two accounts of one person count once. */
    person: nameSchema,
    roles: z.array(nameSchema).max(8),
    algorithm: z.enum(['p256Sha256', 'sm2Sm3']),
    /** SubjectPublicKeyInfo, DER, upper-case hex. */
    publicKey: z.string().max(400).regex(/^([0-9A-F]{2})+$/),
    notAfter: momentSchema,
    /** The only way in which this key approves; absent = `plain`. */
    method: z.enum(['plain', 'ukey', 'webauthn']).optional(),
    webauthn: WebauthnCredential.optional(),
  })
  .refine(({ method, webauthn, algorithm }) => (method === 'webauthn') === (webauthn !== undefined) && (webauthn === undefined || algorithm === 'p256Sha256'), 'an approver by webauthn, and nobody else, names a P-256 credential');

/** Who approves, and how many for what. Version 1 is signed by its own quorum, each later one by the quorum before it. */
export const QuorumPolicy = z
  .strictObject({
    format: z.literal('hufu/hsm-policy/1'),
    version: z.int().min(1),
    /** SHA-256 of the version before; null in version 1. */
    previous: digestSchema.nullable(),
    approvers: z
      .array(PolicyApprover)
      .min(1)
      .max(256),
    /** What needs approvals or a ticket, by its name (`generateKey`, `sign:caCertificate`). What does not stand here is refused. */
    rules: z.record(z.string().min(1).max(64), need),
    /** For the next version of this policy. */
    amend: need,
  })
  .refine(({ approvers }) => new Set(approvers.map(({ id }) => id)).size === approvers.length, 'approver ids are unique');
export type QuorumPolicy = z.infer<typeof QuorumPolicy>;

export const SignedPolicy = z.strictObject({ policy: QuorumPolicy, approvals: z.array(Approval).max(64) });
export type SignedPolicy = z.infer<typeof SignedPolicy>;

/**
 * Checks the versions from the first on and returns the last. The times are not judged: a policy that was signed in time stays
 * signed. Throws POLICY_INVALID; `bootstrapDigest` undefined = the first is taken on trust and its digest is for the caller to pin,
 * else POLICY_CHANGED when it is another.
 */
export function requirePolicyChain(chain: readonly SignedPolicy[], bootstrapDigest: string | undefined, directory = ''): QuorumPolicy {
  const [first] = chain;
  if (first === undefined) throw new AppError('POLICY_INVALID', { reason: '1.json is missing', directory });
  if (bootstrapDigest !== undefined && subjectDigest(first.policy) !== bootstrapDigest) throw new AppError('POLICY_CHANGED');
  let before = first.policy;
  for (const [index, { policy, approvals }] of chain.entries()) {
    const previous = index === 0 ? null : subjectDigest(before);
    if (policy.version !== index + 1 || policy.previous !== previous) throw new AppError('POLICY_INVALID', { reason: `version ${policy.version} does not follow version ${index}`, directory });
    requireReachable(policy, directory);
    try {
      requireQuorum(policy, approvals, { policy: before, need: before.amend, requester: '', now: undefined });
    } catch (error) {
      throw new AppError('POLICY_INVALID', { reason: `version ${policy.version}: ${(error as Error).message}`, directory }, { cause: error });
    }
    before = policy;
  }
  return before;
}

/** A quorum that nobody can ever form would lock everything for good. Throws POLICY_INVALID. */
export function requireReachable(policy: QuorumPolicy, directory: string): void {
  const persons = new Set(policy.approvers.map(({ person }) => person)).size;
  const everything: [string, Need][] = [...Object.entries(policy.rules), ['amend', policy.amend]];
  for (const [what, { count, roles }] of everything) {
    const short = Object.entries(roles).find(([role, least]) => new Set(policy.approvers.filter((approver) => approver.roles.includes(role)).map(({ person }) => person)).size < least);
    if (count > persons || short !== undefined) throw new AppError('POLICY_INVALID', { reason: `nobody can approve ${what}`, directory });
  }
}
