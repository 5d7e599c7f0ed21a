import type { Bilingual } from '#libs/platform/domain';

/** Status words of PSAM cards (ISO/IEC 7816-4, PBOC 2.0), for people who stand at the line. */
export const STATUS_WORDS: Readonly<Record<string, Bilingual>> = {
  9000: { zh: '成功', en: 'done' },
  6281: { zh: '返回数据可能有误', en: 'the data returned may be corrupt' },
  6283: { zh: '文件或密钥校验错误', en: 'checksum of a file or key is wrong' },
  6400: { zh: '状态未改变，执行出错', en: 'execution error, nothing changed' },
  6581: { zh: '存储器写入失败', en: 'the memory could not be written' },
  6700: { zh: '长度错误', en: 'wrong length' },
  6900: { zh: 'CLA 与线路保护要求不符', en: 'class byte does not fit line protection' },
  6901: { zh: '命令不接受（状态无效）', en: 'not accepted in this state' },
  6981: { zh: '命令与文件结构不符', en: 'command does not fit the file structure' },
  6982: { zh: '安全状态不满足', en: 'security state not satisfied' },
  6983: { zh: '密钥已锁定', en: 'the key is blocked' },
  6984: { zh: '随机数无效（未取或已用）', en: 'no valid challenge (never asked for, or used)' },
  6985: { zh: '使用条件不满足', en: 'conditions of use not satisfied' },
  6986: { zh: '命令不允许（无当前文件）', en: 'not allowed (no current file)' },
  6987: { zh: '缺少安全报文', en: 'secure messaging is missing' },
  6988: { zh: 'MAC 不正确', en: 'the MAC is wrong' },
  '6A80': { zh: '数据域参数错误', en: 'wrong parameters in the data' },
  '6A81': { zh: '功能不支持或卡已锁定', en: 'not supported, or the card is blocked' },
  '6A82': { zh: '文件不存在', en: 'file not found' },
  '6A83': { zh: '记录不存在', en: 'record not found' },
  '6A84': { zh: '空间不足', en: 'not enough space' },
  '6A86': { zh: 'P1 P2 错误', en: 'wrong P1 P2' },
  '6A88': { zh: '密钥不存在', en: 'key not found' },
  '6A89': { zh: '文件已存在', en: 'the file exists already' },
  '6B00': { zh: '偏移错误', en: 'wrong offset' },
  '6D00': { zh: 'INS 不支持', en: 'unknown instruction' },
  '6E00': { zh: 'CLA 不支持', en: 'unknown class' },
  '6F00': { zh: '卡内部错误', en: 'internal error of the card' },
  9302: { zh: '交易 MAC 不正确', en: 'the MAC of the transaction is wrong' },
  9303: { zh: '应用已锁定', en: 'the application is blocked' },
  9401: { zh: '余额不足', en: 'not enough balance' },
  9403: { zh: '密钥版本不存在', en: 'key version not found' },
  9406: { zh: 'MAC 不可用', en: 'the MAC is not available' },
};

export function statusHex(sw: number): string {
  return sw.toString(16).toUpperCase().padStart(4, '0');
}

export function statusText(sw: number): Bilingual {
  const hex = statusHex(sw);
  if (hex.startsWith('63C')) {
    const left = Number.parseInt(hex.slice(3), 16);
    return { zh: `认证失败，剩余 ${left} 次`, en: `authentication failed, ${left} tries left` };
  }
  return STATUS_WORDS[hex] ?? { zh: '未知状态字', en: 'unknown status word' };
}
