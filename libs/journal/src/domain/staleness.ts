import type { Bilingual } from '#libs/platform/domain';

/** Where an entry stands that did not reach an anchor in time. */
export interface Standing {
  readonly logKeys: number;
  /** It has a place under a signed head. */
  readonly placed: boolean;
  /** Seconds since the last head that any anchor took; undefined: none ever. */
  readonly lastAnchoredSeconds: number | undefined;
}

/** Why, in the order in which one thing needs the other. */
export function whyStale({ logKeys, placed, lastAnchoredSeconds }: Standing): Bilingual {
  if (logKeys === 0) return { zh: '还没有日志签名密钥', en: 'there is no log key yet' };
  if (!placed) return { zh: '条目未进入检查点：排序进程未运行，或其密码机不可用', en: 'the entry is in no checkpoint: the sequencer does not run, or its HSM device is down' };
  const last = lastAnchoredSeconds === undefined ? undefined : Math.round(lastAnchoredSeconds);
  return {
    zh: `检查点未被任何锚定点接收${last === undefined ? '（从未接收过）' : `（上次在 ${last} 秒前）`}`,
    en: `no anchor took the checkpoint ${last === undefined ? '(none ever took one)' : `(the last one ${last} seconds ago)`}`,
  };
}
