/** JSON values that have one canonical form (RFC 8785). Numbers beyond 2^53, money and serials travel as strings. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/**
 * RFC 8785 canonical bytes (UTF-8). ECMAScript's own number and string serialisation is what the RFC prescribes;
 * keys are sorted by UTF-16 code units. Throws a RangeError on NaN, Infinity, an unsafe integer or a lone surrogate.
 */
export function canonicalJson(value: JsonValue): Uint8Array {
  return new TextEncoder().encode(serialise(value));
}

function serialise(value: JsonValue): string {
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new RangeError('canonical JSON has no NaN or Infinity');
    if (Number.isInteger(value) && !Number.isSafeInteger(value)) throw new RangeError('integers beyond 2^53 travel as strings');
    return JSON.stringify(value);
  }
  if (typeof value === 'string') {
    if (!value.isWellFormed()) throw new RangeError('canonical JSON has no lone surrogates');
    return JSON.stringify(value);
  }
  if (value === null || typeof value === 'boolean') return String(value);
  if (Array.isArray(value)) return `[${value.map(serialise).join(',')}]`;
  const object = value as { readonly [key: string]: JsonValue };
  const keys = Object.keys(object).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  return `{${keys.map((key) => `${serialise(key)}:${serialise(object[key] as JsonValue)}`).join(',')}}`;
}
