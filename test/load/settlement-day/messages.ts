import { type KeyObject, sign } from 'node:crypto';
import iconv from 'iconv-lite';

export type Format = 'ndjson' | 'csv-gb18030';

export interface Signer {
  readonly id: string;
  readonly key: KeyObject;
  /** Hex. */
  readonly serial: string;
  /** SHA-256 of the issuer Name, hex. */
  readonly issuerHash: string;
  readonly signType: string;
}

export interface Body {
  mdtrt_id: string;
  setl_id: string;
  psn_no: string;
  psn_name: string;
  card_no: string;
  fixmedins_code: string;
  fixmedins_name: string;
  term_no: string;
  psam_no: string;
  tx_type: string;
  trans_time: string;
  medfee_sumamt: string;
  fund_pay_sumamt: string;
  acct_pay: string;
  psn_cash_pay: string;
  balc_before: string;
  balc_after: string;
}

export interface Booked {
  setl_id: string;
  card_no: string;
  fixmedins_code: string;
  medfee_sumamt: string;
}

/** One message before it is written. Faults change it, or what is made of it, through the hooks. */
export interface Message {
  body: Body;
  booked: Booked;
  signer: Signer;
  receivedMs: number;
  msgid: string;
  /** Names that stand in the message; the signer's own when absent. */
  serial?: string;
  issuerHash?: string;
  signType?: string;
  headerInstitution?: string;
  /** Between signing and writing. */
  changeSignature?: (signature: Buffer) => Buffer | undefined;
  changeSigned?: (signed: Buffer) => Buffer;
  /** Leave the member out altogether instead of writing it empty. */
  omitSignature?: boolean;
  /** Last of all: the finished line without its line feed. */
  changeLine?: (line: Buffer) => Buffer;
}

const GB_CACHE = new Map<string, Buffer>();

export function line(message: Message, format: Format, style: number): Buffer {
  const made = format === 'ndjson' ? ndjsonLine(message, style) : csvLine(message);
  return message.changeLine === undefined ? made : message.changeLine(made);
}

/** `style` varies how `input` is written: the signed bytes are whatever stands there. */
function ndjsonLine(message: Message, style: number): Buffer {
  const input = Buffer.from(inputText(message.body, style), 'utf8');
  const { signature, signed } = signatureOver(input, message);
  const { body, booked } = message;
  const head = {
    infno: body.tx_type === 'refund' ? '2208' : '2207',
    msgid: message.msgid,
    mdtrtarea_admvs: body.fixmedins_code.slice(1, 7),
    insuplc_admdvs: '110100',
    recer_sys_code: 'YBXT',
    dev_no: body.term_no,
    dev_safe_info: body.psam_no,
    ...(message.omitSignature === true ? {} : { cainfo: signature }),
    signtype: message.signType ?? message.signer.signType,
    infver: 'V1.0',
    opter_type: '1',
    opter: '0001',
    opter_name: '收费员',
    inf_time: chinaTime(message.receivedMs).slice(0, 19).replace('T', ' '),
    fixmedins_code: message.headerInstitution ?? body.fixmedins_code,
    fixmedins_name: body.fixmedins_name,
    sign_no: message.msgid.slice(-12),
    cert_sn: message.serial ?? message.signer.serial,
    cert_issuer: message.issuerHash ?? message.signer.issuerHash,
    recv_time: chinaTime(message.receivedMs),
    booked,
  };
  return Buffer.concat([Buffer.from(`${JSON.stringify(head).slice(0, -1)},"input":`, 'utf8'), signed, Buffer.from('}')]);
}

function inputText(body: Body, style: number): string {
  if (style % 5 === 1) return JSON.stringify(body, undefined, 1).replaceAll('\n', ' ');
  // Every character of the name as an escape: the same text, other bytes.
  if (style % 5 === 2) return JSON.stringify(body).replaceAll(/[^\x20-\x7e]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return JSON.stringify(body);
}

function csvLine(message: Message): Buffer {
  const { body, booked } = message;
  const text = [
    body.tx_type === 'refund' ? '2208' : '2207', message.msgid, body.mdtrt_id, body.setl_id, body.psn_no, body.psn_name, body.card_no,
    body.fixmedins_code, body.fixmedins_name, body.term_no, body.psam_no, body.tx_type, body.trans_time, body.medfee_sumamt,
    body.fund_pay_sumamt, body.acct_pay, body.psn_cash_pay, body.balc_before, body.balc_after,
  ];
  const { signature, signed } = signatureOver(gb18030(text), message);
  const rest = [
    signature, message.signType ?? message.signer.signType, message.serial ?? message.signer.serial, message.issuerHash ?? message.signer.issuerHash,
    chinaTime(message.receivedMs), booked.setl_id, booked.card_no, booked.fixmedins_code, booked.medfee_sumamt,
  ];
  return Buffer.concat([signed, Buffer.from(`,${rest.join(',')}`, 'latin1')]);
}

export const CSV_HEADER_LINE = [
  'infno,msgid,mdtrt_id,setl_id,psn_no,psn_name,card_no,fixmedins_code,fixmedins_name,term_no,psam_no,tx_type,trans_time,medfee_sumamt',
  'fund_pay_sumamt,acct_pay,psn_cash_pay,balc_before,balc_after,cainfo,signtype,cert_sn,cert_issuer,recv_time',
  'booked_setl_id,booked_card_no,booked_fixmedins_code,booked_medfee_sumamt',
].join(',');

/** Names repeat, so their GB18030 bytes are kept. */
function gb18030(columns: readonly string[]): Buffer {
  const parts: Buffer[] = [];
  for (const [i, column] of columns.entries()) {
    if (i > 0) parts.push(Buffer.from(','));
    let bytes = GB_CACHE.get(column);
    if (bytes === undefined) {
      bytes = iconv.encode(column, 'gb18030');
      // Only what is beyond ASCII repeats enough to be worth a place.
      if (bytes.length !== column.length) GB_CACHE.set(column, bytes);
    }
    parts.push(bytes);
  }
  return Buffer.concat(parts);
}

function signatureOver(bytes: Buffer, message: Message): { signature: string; signed: Buffer } {
  const made = sign('sha256', bytes, message.signer.key);
  const signature = message.changeSignature === undefined ? made : message.changeSignature(made);
  return { signature: signature?.toString('base64') ?? '', signed: message.changeSigned === undefined ? bytes : message.changeSigned(bytes) };
}

/** `yyyy-MM-ddTHH:mm:ss.SSS+08:00` */
export function chinaTime(ms: number): string {
  return `${new Date(ms + 8 * 3_600_000).toISOString().slice(0, 23)}+08:00`;
}

export function yuan(fen: number): string {
  const digits = String(Math.abs(fen)).padStart(3, '0');
  return `${fen < 0 ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}
