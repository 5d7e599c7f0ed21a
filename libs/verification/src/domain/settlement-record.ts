import { TRANSACTION_TYPES, type Amounts, type TransactionType, yuanToFen } from './amount.js';
import { readReceiveTime, readTerminalTime } from './instant.js';
import type { LineFault } from './reject-reason.js';

/** What the centre booked beside the message; compared with what was signed. */
export interface BookedRow {
  readonly txId: string;
  readonly cardNo: string;
  readonly institutionCode: string;
  readonly totalFen: bigint;
}

/** One settled transaction as it stands in a line, nothing added and nothing judged. */
export interface SettlementRecord {
  /** `setl_id`, unique for the scheme. */
  readonly txId: string;
  /** Empty in channels without a card. */
  readonly cardNo: string;
  readonly institutionCode: string;
  /** The institution code of the unsigned message header; NDJSON only, equal to the signed one in CSV. */
  readonly headerInstitutionCode: string;
  readonly amounts: Amounts;
  /** The terminal's own clock, ms since 1970 UTC; signed, but forgeable. */
  readonly terminalTimeMs: number;
  /** The server's receive time, ms since 1970 UTC: the time at which the certificate and the card are judged. */
  readonly receivedAtMs: number;
  /** The bytes that were signed, as they stand in the line. */
  readonly signedBytes: Uint8Array;
  /** `cainfo`: Base64, empty when the message carries none. */
  readonly signature: string;
  readonly signType: string;
  /** Certificate serial number, hex, upper case. */
  readonly certSerial: string;
  /** SHA-256 over the DER of the certificate's issuer Name, hex, upper case. */
  readonly certIssuer: string;
  readonly booked: BookedRow;
}

export type ParsedLine = { readonly record: SettlementRecord } | { readonly fault: LineFault };

export type FieldPlace = 'header' | 'input' | 'booked';

export interface FieldRule {
  readonly place: FieldPlace;
  readonly name: string;
  readonly pattern: RegExp;
  /** An absent optional field reads as the empty text. */
  readonly optional?: true;
}

const TEXT_ID = /^[0-9A-Za-z_.-]{1,40}$/;
const CARD_NO = /^[0-9A-Z]{0,20}$/;
const INSTITUTION = /^[0-9A-Z]{12}$/;
const AMOUNT = /^-?(0|[1-9][0-9]{0,11})\.[0-9]{2}$/;
const ANY_SHORT = /^[\x20-\x7E]{0,1024}$/;

/** What is read of a record, in one order for all formats. Everything else in a line is signed or kept, but not read. */
export const RECORD_FIELDS = [
  { place: 'header', name: 'infno', pattern: /^[0-9A-Z]{1,10}$/ },
  { place: 'header', name: 'msgid', pattern: TEXT_ID },
  { place: 'header', name: 'fixmedins_code', pattern: INSTITUTION },
  { place: 'header', name: 'cainfo', pattern: /^[\x20-\x7E]{0,4096}$/, optional: true },
  { place: 'header', name: 'signtype', pattern: ANY_SHORT, optional: true },
  { place: 'header', name: 'cert_sn', pattern: ANY_SHORT, optional: true },
  { place: 'header', name: 'cert_issuer', pattern: ANY_SHORT, optional: true },
  { place: 'header', name: 'recv_time', pattern: /^.{29}$/ },
  { place: 'input', name: 'mdtrt_id', pattern: TEXT_ID },
  { place: 'input', name: 'setl_id', pattern: TEXT_ID },
  { place: 'input', name: 'psn_no', pattern: TEXT_ID },
  { place: 'input', name: 'card_no', pattern: CARD_NO },
  { place: 'input', name: 'fixmedins_code', pattern: INSTITUTION },
  { place: 'input', name: 'term_no', pattern: /^[0-9]{0,12}$/ },
  { place: 'input', name: 'psam_no', pattern: /^[0-9A-F]{0,20}$/ },
  { place: 'input', name: 'tx_type', pattern: new RegExp(`^(${TRANSACTION_TYPES.join('|')})$`) },
  { place: 'input', name: 'trans_time', pattern: /^.{19}$/ },
  { place: 'input', name: 'medfee_sumamt', pattern: AMOUNT },
  { place: 'input', name: 'fund_pay_sumamt', pattern: AMOUNT },
  { place: 'input', name: 'acct_pay', pattern: AMOUNT },
  { place: 'input', name: 'psn_cash_pay', pattern: AMOUNT },
  { place: 'input', name: 'balc_before', pattern: AMOUNT },
  { place: 'input', name: 'balc_after', pattern: AMOUNT },
  { place: 'booked', name: 'setl_id', pattern: TEXT_ID },
  { place: 'booked', name: 'card_no', pattern: CARD_NO },
  { place: 'booked', name: 'fixmedins_code', pattern: INSTITUTION },
  { place: 'booked', name: 'medfee_sumamt', pattern: AMOUNT },
] as const satisfies readonly FieldRule[];

