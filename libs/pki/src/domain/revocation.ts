import type { Bilingual } from '#libs/platform/domain';

/** RFC 5280 5.3.1. `certificateHold` and `removeFromCRL` come with the hold act; 7 is not used. */
export const REVOCATION_REASONS = {
  unspecified: { code: 0, text: { zh: '未指明', en: 'unspecified' } },
  keyCompromise: { code: 1, text: { zh: '密钥泄露', en: 'key compromise' } },
  cACompromise: { code: 2, text: { zh: 'CA 密钥泄露', en: 'CA compromise' } },
  affiliationChanged: { code: 3, text: { zh: '隶属关系变更', en: 'affiliation changed' } },
  superseded: { code: 4, text: { zh: '证书已更换', en: 'superseded' } },
  cessationOfOperation: { code: 5, text: { zh: '停止使用', en: 'cessation of operation' } },
  privilegeWithdrawn: { code: 9, text: { zh: '权限收回', en: 'privilege withdrawn' } },
} as const satisfies Record<string, { code: number; text: Bilingual }>;

export type RevocationReason = keyof typeof REVOCATION_REASONS;
export const REVOCATION_REASON_NAMES = Object.keys(REVOCATION_REASONS) as [RevocationReason, ...RevocationReason[]];

export interface Revocation {
  readonly serial: string;
  readonly reason: RevocationReason;
  /** From when on the certificate counts as revoked. */
  readonly effectiveAt: Date;
  /** Since when its key is suspected (RFC 5280 5.3.2). */
  readonly invalidityAt: Date | undefined;
}

/** From when on signatures of this certificate are not trusted: a compromised key is not, from the day of suspicion on. */
export function distrustedFrom(revocation: Pick<Revocation, 'reason' | 'effectiveAt' | 'invalidityAt'>): Date {
  const { reason, effectiveAt, invalidityAt } = revocation;
  const compromised = reason === 'keyCompromise' || reason === 'cACompromise';
  return compromised && invalidityAt !== undefined && invalidityAt < effectiveAt ? invalidityAt : effectiveAt;
}
