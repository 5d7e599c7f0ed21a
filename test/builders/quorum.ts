import { createPrivateKey, createSign, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { toHex } from '#libs/platform/domain';
import { approvalBytes, type PlainApproval, type QuorumPolicy, type SignedPolicy, sm2Z } from '#libs/signature';

/** An approver whose key lives in the test: for the checks of what a quorum signs, without processes. */
export interface TestApprover {
  readonly entry: QuorumPolicy['approvers'][number];
  /** Signs a subject; `changes` are made before the signature, so that the result is well signed and still wrong. */
  approve(subject: object, changes?: Partial<Omit<PlainApproval, 'signature'>>): PlainApproval;
}

const CURVES = { p256Sha256: 'prime256v1', sm2Sm3: 'SM2' } as const;
export const FAR = '2099-01-01T00:00:00.000Z';

export function testApprover(id: string, changes: Partial<QuorumPolicy['approvers'][number]> = {}): TestApprover {
  const algorithm = changes.algorithm ?? 'p256Sha256';
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: CURVES[algorithm] });
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  return {
    entry: { id, person: `${id}-person`, roles: [], algorithm, publicKey: toHex(spki), notAfter: FAR, ...changes },
    approve(subject, overrides = {}) {
      const approval = { method: 'plain' as const, approver: id, nonce: toHex(randomBytes(16)), policyVersion: 1, notAfter: FAR, decision: 'approve' as const, ...overrides };
      const bytes = approvalBytes(subject, approval);
      return { ...approval, signature: toHex(algorithm === 'sm2Sm3' ? signSm2(privateKey, spki, bytes) : sign('sha256', bytes, privateKey)) };
    },
  };
}

/**
 * SM2 with SM3 and the default ID: the streaming form signs SM3(Z ‖ bytes) (GB/T 32918.2 6.1). A key as OpenSSL generated it would
 * sign plain ECDSA; imported again it is one of SM2.
 */
export function signSm2(privateKey: KeyObject, spki: Uint8Array, bytes: Uint8Array): Uint8Array {
  const key = createPrivateKey({ key: privateKey.export({ type: 'pkcs8', format: 'der' }), format: 'der', type: 'pkcs8' });
  return createSign('sm3').update(sm2Z(spki) ?? '').update(bytes).sign(key);
}

/** A policy over these approvers; every rule needs `need` of them. */
export function testPolicy(approvers: readonly TestApprover[], rules: QuorumPolicy['rules'], changes: Partial<QuorumPolicy> = {}): QuorumPolicy {
  return {
    format: 'hufu/hsm-policy/1',
    version: 1,
    previous: null,
    approvers: approvers.map(({ entry }) => entry),
    rules,
    amend: { count: approvers.length, roles: {} },
    ...changes,
  };
}

/** Signed by `approvers` under the version before it (its own for the first). */
export function signPolicy(policy: QuorumPolicy, approvers: readonly TestApprover[]): SignedPolicy {
  return { policy, approvals: approvers.map((approver) => approver.approve(policy, { policyVersion: Math.max(1, policy.version - 1) })) };
}
