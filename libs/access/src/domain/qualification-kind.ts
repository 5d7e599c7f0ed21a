import type { Bilingual } from '#libs/platform/domain';

interface QualificationRule {
  readonly sort: 'vetting' | 'form' | 'training';
  readonly text: Bilingual;
}

const define = (sort: QualificationRule['sort'], zh: string, en: string): QualificationRule => ({ sort, text: { zh, en } });

/**
 * What a person is vetted by (履历备案、身份验证、技能鉴定、背景调查、政审、保密协议), appointed by (letter and acknowledgement of a
 * custodian, renewed each year: PCI PIN 25) and trained in.
 */
export const QUALIFICATIONS = {
  resumeFiled: define('vetting', '履历备案', 'filed résumé'),
  identityCheck: define('vetting', '身份验证', 'identity check'),
  skillCheck: define('vetting', '技能鉴定', 'skill certificate'),
  backgroundCheck: define('vetting', '背景调查', 'background check'),
  politicalReview: define('vetting', '政审', 'political review'),
  confidentialityAgreement: define('vetting', '保密协议', 'confidentiality agreement'),
  appointment: define('form', '任命书与确认书', 'letter of appointment and acknowledgement'),
  keyTraining: define('training', '密钥管理培训', 'key management training'),
} as const satisfies Record<string, QualificationRule>;

export type QualificationKind = keyof typeof QUALIFICATIONS;
export const QUALIFICATION_KINDS = Object.keys(QUALIFICATIONS) as [QualificationKind, ...QualificationKind[]];
