import type { Bilingual } from '#libs/platform/domain';

/**
 * What is done about a return value, decided here and nowhere else:
 * `refuse` says no to the request: key, template or input are wrong, the device is well.
 * `retryHere` finds the keys anew and tries once more on this device.
 * `reopen` opens another session and tries once more (the native executor does it); when it comes back, as `relogin`.
 * `relogin` the login is gone: the agent ends and its successor logs in.
 * `restartAgent` module or device is gone: the agent ends and its successor starts from nothing.
 * `tripBreaker` the device failed at this call: a sibling takes over, and some of these in a row open the breaker.
 * `fatalPin` the PIN was refused: nobody tries it again until an operator has looked.
 */
export type ErrorPolicy = 'refuse' | 'retryHere' | 'reopen' | 'relogin' | 'restartAgent' | 'tripBreaker' | 'fatalPin';

export interface ErrorRow {
  readonly number: number;
  readonly policy: ErrorPolicy;
  readonly cause: Bilingual;
  readonly action: Bilingual;
}

const row = (number: number, policy: ErrorPolicy, zh: string, en: string, [actionZh, actionEn]: readonly [string, string]): ErrorRow => ({
  number, policy, cause: { zh, en }, action: { zh: actionZh, en: actionEn },
});

/* What an operator does next; shared by many rows. */
const CHECK = ['检查密码机的连接与状态灯，然后运行 ./hufu doctor', 'Check the connection and the lamps of the device, then run ./hufu doctor'] as const;
const WAIT = ['代理进程自动重新登录，稍后重试', 'The agent logs in again by itself; try again in a moment'] as const;
const PROFILE = ['核对 HSM 配置中的厂商型号 (profile)', 'Check the vendor profile in the HSM configuration'] as const;
const KEYCLASS = ['核对密钥类别与所在密码机', 'Check the class of the key and the device that holds it'] as const;
const REPORT = ['程序错误：保留日志并报告', 'A mistake of the program: keep the log and report it'] as const;
const VENDOR = ['联系厂商，附上固件版本与日志', 'Ask the vendor; give firmware version and log'] as const;
const PIN = ['核对 PIN 文件，用厂商工具确认剩余次数，删除锁存文件后再启动', 'Check the PIN file and, with the tools of the vendor, how many tries are left; then delete the latch file'] as const;
const INPUT = ['核对请求中的数据长度与格式', 'Check length and form of the data in the request'] as const;
const OTHER = ['关闭占用该令牌的其他程序', 'Close the other program that uses this token'] as const;
const AGAIN = ['重试；反复出现时联系厂商', 'Try again; ask the vendor when it comes back'] as const;
const BLOB = ['核对来源设备与传输步骤，重新传输', 'Check the source device and repeat the transfer'] as const;

