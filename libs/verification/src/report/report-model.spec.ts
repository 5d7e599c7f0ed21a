import { describe, expect, it } from '@jest/globals';
import { RESULT_CLASS_NAMES, RESULT_CLASSES } from '#libs/platform/domain';
import { reportInput, SETTLEMENT_DAY } from '../../../../test/builders/report-input.js';
import { buildReportModel, PRINTED_LINES, summarise, type ReportInput } from './report-model.js';

const day = (changes: Partial<ReportInput> = {}): ReportInput => ({ ...reportInput(SETTLEMENT_DAY), ...changes });

describe('report model', () => {
  it('sums what the classes mean', () => {
    const { summary, findings, rejects, unattributed } = buildReportModel(day());
    expect(summary).toEqual({
      lines: 100_000,
      amountFen: 99_980n * 12_345n,
      verified: { records: 99_540, amountFen: 99_540n * 12_345n },
      noted: { records: 40, amountFen: 40n * 12_345n },
      findings: { records: 420, amountFen: 420n * 12_345n },
      undecided: { records: 20, amountFen: 20n * 12_345n },
      rejectedLines: 20,
    });
    expect([findings.total, findings.printed.length, rejects.total, rejects.printed.length]).toEqual([440, PRINTED_LINES, 20, 20]);
    expect(unattributed).toEqual({ FORMAT: { records: 20, amountFen: 0n }, CERT_UNKNOWN: { records: 40, amountFen: 40n * 12_345n } });
  });

  it('counts every class exactly once', () => {
    for (const name of RESULT_CLASS_NAMES) {
      const { verified, findings, undecided, rejectedLines, lines } = summarise({ [name]: { records: 1, amountFen: 1n } });
      expect([name, verified.records + findings.records + undecided.records + rejectedLines]).toEqual([name, 1]);
      expect([name, lines]).toEqual([name, 1]);
      expect([name, verified.records === 1]).toEqual([name, ['ok', 'note'].includes(RESULT_CLASSES[name].severity)]);
    }
  });

  it('is the same whatever the order of institutions', () => {
    const input = day();
    expect(buildReportModel({ ...input, institutions: [...input.institutions].reverse() })).toEqual(buildReportModel(input));
  });

  it('takes a run without files, institutions and faults', () => {
    const model = buildReportModel(day({ files: [], totals: {}, institutions: [], findings: [], rejects: [] }));
    expect(model.summary.lines).toBe(0);
    expect(model.unattributed).toEqual({});
  });

  const input = day();
  const more = { ...input.totals, OK: { records: 99_501, amountFen: 0n } };
  it.each<[string, Partial<ReportInput>, RegExp]>([
    ['lines of files differ from classes', { totals: more }, /lines of files and classes/],
    ['rejected lines differ', { files: input.files.map((file) => ({ ...file, rejectedLines: 0 })) }, /rejected lines/],
    ['an institution stands twice', { institutions: [...input.institutions, ...input.institutions.slice(0, 1)] }, /exceed|distinct/],
    ['institutions exceed a class', { institutions: input.institutions.map((row) => ({ ...row, totals: { ...row.totals, NO_SIGNATURE: { records: 9, amountFen: 0n } } })) }, /NO_SIGNATURE/],
    ['an amount without records is left', { institutions: input.institutions.map((row) => ({ ...row, totals: { ...row.totals, OK: { ...row.totals.OK!, amountFen: 0n } } })) }, /of OK/],
    ['findings are missing', { findings: [] }, /findings: 0 listed of 440/],
    ['too many rejects', { rejects: [...input.rejects, ...input.rejects] }, /rejected lines: 40 listed of 20/],
  ])('refuses: %s', (_name, changes, reason) => {
    let thrown: unknown;
    try {
      buildReportModel(day(changes));
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: 'REPORT_INCONSISTENT', details: { reason: expect.stringMatching(reason) } });
  });
});