type KeyOf<R> = R extends { place: infer P extends string; name: infer N extends string } ? `${P}.${N}` : never;
type FieldKey = KeyOf<(typeof RECORD_FIELDS)[number]>;
const keyOf = (rule: FieldRule): FieldKey => `${rule.place}.${rule.name}` as FieldKey;
const INDEX = Object.fromEntries(RECORD_FIELDS.map((rule, i) => [keyOf(rule), i])) as Record<FieldKey, number>;

/** How a field is called in a reject reason: `input.setl_id`, `recv_time`. */
export function fieldName(rule: FieldRule): string {
  return rule.place === 'header' ? rule.name : `${rule.place}.${rule.name}`;
}

/**
 * Values in the order of RECORD_FIELDS → record, or the index of the first field that is malformed. The values were
 * already matched against their patterns; what is left are times and amounts that look right but are not.
 */
export function recordOf(values: readonly string[], signedBytes: Uint8Array): SettlementRecord | number {
  let malformed = -1;
  const text = (key: FieldKey): string => values[INDEX[key]] as string;
  const wanted = <T>(key: FieldKey, value: T | undefined, otherwise: T): T => {
    if (value === undefined && malformed < 0) malformed = INDEX[key];
    return value ?? otherwise;
  };
  const amount = (key: FieldKey): bigint => wanted(key, yuanToFen(text(key)), 0n);
  const record: SettlementRecord = {
    txId: text('input.setl_id'),
    cardNo: text('input.card_no'),
    institutionCode: text('input.fixmedins_code'),
    headerInstitutionCode: text('header.fixmedins_code'),
    receivedAtMs: wanted('header.recv_time', readReceiveTime(text('header.recv_time')), 0),
    terminalTimeMs: wanted('input.trans_time', readTerminalTime(text('input.trans_time')), 0),
    amounts: {
      type: text('input.tx_type') as TransactionType,
      totalFen: amount('input.medfee_sumamt'),
      fundPayFen: amount('input.fund_pay_sumamt'),
      accountPayFen: amount('input.acct_pay'),
      cashPayFen: amount('input.psn_cash_pay'),
      balanceBeforeFen: amount('input.balc_before'),
      balanceAfterFen: amount('input.balc_after'),
    },
    signedBytes,
    signature: text('header.cainfo'),
    signType: text('header.signtype'),
    certSerial: text('header.cert_sn'),
    certIssuer: text('header.cert_issuer'),
    booked: {
      txId: text('booked.setl_id'),
      cardNo: text('booked.card_no'),
      institutionCode: text('booked.fixmedins_code'),
      totalFen: amount('booked.medfee_sumamt'),
    },
  };
  return malformed < 0 ? record : malformed;
}

/** Does what the centre booked say the same as what was signed? */
export function dataMatches(record: SettlementRecord): boolean {
  const { booked } = record;
  return (
    booked.txId === record.txId &&
    booked.cardNo === record.cardNo &&
    booked.institutionCode === record.institutionCode &&
    record.headerInstitutionCode === record.institutionCode &&
    booked.totalFen === record.amounts.totalFen
  );
}
