import type { Bilingual } from '#libs/platform/domain';

interface Pkcs11Error {
  readonly cause: Bilingual;
  readonly action: Bilingual;
  /** The session, login or device is gone: the agent ends and is started anew. */
  readonly fatal?: true;
}

const row = (zh: string, en: string, actionZh: string, actionEn: string): Pkcs11Error => ({ cause: { zh, en }, action: { zh: actionZh, en: actionEn } });
const fatal = (zh: string, en: string, actionZh: string, actionEn: string): Pkcs11Error => ({ ...row(zh, en, actionZh, actionEn), fatal: true });

const CHECK_DEVICE = ['检查密码机的连接与状态灯，然后运行 ./hufu doctor', 'Check the connection and the lamps of the device, then run ./hufu doctor'] as const;
const WAIT = ['代理进程自动重新登录，稍后重试', 'The agent logs in again by itself; try again in a moment'] as const;

/** Return values of PKCS#11 v2.40 (5.1) that an operator can do something about; the rest get UNKNOWN. */
const PKCS11_ERRORS: Readonly<Record<string, Pkcs11Error>> = {
  CKR_HOST_MEMORY: row('主机内存不足', 'The host has no memory left', '释放内存后重试', 'Free memory and try again'),
  CKR_GENERAL_ERROR: fatal('模块内部错误，令牌文件可能已损坏或被移走', 'The module failed; its token may be damaged or gone', ...CHECK_DEVICE),
  CKR_FUNCTION_FAILED: row('设备未能完成操作', 'The device could not finish', ...CHECK_DEVICE),
  CKR_DEVICE_ERROR: fatal('设备故障', 'The device failed', ...CHECK_DEVICE),
  CKR_DEVICE_MEMORY: row('设备存储已满', 'The device is full', '销毁不再使用的密钥', 'Destroy keys that are no longer used'),
  CKR_DEVICE_REMOVED: fatal('设备已断开', 'The device was removed', ...CHECK_DEVICE),
  CKR_TOKEN_NOT_PRESENT: fatal('令牌不在槽中', 'There is no token in the slot', ...CHECK_DEVICE),
  CKR_SESSION_HANDLE_INVALID: fatal('会话已失效', 'The session is gone', ...WAIT),
  CKR_SESSION_CLOSED: fatal('会话已关闭', 'The session was closed', ...WAIT),
  CKR_USER_NOT_LOGGED_IN: fatal('登录已失效', 'The login is gone', ...WAIT),
  CKR_OPERATION_ACTIVE: fatal('会话中有未完成的操作', 'The session has an unfinished operation', ...WAIT),
  CKR_CRYPTOKI_NOT_INITIALIZED: fatal('模块未初始化', 'The module is not initialised', ...WAIT),
  CKR_SESSION_COUNT: row('会话数已达上限', 'The device has no session left', '减少其他程序的会话', 'Close sessions of other programs'),
  CKR_KEY_UNEXTRACTABLE: row('密钥已封存，不可导出', 'The key is sealed; it cannot be copied any more', '在封存之前复制密钥；已封存的密钥只能重新生成', 'Copy a key before it is sealed; a sealed one can only be made anew'),
  CKR_KEY_TYPE_INCONSISTENT: row('密钥类型与机制不符', 'The key is of another type than the mechanism wants', '核对 HSM 配置中的厂商型号 (profile)', 'Check the vendor profile in the HSM configuration'),
  CKR_KEY_FUNCTION_NOT_PERMITTED: row('密钥属性不允许该操作', 'The attributes of the key do not allow this', '核对密钥类别', 'Check the class of the key'),
  CKR_TEMPLATE_INCONSISTENT: row('设备不接受属性模板', 'The device does not accept the template', '核对 HSM 配置中的厂商型号 (profile)', 'Check the vendor profile in the HSM configuration'),
  CKR_ATTRIBUTE_VALUE_INVALID: row('设备不接受属性值', 'The device does not accept an attribute value', '核对 HSM 配置中的厂商型号 (profile)', 'Check the vendor profile in the HSM configuration'),
  CKR_TOKEN_WRITE_PROTECTED: row('令牌写保护', 'The token is write protected', '解除写保护', 'Take off the write protection'),
  CKR_PIN_EXPIRED: row('PIN 已过期', 'The PIN has expired', '用厂商工具更换 PIN', 'Change the PIN with the tools of the vendor'),
};

const UNKNOWN = row('未列出的返回值', 'A return value without a text', '查看厂商手册', 'Look it up in the manual of the vendor');

/** Cause and next action of a CKR name. */
export function pkcs11Error(ckr: string): Pkcs11Error {
  return (Object.hasOwn(PKCS11_ERRORS, ckr) ? PKCS11_ERRORS[ckr] : undefined) ?? UNKNOWN;
}

/** The token was asked for a login and refused this PIN: it is never tried again by itself. */
export const PIN_REFUSALS: readonly string[] = ['CKR_PIN_INCORRECT', 'CKR_PIN_INVALID', 'CKR_PIN_LEN_RANGE', 'CKR_PIN_LOCKED', 'CKR_PIN_EXPIRED'];

/** Details of HSM_ERROR. */
export function pkcs11ErrorDetails(device: string, ckr: string): Record<string, string> {
  const { cause, action } = pkcs11Error(ckr);
  return { device, ckr, causeZh: cause.zh, causeEn: cause.en, actionZh: action.zh, actionEn: action.en };
}
