import type { Bilingual } from '#libs/platform/domain';

/** What can be wrong with a journal. The text names what a person may conclude. */
export const FAULTS = {
  edited: { zh: '内容被修改', en: 'edited' },
  swappedBody: { zh: '正文被调换', en: 'its body is that of another entry' },
  missing: { zh: '缺少', en: 'missing' },
  reordered: { zh: '次序被改动', en: 'out of order' },
  truncated: { zh: '尾部被截断', en: 'the end of the log was cut off' },
  forked: { zh: '与已锚定的检查点不一致（历史被改写）', en: 'another history than the anchored one' },
  droppedStagedRow: { zh: '业务行所依据的日志条目不存在', en: 'a row of the state rests on an entry that is gone' },
  foreignSignature: { zh: '签名不属于日志密钥链', en: 'not signed by a key of the log' },
  rule: { zh: '违反日志规则', en: 'against the rules of the log' },
  unapproved: { zh: '未经法定人数批准', en: 'not approved by a quorum' },
  timeBackwards: { zh: '时间倒退', en: 'earlier than the checkpoint before it' },
  malformed: { zh: '格式错误', en: 'malformed' },
} as const satisfies Record<string, Bilingual>;
export type FaultKind = keyof typeof FAULTS;

export interface Fault {
  readonly kind: FaultKind;
  /** The first bad thing: `entry 2026/7`, `checkpoint 2026/1000`, `entries 2026/0 to 2026/9`, `row of key_record`. */
  readonly at: string;
  readonly detail: string;
}

/** Ends a verification: what comes after the first fault proves nothing. */
export class FaultFound extends Error {
  constructor(readonly fault: Fault) {
    super(`${fault.at}: ${fault.kind}`);
  }
}

export function faultText({ kind, at, detail }: Fault): string {
  return `${at}: ${FAULTS[kind].en}${detail === '' ? '' : ` (${detail})`}`;
}
