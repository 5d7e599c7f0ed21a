import { AppError, RESULT_CLASS_NAMES, RESULT_CLASSES, type Bilingual, type ResultClass } from '#libs/platform/domain';

/** How many findings and rejected lines are printed; all of them stand in the result file. */
export const PRINTED_LINES = 200;

export interface ReportFile {
  readonly name: string;
  readonly format: string;
  /** Upper-case hex over the bytes as received. */
  readonly sha256: string;
  readonly bytes: number;
  /** Every line, also those that could not be parsed. */
  readonly lines: number;
  readonly rejectedLines: number;
}

export interface ClassTotal {
  readonly records: number;
  /** 分; 0 for lines whose amount could not be read. */
  readonly amountFen: bigint;
}

export type ClassTotals = { readonly [name in ResultClass]?: ClassTotal };

export interface ReportInstitution {
  readonly code: string;
  readonly name: string;
  readonly totals: ClassTotals;
}

export interface ReportFinding {
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  readonly transactionId: string;
  readonly institutionCode: string;
  readonly resultClass: ResultClass;
  readonly amountFen: bigint;
}

export interface ReportReject {
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  readonly byteOffset: number;
  readonly reason: Bilingual;
}

export interface ReportFont {
  readonly name: string;
  readonly face: string;
  readonly sha256: string;
}

/** What a finished run says of itself. Counts and amounts come from the run's rows, never from the text of the report. */
export interface ReportInput {
  readonly runId: string;
  readonly startedAt: Date;
  readonly finishedAt: Date;
  /** Certificates, cards and revocations are those recorded up to here. */
  readonly statusSnapshotAt: Date;
  readonly ruleVersion: string;
  readonly verifierVersion: string;
  /** In the order of submission. */
  readonly files: readonly ReportFile[];
  readonly totals: ClassTotals;
  readonly institutions: readonly ReportInstitution[];
  /** In file order; at least the first PRINTED_LINES of them. */
  readonly findings: readonly ReportFinding[];
  /** In file order; at least the first PRINTED_LINES of them. */
  readonly rejects: readonly ReportReject[];
  readonly resultFile: { readonly name: string; readonly sha256: string; readonly bytes: number };
  /** RFC 9162 root over the verdict lines, upper-case hex. */
  readonly merkleRoot: string;
  readonly journal?: { readonly treeSize: number; readonly rootHash: string };
  readonly signer?: { readonly subject: string; readonly serial: string };
  readonly font: ReportFont;
}

export interface Summary {
  readonly lines: number;
  readonly amountFen: bigint;
  /** Severity ok or note. */
  readonly verified: ClassTotal;
  /** The part of `verified` that carries a note. */
  readonly noted: ClassTotal;
  /** Severity high, unparsable lines left out. */
  readonly findings: ClassTotal;
  /** Severity low: nothing can be said either way. */
  readonly undecided: ClassTotal;
  readonly rejectedLines: number;
}

export interface InstitutionRow extends ReportInstitution {
  readonly summary: Summary;
}

export interface ReportModel extends Omit<ReportInput, 'institutions' | 'findings' | 'rejects'> {
  readonly summary: Summary;
  /** By code. */
  readonly institutions: readonly InstitutionRow[];
  /** Lines of no institution: unparsable, or of an unknown certificate. */
  readonly unattributed: ClassTotals;
  readonly findings: { readonly total: number; readonly printed: readonly ReportFinding[] };
  readonly rejects: { readonly total: number; readonly printed: readonly ReportReject[] };
  /** What a reader types to get the same bytes, and to check the signature. */
  readonly reproduce: { readonly report: string; readonly check: string };
}

const NOTHING: ClassTotal = { records: 0, amountFen: 0n };

/**
 * Orders, sums and cross-checks. A report whose parts contradict each other is worse than none: throws
 * REPORT_INCONSISTENT {reason} when lines of files, classes, institutions and lists do not add up.
 */
export function buildReportModel(input: ReportInput): ReportModel {
  const summary = summarise(input.totals);
  const unattributed = subtract(input.totals, input.institutions);
  const rejectedLines = sum(input.files.map((file) => file.rejectedLines));
  const findings = summary.findings.records + summary.undecided.records;
  mustEqual('lines of files and classes', sum(input.files.map((file) => file.lines)), summary.lines);
  mustEqual('rejected lines of files and class FORMAT', rejectedLines, summary.rejectedLines);
  mustEqual('distinct institution codes', new Set(input.institutions.map(({ code }) => code)).size, input.institutions.length);
  return {
    ...input,
    summary,
    unattributed,
    institutions: input.institutions
      .map((institution) => ({ ...institution, summary: summarise(institution.totals) }))
      .sort((a, b) => (a.code < b.code ? -1 : 1)),
    findings: { total: findings, printed: printed('findings', input.findings, findings) },
    rejects: { total: rejectedLines, printed: printed('rejected lines', input.rejects, rejectedLines) },
    reproduce: {
      report: `./hufu report ${input.runId}`,
      check: 'openssl cms -verify -binary -inform DER -in report.pdf.p7s -content report.pdf -CAfile root.pem -out /dev/null',
    },
  };
}

/** Counts by what they mean to the reader; the table of classes decides, no name is repeated here. */
export function summarise(totals: ClassTotals): Summary {
  const of = (wanted: (name: ResultClass) => boolean): ClassTotal => addUp(RESULT_CLASS_NAMES.filter(wanted).map((name) => totals[name] ?? NOTHING));
  const severity = (name: ResultClass): string => (name === 'FORMAT' ? 'rejected' : RESULT_CLASSES[name].severity);
  const all = of(() => true);
  return {
    lines: all.records,
    amountFen: all.amountFen,
    verified: of((name) => severity(name) === 'ok' || severity(name) === 'note'),
    noted: of((name) => severity(name) === 'note'),
    findings: of((name) => severity(name) === 'high'),
    undecided: of((name) => severity(name) === 'low'),
    rejectedLines: of((name) => severity(name) === 'rejected').records,
  };
}

function subtract(totals: ClassTotals, institutions: readonly ReportInstitution[]): ClassTotals {
  const rest: Partial<Record<ResultClass, ClassTotal>> = {};
  for (const name of RESULT_CLASS_NAMES) {
    const whole = totals[name] ?? NOTHING;
    const parts = addUp(institutions.map((institution) => institution.totals[name] ?? NOTHING));
    const left = { records: whole.records - parts.records, amountFen: whole.amountFen - parts.amountFen };
    if (left.records < 0 || (left.records === 0 && left.amountFen !== 0n)) throw inconsistent(`institutions exceed the total of ${name}`);
    if (left.records > 0) rest[name] = left;
  }
  return rest;
}

function printed<T>(what: string, lines: readonly T[], total: number): readonly T[] {
  const expected = Math.min(total, PRINTED_LINES);
  if (lines.length > total || lines.length < expected) throw inconsistent(`${what}: ${lines.length} listed of ${total}`);
  return lines.slice(0, expected);
}

function mustEqual(what: string, a: number, b: number): void {
  if (a !== b) throw inconsistent(`${what}: ${a} and ${b}`);
}

function inconsistent(reason: string): AppError {
  return new AppError('REPORT_INCONSISTENT', { reason });
}

function addUp(totals: readonly ClassTotal[]): ClassTotal {
  return totals.reduce((a, b) => ({ records: a.records + b.records, amountFen: a.amountFen + b.amountFen }), NOTHING);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}
