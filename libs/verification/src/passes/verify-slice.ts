import { hash } from 'node:crypto';
import { allowedAlgorithm, SignatureVerifier } from '#libs/signature';
import { type LineOutcome, encodeChunk } from '../domain/chunk-output.js';
import { decide, isPayable, type RecordClass } from '../domain/decide.js';
import { bucketOf, SPILL_BYTES, transactionKey, writeSpilled } from '../domain/duplicates.js';
import { parseLine, type SettlementFormat } from '../domain/settlement-format.js';
import type { SettlementRecord } from '../domain/settlement-record.js';
import { verdictLine } from '../domain/verdict.js';
import type { StatusIndex } from './status-index.js';

export interface SliceToVerify {
  /** The slice's bytes, as received. */
  readonly bytes: Buffer;
  readonly fileName: string;
  readonly fileNo: number;
  readonly format: SettlementFormat;
  readonly firstLine: number;
  /** Where the slice starts in its file. */
  readonly byteStart: number;
  readonly buckets: number;
}

const verifier = new SignatureVerifier();
const LINE_FEED = 0x0a;

/** Pass 1 over one slice: every line gets a verdict by itself, payable transactions are spilled for pass 2. */
export function verifySlice(slice: SliceToVerify, status: StatusIndex): Uint8Array {
  const { bytes } = slice;
  const outcomes: LineOutcome[] = [];
  const spills: Buffer[][] = Array.from({ length: slice.buckets }, () => []);
  for (let start = 0, line = slice.firstLine; start < bytes.length; line++) {
    const feed = bytes.indexOf(LINE_FEED, start);
    const end = feed < 0 ? bytes.length : feed;
    const parsed = parseLine(slice.format, bytes.subarray(start, end), feed >= 0);
    if ('fault' in parsed) {
      const fault = { offset: slice.byteStart + start + parsed.fault.at, reason: parsed.fault.reason };
      outcomes.push(outcome(verdictLine({ file: slice.fileName, line, txId: '', resultClass: 'FORMAT', fault }), 'FORMAT', '', 0n));
    } else {
      const { record } = parsed;
      const resultClass = judge(record, status);
      const text = verdictLine({ file: slice.fileName, line, txId: record.txId, resultClass });
      outcomes.push(outcome(text, resultClass, record.institutionCode, record.amounts.totalFen));
      if (isPayable(resultClass)) spill(spills, slice, line, record);
    }
    start = end + 1;
  }
  return encodeChunk(outcomes, spills.map((parts) => Buffer.concat(parts)));
}

function judge(record: SettlementRecord, status: StatusIndex): RecordClass {
  const algorithm = allowedAlgorithm(record.signType);
  const known = status.certificate(record.certIssuer, record.certSerial);
  return decide({
    record,
    algorithmAllowed: algorithm !== undefined,
    certificate: known?.view,
    card: status.card(record.cardNo),
    signatureValid: () => {
      const signature = strictBase64(record.signature);
      if (signature === undefined || algorithm === undefined || known?.key === undefined) return false;
      return verifier.verify({ algorithm, publicKey: known.key, bytes: record.signedBytes, signature });
    },
  });
}

/** RFC 4648 section 4 and nothing looser: one signature has one spelling. */
function strictBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}

function outcome(line: string, resultClass: LineOutcome['resultClass'], institutionCode: string, totalFen: bigint): LineOutcome {
  return { verdictLine: line, leaf: verdictLeaf(line), resultClass, institutionCode, totalFen };
}

/**
 * RFC 9162 2.1.1 leaf hash, SHA-256(0x00 ‖ line): the same value as the journal's `leafHash`, by the one-call hash that
 * costs a quarter of it.
 */
export function verdictLeaf(line: string): Uint8Array {
  return hash('sha256', Buffer.from(`\0${line}`, 'utf8'), 'buffer');
}

function spill(spills: Buffer[][], slice: SliceToVerify, line: number, record: SettlementRecord): void {
  const entry = Buffer.allocUnsafe(SPILL_BYTES);
  const key = transactionKey(record.txId);
  writeSpilled(entry, 0, key, { txId: record.txId, receivedAtMs: record.receivedAtMs, fileNo: slice.fileNo, line });
  (spills[bucketOf(key, slice.buckets)] as Buffer[]).push(entry);
}
