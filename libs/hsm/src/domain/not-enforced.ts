import type { Bilingual } from '#libs/platform/domain';
import type { NOT_ENFORCED_NAMES } from './vendor-profile.js';

export type NotEnforced = (typeof NOT_ENFORCED_NAMES)[number];

/** What a module does not enforce by itself: short names in DeviceStatus.notEnforced, texts for the operator here. */
export const NOT_ENFORCED: Readonly<Record<NotEnforced, Bilingual>> = {
  keyUsageSeparation: {
    zh: '不强制密钥用途分离：可由敏感密钥派生可读子密钥，仅靠代理进程的固定模板防护',
    en: 'Key usage separation: a readable child of a sensitive key is allowed; only the fixed templates of the agent guard it',
  },
  unextractableWrap: {
    zh: '不可导出的密钥仍可被包装导出，仅靠代理进程先行检查',
    en: 'A key that is not extractable is wrapped all the same; only a check in the agent guards it',
  },
  pinLockout: { zh: 'PIN 错误次数不锁定令牌，仅靠锁存文件防护', en: 'The token never locks after wrong PINs; only the latch file guards it' },
  uniqueSerial: { zh: '令牌序列号不唯一', en: 'The serial number of the token is not unique' },
  tamperResistance: { zh: '软件令牌，无物理防护', en: 'A software token: nothing protects it physically' },
};
