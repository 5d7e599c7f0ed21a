import type { Bilingual } from '#libs/platform/domain';
import { ERROR_ROWS, type ErrorPolicy, type ErrorRow } from './pkcs11-error-rows.js';

export interface Pkcs11Error {
  readonly policy: ErrorPolicy;
  readonly cause: Bilingual;
  readonly action: Bilingual;
}

const UNKNOWN: ErrorRow = {
  number: -1,
  policy: 'tripBreaker',
  cause: { zh: '未列出的返回值', en: 'A return value without a text' },
  action: { zh: '查看厂商手册', en: 'Look it up in the manual of the vendor' },
};

const NAMES: ReadonlyMap<number, string> = new Map(Object.entries(ERROR_ROWS).map(([name, { number }]) => [number, name]));

/** Policy, cause and next action of a CKR name. */
export function pkcs11Error(ckr: string): Pkcs11Error {
  return (Object.hasOwn(ERROR_ROWS, ckr) ? ERROR_ROWS[ckr] : undefined) ?? UNKNOWN;
}

/** Name of a return value; a vendor's own one as CKR_0x…. */
export function ckrName(rv: number): string {
  return NAMES.get(rv) ?? `CKR_0x${rv.toString(16).toUpperCase().padStart(8, '0')}`;
}

/** After these the agent cannot go on: it ends, and a new one starts. */
export function isFatal(ckr: string): boolean {
  return FATAL.has(pkcs11Error(ckr).policy);
}
const FATAL: ReadonlySet<ErrorPolicy> = new Set(['reopen', 'relogin', 'restartAgent', 'fatalPin']);

/** The token was asked for a login and refused this PIN: it is never tried again by itself. */
export const PIN_REFUSALS: readonly string[] = Object.keys(ERROR_ROWS).filter((name) => ERROR_ROWS[name]?.policy === 'fatalPin');

/** Details of HSM_ERROR. */
export function pkcs11ErrorDetails(device: string, ckr: string): Record<string, string> {
  const { cause, action } = pkcs11Error(ckr);
  return { device, ckr, causeZh: cause.zh, causeEn: cause.en, actionZh: action.zh, actionEn: action.en };
}