/** Every return value of PKCS#11 v2.40 (Base Specification 5.1; numbers of its header pkcs11t.h), CKR_OK aside. */
export const ERROR_ROWS: Readonly<Record<string, ErrorRow>> = {
  CKR_CANCEL: row(0x001, 'tripBreaker', '操作被取消', 'The operation was cancelled', AGAIN),
  CKR_HOST_MEMORY: row(0x002, 'restartAgent', '主机内存不足', 'The host has no memory left', ['释放内存后重试', 'Free memory and try again']),
  CKR_SLOT_ID_INVALID: row(0x003, 'restartAgent', '槽位不存在', 'There is no such slot', CHECK),
  CKR_GENERAL_ERROR: row(0x005, 'restartAgent', '模块内部错误，令牌文件可能已损坏或被移走', 'The module failed; its token may be damaged or gone', CHECK),
  CKR_FUNCTION_FAILED: row(0x006, 'tripBreaker', '设备未能完成操作', 'The device could not finish', CHECK),
  CKR_ARGUMENTS_BAD: row(0x007, 'refuse', '模块不接受参数', 'The module does not accept an argument', REPORT),
  CKR_NO_EVENT: row(0x008, 'refuse', '没有槽位事件', 'There is no slot event', REPORT),
  CKR_NEED_TO_CREATE_THREADS: row(0x009, 'restartAgent', '模块需要自建线程', 'The module must be allowed to create threads', PROFILE),
  CKR_CANT_LOCK: row(0x00a, 'restartAgent', '模块不支持多线程锁', 'The module cannot lock between threads', ['在厂商型号中把 sessions 设为 1', 'Set sessions to 1 in the vendor profile']),
  CKR_ATTRIBUTE_READ_ONLY: row(0x010, 'refuse', '属性只读', 'The attribute cannot be changed', PROFILE),
  CKR_ATTRIBUTE_SENSITIVE: row(0x011, 'refuse', '属性不可读出', 'The attribute cannot be read: the key is sensitive', KEYCLASS),
  CKR_ATTRIBUTE_TYPE_INVALID: row(0x012, 'refuse', '设备没有该属性', 'The device does not have this attribute', PROFILE),
  CKR_ATTRIBUTE_VALUE_INVALID: row(0x013, 'refuse', '设备不接受属性值', 'The device does not accept an attribute value', PROFILE),
  CKR_ACTION_PROHIBITED: row(0x01b, 'refuse', '对象不允许该操作', 'The object does not allow this', KEYCLASS),
  CKR_DATA_INVALID: row(0x020, 'refuse', '数据无效', 'The data are not valid', INPUT),
  CKR_DATA_LEN_RANGE: row(0x021, 'refuse', '数据长度超出范围', 'The data are too long or too short', INPUT),
  CKR_DEVICE_ERROR: row(0x030, 'tripBreaker', '设备故障', 'The device failed', CHECK),
  CKR_DEVICE_MEMORY: row(0x031, 'tripBreaker', '设备存储已满', 'The device is full', ['销毁不再使用的密钥', 'Destroy keys that are no longer used']),
  CKR_DEVICE_REMOVED: row(0x032, 'restartAgent', '设备已断开', 'The device was removed', CHECK),
  CKR_ENCRYPTED_DATA_INVALID: row(0x040, 'refuse', '密文无效', 'The cipher text is not valid', INPUT),
  CKR_ENCRYPTED_DATA_LEN_RANGE: row(0x041, 'refuse', '密文长度错误', 'The cipher text has a wrong length', INPUT),
  CKR_FUNCTION_CANCELED: row(0x050, 'tripBreaker', '操作被中止', 'The operation was broken off', AGAIN),
  CKR_FUNCTION_NOT_PARALLEL: row(0x051, 'refuse', '没有并行操作', 'No function runs in parallel', REPORT),
  CKR_FUNCTION_NOT_SUPPORTED: row(0x054, 'refuse', '模块没有该函数', 'The module does not have this function', PROFILE),
  CKR_KEY_HANDLE_INVALID: row(0x060, 'retryHere', '密钥句柄已失效', 'The handle of the key is no longer valid', WAIT),
  CKR_KEY_SIZE_RANGE: row(0x062, 'refuse', '密钥长度不被接受', 'The device does not take keys of this length', PROFILE),
  CKR_KEY_TYPE_INCONSISTENT: row(0x063, 'refuse', '密钥类型与机制不符', 'The key is of another type than the mechanism wants', PROFILE),
  CKR_KEY_NOT_NEEDED: row(0x064, 'refuse', '不需要密钥', 'A key was given where none is needed', REPORT),
  CKR_KEY_CHANGED: row(0x065, 'refuse', '密钥已变更', 'The key is another one than before', KEYCLASS),
  CKR_KEY_NEEDED: row(0x066, 'refuse', '缺少密钥', 'A key is missing', REPORT),
  CKR_KEY_INDIGESTIBLE: row(0x067, 'refuse', '密钥不能参与摘要', 'The key cannot be digested', PROFILE),
  CKR_KEY_FUNCTION_NOT_PERMITTED: row(0x068, 'refuse', '密钥属性不允许该操作', 'The attributes of the key do not allow this', KEYCLASS),
  CKR_KEY_NOT_WRAPPABLE: row(0x069, 'refuse', '密钥不可被该密钥包装', 'The key cannot be wrapped under this one', KEYCLASS),
  CKR_KEY_UNEXTRACTABLE: row(0x06a, 'refuse', '密钥已封存，不可导出', 'The key is sealed; it cannot be copied any more', ['在封存之前复制密钥；已封存的密钥只能重新生成', 'Copy a key before it is sealed; a sealed one can only be made anew']),
  CKR_MECHANISM_INVALID: row(0x070, 'refuse', '设备没有该机制', 'The device does not have this mechanism', PROFILE),
  CKR_MECHANISM_PARAM_INVALID: row(0x071, 'refuse', '设备不接受机制参数', 'The device does not accept the parameter of the mechanism', PROFILE),
  CKR_OBJECT_HANDLE_INVALID: row(0x082, 'retryHere', '对象句柄已失效', 'The handle of the object is no longer valid', WAIT),
  CKR_OPERATION_ACTIVE: row(0x090, 'reopen', '会话中有未完成的操作', 'The session has an unfinished operation', WAIT),
  CKR_OPERATION_NOT_INITIALIZED: row(0x091, 'reopen', '会话中没有已开始的操作', 'The session has no operation under way', WAIT),
  CKR_PIN_INCORRECT: row(0x0a0, 'fatalPin', 'PIN 错误', 'The PIN is wrong', PIN),
  CKR_PIN_INVALID: row(0x0a1, 'fatalPin', 'PIN 含有不允许的字符', 'The PIN has characters that the token does not take', PIN),
  CKR_PIN_LEN_RANGE: row(0x0a2, 'fatalPin', 'PIN 长度不符', 'The PIN is too short or too long', PIN),
  CKR_PIN_EXPIRED: row(0x0a3, 'fatalPin', 'PIN 已过期', 'The PIN has expired', ['用厂商工具更换 PIN', 'Change the PIN with the tools of the vendor']),
  CKR_PIN_LOCKED: row(0x0a4, 'fatalPin', 'PIN 已锁定', 'The PIN is locked', ['由安全员用厂商工具解锁', 'The security officer unlocks it with the tools of the vendor']),
  CKR_SESSION_CLOSED: row(0x0b0, 'reopen', '会话已关闭', 'The session was closed', WAIT),
  CKR_SESSION_COUNT: row(0x0b1, 'tripBreaker', '会话数已达上限', 'The device has no session left', ['减少其他程序的会话', 'Close sessions of other programs']),
  CKR_SESSION_HANDLE_INVALID: row(0x0b3, 'reopen', '会话已失效', 'The session is gone', WAIT),
  CKR_SESSION_PARALLEL_NOT_SUPPORTED: row(0x0b4, 'refuse', '不支持并行会话', 'Parallel sessions are not supported', REPORT),
  CKR_SESSION_READ_ONLY: row(0x0b5, 'refuse', '会话只读', 'The session is read-only', REPORT),
  CKR_SESSION_EXISTS: row(0x0b6, 'refuse', '令牌仍有打开的会话', 'A session on the token is open', OTHER),
  CKR_SESSION_READ_ONLY_EXISTS: row(0x0b7, 'refuse', '存在只读会话', 'A read-only session is open', OTHER),
  CKR_SESSION_READ_WRITE_SO_EXISTS: row(0x0b8, 'refuse', '安全员会话尚未关闭', 'A session of the security officer is open', OTHER),
  CKR_SIGNATURE_INVALID: row(0x0c0, 'refuse', '签名无效', 'The signature is not valid', INPUT),
  CKR_SIGNATURE_LEN_RANGE: row(0x0c1, 'refuse', '签名长度错误', 'The signature has a wrong length', INPUT),
  CKR_TEMPLATE_INCOMPLETE: row(0x0d0, 'refuse', '属性模板不完整', 'The template lacks an attribute', PROFILE),
  CKR_TEMPLATE_INCONSISTENT: row(0x0d1, 'refuse', '设备不接受属性模板', 'The device does not accept the template', PROFILE),
  CKR_TOKEN_NOT_PRESENT: row(0x0e0, 'restartAgent', '令牌不在槽中', 'There is no token in the slot', CHECK),
  CKR_TOKEN_NOT_RECOGNIZED: row(0x0e1, 'restartAgent', '模块不认识该令牌', 'The module does not know the token', CHECK),
  CKR_TOKEN_WRITE_PROTECTED: row(0x0e2, 'refuse', '令牌写保护', 'The token is write protected', ['解除写保护', 'Take off the write protection']),
  CKR_UNWRAPPING_KEY_HANDLE_INVALID: row(0x0f0, 'retryHere', '解包密钥句柄已失效', 'The handle of the unwrapping key is no longer valid', WAIT),
  CKR_UNWRAPPING_KEY_SIZE_RANGE: row(0x0f1, 'refuse', '解包密钥长度不符', 'The unwrapping key has a wrong length', PROFILE),
  CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT: row(0x0f2, 'refuse', '解包密钥类型不符', 'The unwrapping key is of the wrong type', PROFILE),
  CKR_USER_ALREADY_LOGGED_IN: row(0x100, 'refuse', '已经登录', 'The user is logged in already', REPORT),
  CKR_USER_NOT_LOGGED_IN: row(0x101, 'relogin', '登录已失效', 'The login is gone', WAIT),
  CKR_USER_PIN_NOT_INITIALIZED: row(0x102, 'restartAgent', '令牌没有用户 PIN', 'The token has no user PIN', ['用厂商工具设置用户 PIN', 'Set the user PIN with the tools of the vendor']),
  CKR_USER_TYPE_INVALID: row(0x103, 'refuse', '用户类型无效', 'The type of user is not valid', REPORT),
  CKR_USER_ANOTHER_ALREADY_LOGGED_IN: row(0x104, 'restartAgent', '另一用户已登录', 'Another user is logged in', OTHER),
  CKR_USER_TOO_MANY_TYPES: row(0x105, 'restartAgent', '登录的用户过多', 'Too many users are logged in', OTHER),
  CKR_WRAPPED_KEY_INVALID: row(0x110, 'refuse', '密钥包无效', 'The wrapped key is not valid', BLOB),
  CKR_WRAPPED_KEY_LEN_RANGE: row(0x112, 'refuse', '密钥包长度错误', 'The wrapped key has a wrong length', BLOB),
  CKR_WRAPPING_KEY_HANDLE_INVALID: row(0x113, 'retryHere', '包装密钥句柄已失效', 'The handle of the wrapping key is no longer valid', WAIT),
  CKR_WRAPPING_KEY_SIZE_RANGE: row(0x114, 'refuse', '包装密钥长度不符', 'The wrapping key has a wrong length', PROFILE),
  CKR_WRAPPING_KEY_TYPE_INCONSISTENT: row(0x115, 'refuse', '包装密钥类型不符', 'The wrapping key is of the wrong type', PROFILE),
  CKR_RANDOM_SEED_NOT_SUPPORTED: row(0x120, 'refuse', '随机数发生器不接受种子', 'The random generator takes no seed', PROFILE),
  CKR_RANDOM_NO_RNG: row(0x121, 'tripBreaker', '设备没有随机数发生器', 'The device has no random generator', VENDOR),
  CKR_DOMAIN_PARAMS_INVALID: row(0x130, 'refuse', '域参数无效', 'The domain parameters are not valid', PROFILE),
  CKR_CURVE_NOT_SUPPORTED: row(0x140, 'refuse', '设备不支持该曲线', 'The device does not have this curve', PROFILE),
  CKR_BUFFER_TOO_SMALL: row(0x150, 'refuse', '应答长于预期', 'The answer is longer than expected', REPORT),
  CKR_SAVED_STATE_INVALID: row(0x160, 'refuse', '保存的状态无效', 'The saved state is not valid', REPORT),
  CKR_INFORMATION_SENSITIVE: row(0x170, 'refuse', '信息不可读出', 'The information is sensitive', KEYCLASS),
  CKR_STATE_UNSAVEABLE: row(0x180, 'refuse', '状态不可保存', 'The state cannot be saved', REPORT),
  CKR_CRYPTOKI_NOT_INITIALIZED: row(0x190, 'restartAgent', '模块未初始化', 'The module is not initialised', WAIT),
  CKR_CRYPTOKI_ALREADY_INITIALIZED: row(0x191, 'refuse', '模块已初始化', 'The module is initialised already', REPORT),
  CKR_MUTEX_BAD: row(0x1a0, 'restartAgent', '互斥量无效', 'A mutex is not valid', VENDOR),
  CKR_MUTEX_NOT_LOCKED: row(0x1a1, 'restartAgent', '互斥量未锁定', 'A mutex is not locked', VENDOR),
  CKR_NEW_PIN_MODE: row(0x1b0, 'fatalPin', '令牌要求设置新 PIN', 'The token wants a new PIN', PIN),
  CKR_NEXT_OTP: row(0x1b1, 'fatalPin', '令牌要求下一个动态口令', 'The token wants the next one-time password', PIN),
  CKR_EXCEEDED_MAX_ITERATIONS: row(0x1c0, 'refuse', '迭代次数超限', 'Too many iterations', PROFILE),
  CKR_FIPS_SELF_TEST_FAILED: row(0x1c1, 'restartAgent', '自检失败', 'The self-test failed', VENDOR),
  CKR_LIBRARY_LOAD_FAILED: row(0x1c2, 'restartAgent', '模块依赖的库无法加载', 'A library of the module cannot be loaded', ['重新安装厂商软件', 'Install the software of the vendor anew']),
  CKR_PIN_TOO_WEAK: row(0x1c3, 'fatalPin', 'PIN 强度不足', 'The PIN is too weak', PIN),
  CKR_PUBLIC_KEY_INVALID: row(0x1c4, 'refuse', '公钥无效', 'The public key is not valid', BLOB),
  CKR_FUNCTION_REJECTED: row(0x200, 'refuse', '设备拒绝该操作', 'The device rejected the function', ['查看设备上的授权与策略设置', 'Look at authorisations and policy on the device']),
};
