import type { Bilingual } from './error-texts.js';

export type Severity = 'ok' | 'note' | 'low' | 'high';

export interface ResultClassText {
  readonly severity: Severity;
  readonly text: Bilingual;
}

const define = (severity: Severity, zh: string, en: string): ResultClassText => ({ severity, text: { zh, en } });

/**
 * What a re-verified settlement record can be. One table for all rooms, listed by precedence: where several faults meet
 * in one record, the first of them in this order is the verdict. CERT_REVOKED_LATER counts as verified, with a note.
 */
export const RESULT_CLASSES = {
  FORMAT: define('high', '报文格式错误', 'Unparsable line'),
  NO_SIGNATURE: define('high', '无签名', 'No signature'),
  ALG_NOT_ALLOWED: define('high', '算法不合规', 'Algorithm not allowed'),
  CERT_UNKNOWN: define('high', '未找到证书', 'Certificate unknown'),
  BAD_SIGNATURE: define('high', '验签失败', 'Bad signature'),
  DATA_MISMATCH: define('high', '数据不一致', 'Signed data differs from the business data'),
  CHAIN_INVALID: define('high', '证书链无效', 'Certificate chain invalid'),
  CERT_EXPIRED_AT_TX: define('high', '交易时证书已过期', 'Certificate expired at the time of the transaction'),
  CERT_REVOKED_AT_TX: define('high', '交易时证书已撤销', 'Certificate revoked at the time of the transaction'),
  INDETERMINATE: define('low', '无法判定', 'Cannot be decided: status information missing'),
  CARD_CANCELLED_AT_TX: define('high', '卡已注销', 'Card cancelled at the time of the transaction'),
  AMOUNT_MISMATCH: define('high', '金额不符', 'Amounts do not add up'),
  DUPLICATE_TX: define('high', '重复交易', 'Duplicate transaction'),
  CERT_REVOKED_LATER: define('note', '验签通过（证书其后撤销）', 'Verified (certificate revoked later)'),
  OK: define('ok', '验签通过', 'Verified'),
} as const satisfies Record<string, ResultClassText>;

export type ResultClass = keyof typeof RESULT_CLASSES;

export const RESULT_CLASS_NAMES = Object.keys(RESULT_CLASSES) as readonly ResultClass[];
