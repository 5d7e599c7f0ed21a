import type { Bilingual } from '#libs/platform/domain';
import { FAULTS, faultText } from './fault.js';
import type { VerifiedJournal } from './journal-verifier.js';

const same = (text: string): Bilingual => ({ zh: text, en: text });

/** What a person reads of a verification that took so many seconds; the verdict is the last line. */
export function reportLines({ entries, checkpoints, waiting, oldestWaiting, head, anchored, approved, firstPolicy, retired, fault }: VerifiedJournal, seconds: number): Bilingual[] {
  const rate = Math.round(entries / Math.max(seconds, 0.001));
  return [
    { zh: `条目 ${entries}，检查点 ${checkpoints}，锚定点相符 ${anchored}（每秒 ${rate} 条）`, en: `${entries} entries, ${checkpoints} checkpoints, ${anchored} anchored heads found (${rate} entries/s)` },
    ...(head === undefined ? [] : [same(`${head.shard}/${head.size}  SHA-256 ${head.sha256Root}  SM3 ${head.sm3Root}  ${head.at.toISOString()}  ${head.keyId}`)]),
    ...(firstPolicy === undefined ? [] : [{ zh: `批准 ${approved} 项，均由法定人数签名；首份策略 SHA-256 ${firstPolicy}`, en: `${approved} approvals, each signed by its quorum; first policy SHA-256 ${firstPolicy}` }]),
    ...(waiting === 0 ? [] : [{ zh: `${waiting} 条尚未进入日志，最早 ${oldestWaiting?.toISOString()}`, en: `${waiting} entries have no place yet, the oldest of ${oldestWaiting?.toISOString()}` }]),
    ...(retired === 0 ? [] : [{ zh: `${retired} 条的正文已按保存期清除，以摘要为凭`, en: `${retired} entries were retired after their time: their digests stand for them` }]),
    fault === undefined ? { zh: '日志完整', en: 'the journal is whole' } : { zh: `日志有问题：${fault.at}：${FAULTS[fault.kind].zh}`, en: faultText(fault) },
  ];
}
