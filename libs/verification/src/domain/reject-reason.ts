import type { Bilingual } from '#libs/platform/domain';

/** Why a line cannot be read as a record. `field` names the member or column where that is known. */
export interface RejectReason {
  readonly code: RejectCode;
  readonly field?: string | undefined;
}

/** A fault and its place: `at` counts bytes from the start of the line. */
export interface LineFault {
  readonly reason: RejectReason;
  readonly at: number;
}

const define = (zh: string, en: string): Bilingual => ({ zh, en });

export const REJECT_REASONS = {
  LINE_EMPTY: define('空行', 'Empty line'),
  LINE_TOO_LONG: define('行过长（超过 65536 字节）', 'Line too long (over 65,536 bytes)'),
  LINE_TRUNCATED: define('文件在此行中断（无换行符）', 'The file ends inside this line (no line feed)'),
  NOT_UTF8: define('不是有效的 UTF-8 字节', 'Bytes that are not UTF-8'),
  NOT_GB18030: define('不是有效的 GB18030 字节', 'Bytes that are not GB18030'),
  JSON_SYNTAX: define('JSON 语法错误', 'JSON syntax error'),
  JSON_DUPLICATE_NAME: define('成员名重复：{field}', 'Member name given twice: {field}'),
  JSON_NAME_ESCAPED: define('成员名中不允许转义', 'Escapes in member names are not allowed'),
  JSON_TOO_DEEP: define('JSON 嵌套过深', 'JSON nested too deeply'),
  COLUMN_COUNT: define('列数不符', 'Wrong number of columns'),
  QUOTE_NOT_ALLOWED: define('CSV 中不允许引号', 'Quotes are not allowed in the CSV'),
  FIELD_MISSING: define('缺少字段：{field}', 'Field missing: {field}'),
  FIELD_INVALID: define('字段格式错误：{field}', 'Field malformed: {field}'),
} as const satisfies Record<string, Bilingual>;

export type RejectCode = keyof typeof REJECT_REASONS;

export function rejectText(reason: RejectReason): Bilingual {
  const { zh, en } = REJECT_REASONS[reason.code];
  const field = reason.field ?? '';
  return { zh: zh.replace('{field}', field), en: en.replace('{field}', field) };
}
