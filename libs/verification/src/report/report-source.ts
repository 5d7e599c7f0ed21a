import { X509Certificate } from 'node:crypto';
import type { EntityManager } from 'typeorm';
import { RESULT_CLASS_NAMES, RESULT_CLASSES, type ResultClass } from '#libs/platform/domain';
import { type RejectCode, rejectText } from '../domain/reject-reason.js';
import type { Aggregate, Failure } from '../passes/pass-jobs.js';
import { findFailures } from '../verification.repository.js';
import type { RunResults } from '../verification.service.js';
import { type ClassTotal, PRINTED_LINES, type ReportFont, type ReportInput } from './report-model.js';
import { findInstitutionNames } from './report.repository.js';

type Sql = Pick<EntityManager, 'query'>;

/** Classes that are printed line by line: neither verified, nor unreadable (those stand in their own list). */
const FINDING_CLASSES = RESULT_CLASS_NAMES.filter((name) => name !== 'FORMAT' && ['high', 'low'].includes(RESULT_CLASSES[name].severity));

/**
 * Everything a report says, from the run's own rows. Two calls for one run give equal inputs, whenever they are made:
 * what could change later (the signer, the font) comes from the intent.
 */
export async function reportInput(
  db: Sql,
  results: RunResults,
  fixed: { readonly font: ReportFont; readonly signerCertificate: Uint8Array },
): Promise<ReportInput> {
  const { run, files, result, states, aggregates } = results;
  const codes = [...new Set(aggregates.map((each) => each.institutionCode))].filter((code) => code !== '');
  const names = await findInstitutionNames(db, codes);
  const rejectsOf = await rejectedLinesByFile(db, run.id);
  const nameOf = new Map(files.map((file) => [file.fileNo, file.name]));
  const findings = await findFailures(db, run.id, { classes: FINDING_CLASSES, limit: PRINTED_LINES });
  const rejects = await findFailures(db, run.id, { classes: ['FORMAT'], limit: PRINTED_LINES });
  const certificate = new X509Certificate(fixed.signerCertificate);
  return {
    runId: run.id,
    startedAt: run.submittedAt,
    finishedAt: states.find((each) => each.state === 'done')?.at ?? run.submittedAt,
    statusSnapshotAt: run.snapshotAt,
    ruleVersion: run.ruleVersion,
    verifierVersion: run.verifierVersion,
    files: files.map((file) => ({
      name: file.name,
      format: file.format,
      sha256: file.digest,
      bytes: file.bytes,
      lines: file.lines,
      rejectedLines: rejectsOf.get(file.fileNo) ?? 0,
    })),
    totals: totalsOf(aggregates),
    institutions: codes.map((code) => ({
      code,
      name: names.get(code) ?? code,
      totals: totalsOf(aggregates.filter((each) => each.institutionCode === code)),
    })),
    findings: findings.map((each) => ({
      file: nameOf.get(each.fileNo) ?? '',
      line: each.line,
      transactionId: each.txId,
      institutionCode: each.institutionCode,
      resultClass: each.resultClass,
      amountFen: each.totalFen,
    })),
    rejects: rejects.map((each) => ({
      file: nameOf.get(each.fileNo) ?? '',
      line: each.line,
      byteOffset: each.byteOffset ?? 0,
      reason: rejectText(reasonOf(each)),
    })),
    resultFile: { name: `result-${run.id}.ndjson`, sha256: result.resultDigest, bytes: result.resultBytes },
    merkleRoot: result.merkleRoot,
    signer: { subject: certificate.subject.replaceAll('\n', ', '), serial: certificate.serialNumber },
    font: fixed.font,
  };
}

function totalsOf(aggregates: readonly Aggregate[]): ReportInput['totals'] {
  const totals: { [name in ResultClass]?: ClassTotal } = {};
  for (const { resultClass, records, totalFen } of aggregates) {
    const before = totals[resultClass] ?? { records: 0, amountFen: 0n };
    totals[resultClass] = { records: before.records + records, amountFen: before.amountFen + totalFen };
  }
  return totals;
}

async function rejectedLinesByFile(db: Sql, runId: string): Promise<Map<number, number>> {
  const rows: { file_no: number; lines: string }[] = await db.query(
    `SELECT file_no, count(*) AS lines FROM verification_failure WHERE run_id = $1 AND class = 'FORMAT' GROUP BY file_no`,
    [runId],
  );
  return new Map(rows.map((row) => [row.file_no, Number(row.lines)]));
}

/** Stored as `CODE` or `CODE:field` (verdict.ts). */
function reasonOf(failure: Failure): { code: RejectCode; field?: string } {
  const [code, field] = (failure.reason ?? '').split(':', 2);
  return field === undefined ? { code: code as RejectCode } : { code: code as RejectCode, field };
}
