import type { Bilingual } from '#libs/platform/domain';

export interface RecordClass {
  readonly text: Bilingual;
  /** Law or standard that asks for it. */
  readonly basis: string;
  /** Nobody may go below. */
  readonly leastMonths: number;
  /** Kept so long after the end of the year. */
  readonly months: number;
}

/** How long records are kept. The database holds the same table, and its triggers go by that one (migration Retention). */
export const RECORD_CLASSES = {
  journal: { text: { zh: '操作日志', en: 'Operation journal' }, basis: '《中华人民共和国网络安全法》第二十一条第三项', leastMonths: 6, months: 24 },
  cardProduction: { text: { zh: '制卡与密钥记录', en: 'Records of card production and keys' }, basis: 'PCI Card Production and Provisioning, Logical Security Requirements', leastMonths: 24, months: 24 },
} as const satisfies Record<string, RecordClass>;
export type RecordClassName = keyof typeof RECORD_CLASSES;
