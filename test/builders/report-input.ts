import { createHash } from 'node:crypto';
import { RESULT_CLASS_NAMES, type ResultClass } from '#libs/platform/domain';

/** Shapes as `libs/verification` wants them; written out here so that a test sees the whole input of a report. */
export interface ReportShape {
  readonly institutions: number;
  readonly recordsPerClass: Partial<Record<ResultClass, number>>;
  readonly institutionName?: (index: number) => string;
  readonly fileName?: (index: number) => string;
}

const digest = (text: string): string => createHash('sha256').update(text).digest('hex').toUpperCase();
const code = (index: number): string => `H4419${String(index).padStart(7, '0')}`;
const spread = (total: number, parts: number, index: number): number => Math.floor(((index + 1) * total) / parts) - Math.floor((index * total) / parts);

/** A consistent report input of any size, the same for the same shape. Every record is worth 123.45 元. */
export function reportInput(shape: ReportShape) {
  const records = (name: ResultClass): number => shape.recordsPerClass[name] ?? 0;
  const fileName = shape.fileName ?? ((index: number) => `settlement-2026-07-01-${index + 1}.ndjson`);
  const institutionName = shape.institutionName ?? ((index: number) => `东莞市第${index + 1}人民医院`);
  const amount = (count: number): bigint => BigInt(count) * 12_345n;
  const totals = (share: (name: ResultClass) => number): Partial<Record<ResultClass, { records: number; amountFen: bigint }>> =>
    Object.fromEntries(
      RESULT_CLASS_NAMES.filter((name) => share(name) > 0).map((name) => [name, { records: share(name), amountFen: name === 'FORMAT' ? 0n : amount(share(name)) }]),
    );
  const lines = RESULT_CLASS_NAMES.reduce((sum, name) => sum + records(name), 0);
  const faults = RESULT_CLASS_NAMES.filter((name) => !['OK', 'CERT_REVOKED_LATER', 'FORMAT'].includes(name)).flatMap((name) => Array<ResultClass>(records(name)).fill(name));
  return {
    runId: '0198c5a2-7a10-7000-8000-4b1d2c3e5f60',
    startedAt: new Date('2026-07-02T01:00:00Z'),
    finishedAt: new Date('2026-07-02T01:02:03Z'),
    statusSnapshotAt: new Date('2026-07-02T00:59:59Z'),
    ruleVersion: '1',
    verifierVersion: '0.1.0',
    files: [0, 1].map((index) => ({
      name: fileName(index),
      format: index === 0 ? 'ndjson' : 'csv-gb18030',
      sha256: digest(`file ${index}`),
      bytes: 48_123_456 + index,
      lines: spread(lines, 2, index),
      rejectedLines: spread(records('FORMAT'), 2, index),
    })),
    totals: totals(records),
    institutions: Array.from({ length: shape.institutions }, (_, index) => ({
      code: code(index),
      name: institutionName(index),
      totals: totals((name) => (name === 'FORMAT' || name === 'CERT_UNKNOWN' ? 0 : spread(records(name), shape.institutions, index))),
    })),
    findings: faults.slice(0, 250).map((resultClass, index) => ({
      file: fileName(0),
      line: 17 + index * 31,
      transactionId: `SETL20260701${String(index).padStart(10, '0')}`,
      institutionCode: resultClass === 'CERT_UNKNOWN' ? '' : code(index % Math.max(shape.institutions, 1)),
      resultClass,
      amountFen: 12_345n,
    })),
    rejects: Array.from({ length: Math.min(records('FORMAT'), 250) }, (_, index) => ({
      file: fileName(1),
      line: 5 + index * 97,
      byteOffset: 4_096 + index * 50_000,
      reason: { zh: '不是有效的 JSON', en: 'Not valid JSON' },
    })),
    resultFile: { name: 'results.ndjson', sha256: digest('results'), bytes: 9_876_543 },
    merkleRoot: digest('merkle'),
    journal: { treeSize: 12_345, rootHash: digest('journal') },
    signer: { subject: 'CN=虎符报告签名, O=东莞市社会保障局', serial: '2A00000000000000000000000000001F' },
    font: { name: 'NotoSansCJK-Regular.ttc', face: 'NotoSansCJKsc-Regular', sha256: digest('font') },
  };
}

/** A settlement day of 100,000 lines with every class in it. */
export const SETTLEMENT_DAY: ReportShape = {
  institutions: 370,
  recordsPerClass: {
    OK: 99_500, CERT_REVOKED_LATER: 40, BAD_SIGNATURE: 40, DATA_MISMATCH: 40, NO_SIGNATURE: 40, CERT_UNKNOWN: 40, CERT_EXPIRED_AT_TX: 40,
    CERT_REVOKED_AT_TX: 40, CHAIN_INVALID: 40, DUPLICATE_TX: 40, CARD_CANCELLED_AT_TX: 40, AMOUNT_MISMATCH: 30, ALG_NOT_ALLOWED: 30, INDETERMINATE: 20, FORMAT: 20,
  },
};
