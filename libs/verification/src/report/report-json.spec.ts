import { describe, expect, it } from '@jest/globals';
import { canonicalJson, equalBytes, RESULT_CLASS_NAMES, type JsonValue } from '#libs/platform/domain';
import { reportInput, SETTLEMENT_DAY } from '../../../../test/builders/report-input.js';
import { reportJson } from './report-json.js';
import { buildReportModel } from './report-model.js';

const model = buildReportModel(reportInput(SETTLEMENT_DAY));
const parsed = JSON.parse(new TextDecoder().decode(reportJson(model)));

describe('report as JSON', () => {
  it('is canonical and the same for the same model', () => {
    expect(equalBytes(reportJson(model), canonicalJson(parsed as JsonValue))).toBe(true);
    expect(equalBytes(reportJson(buildReportModel(reportInput(SETTLEMENT_DAY))), reportJson(model))).toBe(true);
  });

  it('holds amounts as text, times in UTC, every class and every institution', () => {
    expect(parsed).toMatchObject({
      schema: 'hufu-report/1',
      runId: model.runId,
      finishedAt: '2026-07-02T01:02:03.000Z',
      summary: { lines: 100_000, amountFen: String(99_980n * 12_345n), findings: { records: 420 }, rejectedLines: 20 },
      findings: { total: 440 },
      merkleRoot: model.merkleRoot,
      reproduce: { report: `./hufu report ${model.runId}` },
    });
    expect(parsed.classes.map((row: { class: string }) => row.class)).toEqual([...RESULT_CLASS_NAMES]);
    expect(parsed.classes.find((row: { class: string }) => row.class === 'BAD_SIGNATURE')).toEqual({
      class: 'BAD_SIGNATURE', severity: 'high', zh: '验签失败', en: 'Bad signature', records: 40, amountFen: String(40n * 12_345n),
    });
    expect(parsed.institutions).toHaveLength(370);
    const records = parsed.institutions.flatMap((row: { classes: Record<string, { records: number }> }) => Object.values(row.classes).map((of) => of.records));
    const rest = Object.values(parsed.unattributed as Record<string, { records: number }>).map((of) => of.records);
    expect([...records, ...rest].reduce((a: number, b: number) => a + b, 0)).toBe(100_000);
  });

  it('says null where there is no journal root and no signer', () => {
    const { journal: _journal, signer: _signer, ...without } = reportInput(SETTLEMENT_DAY);
    expect(JSON.parse(new TextDecoder().decode(reportJson(buildReportModel(without))))).toMatchObject({ journal: null, signer: null });
  });
});
