import { AppError, type Bilingual } from '#libs/platform/domain';

/**
 * States of NIST SP 800-57 part 1, 7. `planned` and `aborted` are the two ends of an intent: the register knows the CKA_ID
 * before the device has made the object.
 */
export const KEY_STATES = {
  planned: { text: { zh: '生成中', en: 'planned' }, to: ['preActive', 'aborted'] },
  aborted: { text: { zh: '已放弃', en: 'aborted' }, to: [] },
  preActive: { text: { zh: '待启用', en: 'pre-active' }, to: ['active', 'compromised', 'destroyed'] },
  active: { text: { zh: '启用', en: 'active' }, to: ['suspended', 'deactivated', 'compromised'] },
  suspended: { text: { zh: '暂停', en: 'suspended' }, to: ['active', 'deactivated', 'compromised'] },
  deactivated: { text: { zh: '停用', en: 'deactivated' }, to: ['compromised', 'destroyed'] },
  compromised: { text: { zh: '已泄露', en: 'compromised' }, to: ['destroyed'] },
  destroyed: { text: { zh: '已销毁', en: 'destroyed' }, to: [] },
} as const satisfies Record<string, { text: Bilingual; to: readonly string[] }>;

export type KeyState = keyof typeof KEY_STATES;

/** Throws KEY_STATE_ILLEGAL on a move that the table does not have. */
export function transition(from: KeyState, to: KeyState): KeyState {
  if (!(KEY_STATES[from].to as readonly string[]).includes(to)) throw new AppError('KEY_STATE_ILLEGAL', { from, to });
  return to;
}
