import { z } from 'zod';
import type { PsamState } from './psam-state.js';

const Day = z.iso.date();
const Code = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'letters, digits, dot, dash');
export const ChipSerial = z.string().regex(/^[0-9A-F]{16}$/, '16 upper-case hex characters');
const KeyIdText = z.string().regex(/^[0-9A-F]{32}$/, '32 upper-case hex characters');

/**
 * A vendor of blank PSAMs in the filed-vendor register (人社厅发〔2015〕110号: blanks are bought from filed vendors only).
 * The filing holds from and to these days, both included, Beijing time.
 */
export const PsamVendor = z.strictObject({
  code: Code,
  name: z.string().min(1).max(200),
  filingNumber: z.string().min(1).max(100),
  filedFrom: Day,
  filedTo: Day,
  cardModel: z.string().min(1).max(100),
});
export type PsamVendor = z.infer<typeof PsamVendor>;

/** A delivery of blank cards, counted and scanned: one chip serial (8 bytes of the ATR) per card. */
export const PsamLot = z.strictObject({
  lotNo: Code,
  vendorCode: Code,
  chipSerials: z.array(ChipSerial).min(1).max(100_000).readonly(),
});
export type PsamLot = z.infer<typeof PsamLot>;

/** CKA_IDs of the roots that a PSAM's keys come from; every root serves one use. */
export const PsamKeySet = z.strictObject({
  transportRoot: KeyIdText,
  controlRoot: KeyIdText,
  maintenanceRoot: KeyIdText,
  purchaseRoot: KeyIdText,
  dataRoot: KeyIdText,
});
export type PsamKeySet = z.infer<typeof PsamKeySet>;

/** An order: one PSAM for each terminal number, from one lot, under one key set. */
export const PsamOrder = z.strictObject({
  orderNo: Code,
  lotNo: Code,
  /** GB/T 2260, 6 digits. */
  region: z.string().regex(/^[0-9]{6}$/),
  institutionCode: z.string().regex(/^[A-Z0-9]{12}$/),
  /** Cards wanted; equals the number of terminal numbers. */
  count: z.int().min(1).max(100_000),
  terminalNumbers: z.array(z.string().regex(/^[0-9]{12}$/)).min(1).max(100_000).readonly(),
  keySet: PsamKeySet,
  /** The token that makes every key load of this order. */
  device: z.string().min(1).max(64),
  /** Validity that is written into the application (0017). */
  validFrom: Day,
  validTo: Day,
});
export type PsamOrder = z.infer<typeof PsamOrder>;

/** A physical card of the ledger. */
export interface PsamCard {
  readonly chipSerial: string;
  readonly lotNo: string;
  readonly state: PsamState;
  readonly atr: string | undefined;
  readonly orderNo: string | undefined;
  /** 20 digits; given once, never to a second chip. */
  readonly psamSerial: string | undefined;
  readonly terminalNumber: string | undefined;
  /** Why it is where it is, when that is not the ordinary course. */
  readonly reason: string | undefined;
}

/** One fact shown by the card and compared with what the token says. `ok` decides; the two texts are for people. */
export interface Proof {
  readonly name: string;
  readonly expected: string;
  readonly actual: string;
  readonly ok: boolean;
}

export interface Failure {
  readonly code: string;
  readonly details: Readonly<Record<string, string | number | boolean | readonly string[]>>;
}

/** How one card came out. `state` is good only when every proof is ok. */
export interface PersonalisationResult {
  readonly sessionId: string;
  readonly chipSerial: string;
  readonly psamSerial: string;
  readonly terminalNumber: string;
  readonly state: 'good' | 'quarantined';
  readonly proofs: readonly Proof[];
  readonly failure: Failure | undefined;
  /** Number of commands sent, and SHA-256 over the stored command log (hex). */
  readonly commands: number;
  readonly logDigest: string;
}

/** `region` then a running number, 20 digits. The last 16 digits are the diversification factor. */
export function psamSerial(region: string, running: bigint): string {
  const number = running.toString().padStart(14, '0');
  if (running < 1n || number.length > 14) throw new RangeError('running number of a PSAM out of range');
  return `${region}${number}`;
}

/** The calendar day in Beijing (UTC+8, no summer time), which filings are judged by. */
export function beijingDay(at: Date): string {
  return new Date(at.getTime() + 8 * 3_600_000).toISOString().slice(0, 10);
}

export function isFiled(vendor: Pick<PsamVendor, 'filedFrom' | 'filedTo'>, day: string): boolean {
  return vendor.filedFrom <= day && day <= vendor.filedTo;
}
