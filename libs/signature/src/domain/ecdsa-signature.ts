/** Orders of the curves, big-endian: P-256 (SEC 2 v2, 2.4.2), sm2p256v1 (GB/T 32918.5). */
export const CURVE_ORDERS = {
  p256: Uint8Array.from(Buffer.from('FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551', 'hex')),
  sm2: Uint8Array.from(Buffer.from('FFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123', 'hex')),
} as const;

const SEQUENCE = 0x30;
const INTEGER = 0x02;
/** An integer of a 256-bit curve: 32 bytes and at most one leading zero. */
const LONGEST_INTEGER = 33;

export interface EcdsaSignature {
  /** Big-endian without leading zeros, 1..32 bytes; views into the bytes that were read. */
  readonly r: Uint8Array;
  readonly s: Uint8Array;
}

/**
 * Strict reader of Ecdsa-Sig-Value (RFC 3279 2.2.3) for a 256-bit curve, and of SM2Signature (GM/T 0009 7.3), which has the
 * same form: one SEQUENCE of two minimal positive INTEGERs, nothing
 * after it, and 0 < r, s < n. Undefined for anything else: one signature has one encoding, so no byte of the evidence
 * can be changed without the verdict changing. The lengths never need the long form.
 */
export function readEcdsaSignature(bytes: Uint8Array, order: Uint8Array = CURVE_ORDERS.p256): EcdsaSignature | undefined {
  if (bytes.length < 8 || bytes[0] !== SEQUENCE || bytes[1] !== bytes.length - 2) return undefined;
  const r = readInteger(bytes, 2, order);
  if (r === undefined) return undefined;
  const s = readInteger(bytes, r.end, order);
  if (s === undefined || s.end !== bytes.length) return undefined;
  return { r: r.value, s: s.value };
}

function readInteger(bytes: Uint8Array, at: number, order: Uint8Array): { value: Uint8Array; end: number } | undefined {
  const length = bytes[at + 1];
  if (bytes[at] !== INTEGER || length === undefined || length === 0 || length > LONGEST_INTEGER) return undefined;
  const start = at + 2;
  const end = start + length;
  const first = bytes[start];
  const second = bytes[start + 1];
  if (end > bytes.length || first === undefined || first >= 0x80) return undefined;
  const padded = first === 0;
  // A leading zero is only right before a byte that would otherwise read as negative; this also refuses zero itself.
  if (padded && (length === 1 || second === undefined || second < 0x80)) return undefined;
  const value = bytes.subarray(padded ? start + 1 : start, end);
  return isBelow(value, order) ? { value, end } : undefined;
}

function isBelow(value: Uint8Array, order: Uint8Array): boolean {
  if (value.length < order.length) return true;
  return value.length === order.length && Buffer.compare(value, order) < 0;
}
