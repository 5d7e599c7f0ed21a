import type { Bilingual, ErrorCode } from '#libs/platform/domain';

interface RefusalRule {
  /** Whether it brings the account nearer to its lock. */
  readonly counts: boolean;
  /** What somebody is told who has shown to hold the key; everybody else hears SIGN_IN_REFUSED. */
  readonly told?: ErrorCode;
  /** For AUTHENTICATOR_UNFIT. */
  readonly rule?: Bilingual;
}

/** Why a sign-in is refused: the word that stands in the journal. */
export const REFUSALS = {
  code: { counts: false },
  challenge: { counts: true },
  credential: { counts: true },
  clientData: { counts: true },
  authenticatorData: { counts: true },
  signature: { counts: true },
  proof: { counts: true },
  origin: { counts: true, told: 'SIGN_IN_ORIGIN_FOREIGN' },
  unfit: { counts: true, told: 'AUTHENTICATOR_UNFIT' },
  signCount: { counts: true, told: 'AUTHENTICATOR_CLONED' },
  notInForce: { counts: true, told: 'CREDENTIAL_NOT_IN_FORCE' },
  inactive: { counts: true, told: 'OPERATOR_INACTIVE' },
  altered: { counts: false, told: 'ACCESS_ROW_ALTERED' },
  locked: { counts: false, told: 'SIGN_IN_LOCKED' },
  certificate: { counts: true, told: 'CERTIFICATE_NOT_GOOD' },
  /** With an open session: its token is there, the proof of its key is not. It locks nobody out. */
  session: { counts: false },
} as const satisfies Record<string, RefusalRule>;
export type RefusalReason = keyof typeof REFUSALS;

/** Rules of an authenticator's answer, as the owner is told them. */
export const UNFIT_RULES = {
  rpId: { zh: '为其他网站（RP ID）而签', en: 'it signed for another relying party' },
  crossOrigin: { zh: '在其他网站的框架内签名', en: 'it signed inside a page of another site' },
  userPresence: { zh: '未确认本人在场', en: 'it did not see that somebody was there' },
  userVerification: { zh: '未验证本人（PIN 或生物特征）', en: 'it did not verify the person (PIN or biometric)' },
  backup: { zh: '该凭据可被备份复制', en: 'the credential can be backed up elsewhere' },
} as const satisfies Record<string, Bilingual>;
export type UnfitRule = keyof typeof UNFIT_RULES;

export interface Refusal {
  readonly reason: RefusalReason;
  /** The caller showed, by a good signature over this challenge or by TLS, that they hold the key. */
  readonly proven: boolean;
  readonly unfit?: UnfitRule | undefined;
  /** Status of a client certificate. */
  readonly status?: string | undefined;
}

/** Why sessions end. */
export const SESSION_ENDS = {
  signedOut: { zh: '已退出', en: 'signed out' },
  idle: { zh: '长时间未操作', en: 'idle for too long' },
  expired: { zh: '已达最长时间', en: 'its longest time is over' },
  revoked: { zh: '已由管理员结束', en: 'ended by an administrator' },
} as const satisfies Record<string, Bilingual>;
export type SessionEnd = keyof typeof SESSION_ENDS;
