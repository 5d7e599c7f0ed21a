// @ts-check
import { utf8 } from './bytes.js';

/**
 * RFC 8785 canonical bytes, as far as what approvers sign needs it: strings, integers, booleans, null, arrays, objects. The service
 * writes the same bytes by code of its own. Throws a RangeError on anything else.
 * @param {unknown} value
 */
export function canonicalJson(value) {
  return utf8(serialise(value));
}

/**
 * @param {unknown} value
 * @returns {string}
 */
function serialise(value) {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number' && Number.isSafeInteger(value)) return JSON.stringify(value);
  if (typeof value === 'string' && value.isWellFormed()) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(serialise).join(',')}]`;
  if (typeof value !== 'object') throw new RangeError(`no canonical form for ${typeof value}`);
  const object = /** @type {Record<string, unknown>} */ (value);
  // The default order of `sort` is that of UTF-16 code units, which the RFC asks for.
  return `{${Object.keys(object).sort().map((key) => `${serialise(key)}:${serialise(object[key])}`).join(',')}}`;
}
