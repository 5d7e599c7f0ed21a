import { canonicalJson, RESULT_CLASS_NAMES, RESULT_CLASSES, type JsonValue } from '#libs/platform/domain';
import type { ClassTotal, ClassTotals, ReportModel, Summary } from './report-model.js';

/**
 * The report for programs: RFC 8785 canonical UTF-8 bytes, schema `hufu-report/1`. Amounts are strings in 分, times ISO
 * 8601 UTC. Unlike the PDF it names every class of every institution.
 */
export function reportJson(model: ReportModel): Uint8Array {
  return canonicalJson({
    schema: 'hufu-report/1',
    runId: model.runId,
    startedAt: model.startedAt.toISOString(),
    finishedAt: model.finishedAt.toISOString(),
    statusSnapshotAt: model.statusSnapshotAt.toISOString(),
    ruleVersion: model.ruleVersion,
    verifierVersion: model.verifierVersion,
    summary: summary(model.summary),
    classes: RESULT_CLASS_NAMES.map((name) => ({
      class: name,
      severity: RESULT_CLASSES[name].severity,
      zh: RESULT_CLASSES[name].text.zh,
      en: RESULT_CLASSES[name].text.en,
      ...total(model.totals[name] ?? { records: 0, amountFen: 0n }),
    })),
    files: model.files.map((file) => ({ ...file })),
    institutions: model.institutions.map((institution) => ({
      code: institution.code,
      name: institution.name.toWellFormed(),
      summary: summary(institution.summary),
      classes: totals(institution.totals),
    })),
    unattributed: totals(model.unattributed),
    findings: {
      total: model.findings.total,
      printed: model.findings.printed.map((finding) => ({ ...finding, amountFen: String(finding.amountFen) })),
    },
    rejects: { total: model.rejects.total, printed: model.rejects.printed.map((reject) => ({ ...reject, reason: { ...reject.reason } })) },
    resultFile: { ...model.resultFile },
    merkleRoot: model.merkleRoot,
    journal: model.journal ? { ...model.journal } : null,
    signer: model.signer ? { ...model.signer } : null,
    font: { ...model.font },
    reproduce: { ...model.reproduce },
  });
}

function summary(of: Summary): JsonValue {
  return {
    lines: of.lines,
    amountFen: String(of.amountFen),
    verified: total(of.verified),
    noted: total(of.noted),
    findings: total(of.findings),
    undecided: total(of.undecided),
    rejectedLines: of.rejectedLines,
  };
}

function totals(of: ClassTotals): JsonValue {
  const names = RESULT_CLASS_NAMES.filter((name) => (of[name]?.records ?? 0) > 0);
  return Object.fromEntries(names.map((name) => [name, total(of[name] as ClassTotal)]));
}

function total(of: ClassTotal): { records: number; amountFen: string } {
  return { records: of.records, amountFen: String(of.amountFen) };
}
