/** Texts in both languages. zh-CN is the source language of official words. */
export interface Bilingual {
  readonly zh: string;
  readonly en: string;
}

export type Retry = 'never' | 'same-request' | 'later';

export interface ErrorText {
  readonly status: number;
  readonly retry: Retry;
  readonly text: Bilingual;
  /** What the person who reads it does next. `{name}` is replaced from the error's details. */
  readonly next: Bilingual;
}

const define = (status: number, retry: Retry, zh: string, en: string, nextZh: string, nextEn: string): ErrorText => ({
  status,
  retry,
  text: { zh, en },
  next: { zh: nextZh, en: nextEn },
});

/** One table for all rooms: code → HTTP status, retry rule, text and next action. */
export const ERROR_TEXTS = {
  // platform
  INTERNAL: define(500, 'never', '内部错误', 'Internal error', '查看日志（请求号 {requestId}）并报告', 'Look at the log (request {requestId}) and report it'),
  REQUEST_INVALID: define(400, 'never', '请求无效：{reason}', 'Invalid request: {reason}', '按说明修改请求后重试', 'Mend the request as described and send it again'),
  CONFIG_INVALID: define(500, 'never', '配置无效：{reason}', 'Invalid configuration: {reason}', '修改配置文件 {file} 后重新启动', 'Mend the configuration file {file} and start again'),
  DATABASE_UNREACHABLE: define(503, 'later', '数据库无法连接：{reason}', 'The database cannot be reached: {reason}', '检查 DATABASE_URL 与数据库是否已启动，然后运行 ./hufu doctor', 'Check DATABASE_URL and that the database is running, then run ./hufu doctor'),
  DATABASE_NOT_MIGRATED: define(503, 'never', '数据库结构不是本版本', 'The database schema is not of this version', '运行 ./hufu migrate', 'Run ./hufu migrate'),
  SECRET_ALREADY_ZEROED: define(500, 'never', '机密数据已清零', 'The secret was already wiped', '重新输入', 'Enter it again'),
  DER_MALFORMED: define(400, 'never', 'DER 编码错误（偏移 {offset}）', 'Malformed DER at offset {offset}', '检查来源文件', 'Check where the bytes came from'),
  NOT_FOUND: define(404, 'never', '未找到：{what}', 'Not found: {what}', '检查编号', 'Check the identifier'),
  DISK_FULL: define(507, 'later', '磁盘已满：{path}', 'The disk is full: {path}', '清理磁盘空间后重试；未留下半成品', 'Free space and try again; nothing half-written was left'),
  PORT_IN_USE: define(500, 'never', '端口 {port} 已被占用', 'Port {port} is in use', '停止占用该端口的程序，或在配置中换一个端口', 'Stop the program that holds it, or configure another port'),
  ALREADY_RUNNING: define(409, 'later', '该状态目录已有程序在运行（进程 {pid}）', 'Another program already runs from this state folder (process {pid})', '先停止它，或用 HUFU_HOME 指定另一个目录', 'Stop it first, or set HUFU_HOME to another folder'),
  // hsm
  HSM_UNREACHABLE: define(503, 'later', '密码机服务无法连接', 'The HSM supervisor cannot be reached', '检查 hsm 进程：./hufu doctor', 'Check the hsm process: ./hufu doctor'),
  HSM_REFUSED: define(403, 'never', '密码机服务拒绝：{reason}', 'The HSM supervisor refused: {reason}', '该客户端无权对此类密钥执行该操作', 'This client may not run this recipe with this class of key'),
  HSM_TIMEOUT: define(504, 'later', '密码机 {device} 在期限内没有应答', 'HSM {device} did not answer in time', '检查设备状态', 'Check the device'),
  HSM_ERROR: define(502, 'later', '密码机 {device} 返回 {ckr}：{cause}', 'HSM {device} answered {ckr}: {cause}', '{action}', '{action}'),
  HSM_CAPABILITY_MISSING: define(501, 'never', '密码机 {device} 不支持 {recipe}', 'HSM {device} cannot do {recipe} inside', '改用支持该配方的设备', 'Use a device that can'),
  TOKEN_MISSING: define(503, 'never', '找不到令牌：{device}', 'Token missing: {device}', '检查 HSM 配置中的模块、槽位与令牌序列号', 'Check module, slot and token serial in the HSM configuration'),
  PIN_REFUSED: define(503, 'never', '令牌 {device} 拒绝 PIN，已锁存，不再尝试', 'Token {device} refused the PIN; latched, it is not tried again', '更正 PIN 文件后删除锁存文件 {latch}', 'Correct the PIN file, then remove the latch {latch}'),
  KEY_NOT_FOUND: define(404, 'never', '设备 {device} 中没有密钥 {keyId}', 'Key {keyId} is not in device {device}', '运行密钥内容检查', 'Run a content check'),
  KEY_CLASS_MISMATCH: define(409, 'never', '密钥 {keyId} 的类别 {keyClass} 不允许 {recipe}', 'Key {keyId} of class {keyClass} may not be used for {recipe}', '选择用途相符的密钥', 'Choose a key of the right class'),
  FACTOR_RESERVED: define(422, 'never', '分散因子为保留值', 'The diversification factor is reserved', '全 0 与全 F 因子不可用于卡片密钥', 'All-zero and all-one factors are never used for card keys'),
  SIGN_TYPE_MISMATCH: define(422, 'never', '待签数据不是 {purpose}', 'The bytes to sign are not a {purpose}', '检查调用方', 'Check the caller'),
  WIRE_MALFORMED: define(400, 'never', '密码机通信帧错误：{reason}', 'Malformed frame on the HSM socket: {reason}', '检查两端版本是否一致', 'Check that both ends are of one version'),
} as const satisfies Record<string, ErrorText>;

export type ErrorCode = keyof typeof ERROR_TEXTS;
