import { RESULT_CLASS_NAMES, RESULT_CLASSES, type Bilingual, type ResultClass } from '#libs/platform/domain';
import { INK, MUTED, Sheet, type Cell, type Column, type LoadedFont } from './pdf-sheet.js';
import type { ClassTotals, InstitutionRow, ReportModel, Summary } from './report-model.js';
import { chinaTime, count, hexGroups, share, yuan } from './report-text.js';

const TITLE: Bilingual = { zh: '重新验签报告', en: 'Settlement re-verification report' };

/** What a class means to the reader; colour is never the only signal, the word stands beside it. */
type Kind = 'verified' | 'noted' | 'undecided' | 'finding' | 'rejected';
const KINDS: Readonly<Record<Kind, Bilingual & { readonly colour: string }>> = {
  verified: { zh: '通过', en: 'Verified', colour: '#1b6e3c' },
  noted: { zh: '通过（附注）', en: 'Verified, note', colour: '#1f5a93' },
  undecided: { zh: '无法判定', en: 'Undecided', colour: '#8a5a00' },
  finding: { zh: '疑点', en: 'Finding', colour: '#b3261e' },
  rejected: { zh: '拒收', en: 'Rejected', colour: '#5d4a66' },
};
const KIND_OF_SEVERITY = { ok: 'verified', note: 'noted', low: 'undecided', high: 'finding' } as const;

const kindOf = (name: ResultClass): Kind => (name === 'FORMAT' ? 'rejected' : KIND_OF_SEVERITY[RESULT_CLASSES[name].severity]);
const column = (zh: string, en: string, part: number, more: Partial<Column> = {}): Column => ({ title: { zh, en }, share: part, ...more });
/** Keeps a name and its number on one line. */
const NO_BREAK = '\u00a0';
const NONE = '无。 None.';
const compare = <T extends string | bigint>(a: T, b: T): number => (a < b ? -1 : a > b ? 1 : 0);
const right = { align: 'right' } as const;
const fact = (zh: string, en: string, value: string): { name: Bilingual; value: string } => ({ name: { zh, en }, value });

/** The report for people: A4, zh first, en second. The same model and font give the same bytes. */
export async function reportPdf(model: ReportModel, font: LoadedFont): Promise<Uint8Array> {
  const sheet = new Sheet(
    {
      title: TITLE,
      mark: `运行 Run ${model.runId}`,
      subject: `run ${model.runId}`,
      creator: `Hufu ${model.verifierVersion}`,
      createdAt: model.finishedAt,
    },
    font,
  );
  sheet.cover(`运行编号 Run ${model.runId}·完成 Finished ${chinaTime(model.finishedAt)}`);
  conclusion(sheet, model.summary);
  classes(sheet, model);
  files(sheet, model);
  institutions(sheet, model);
  findings(sheet, model);
  rejects(sheet, model);
  basis(sheet, model);
  reproduce(sheet, model);
  return sheet.finish();
}

function conclusion(sheet: Sheet, { lines, amountFen, verified, noted, findings: found, undecided, rejectedLines }: Summary): void {
  const figure = (kind: Kind, records: number, note: string): Parameters<Sheet['figures']>[0][number] => ({
    value: count(records),
    name: { zh: KINDS[kind].zh, en: KINDS[kind].en },
    note,
    colour: KINDS[kind].colour,
  });
  sheet.figures([
    { value: count(lines), name: { zh: '总行数', en: 'Lines' }, note: `${yuan(amountFen)} 元`, colour: INK },
    figure('verified', verified.records, `${share(verified.records, lines)}，附注 ${count(noted.records)}`),
    figure('finding', found.records, `${yuan(found.amountFen)} 元`),
    figure('undecided', undecided.records, `${yuan(undecided.amountFen)} 元`),
    figure('rejected', rejectedLines, '无法解析 unparsable'),
  ]);
  const clean = found.records + undecided.records + rejectedLines === 0;
  sheet.paragraph(
    clean
      ? `结论：${count(lines)} 条记录全部验签通过，无疑点。`
      : `结论：共 ${count(lines)} 行，通过 ${count(verified.records)} 条，疑点 ${count(found.records)} 条（涉及金额 ${yuan(found.amountFen)} 元），无法判定 ${count(undecided.records)} 条，拒收 ${count(rejectedLines)} 行。`,
  );
  sheet.paragraph(
    clean
      ? `Conclusion: all ${count(lines)} records verified, no findings.`
      : `Conclusion: of ${count(lines)} lines, ${count(verified.records)} verified, ${count(found.records)} findings (CNY ${yuan(found.amountFen)}), ${count(undecided.records)} undecided, ${count(rejectedLines)} rejected.`,
    MUTED,
    8,
  );
}

function classes(sheet: Sheet, { totals, summary }: ReportModel): void {
  sheet.heading({ zh: '按结果分类', en: 'By result class' });
  const columns = [
    column('结果', 'Result', 0.52),
    column('性质', 'Kind', 0.14),
    column('记录数', 'Records', 0.1, right),
    column('占比', 'Share', 0.09, right),
    column('金额（元）', 'Amount (CNY)', 0.15, right),
  ];
  const rows = [...RESULT_CLASS_NAMES].reverse().map((name): Cell[] => {
    const { records, amountFen } = totals[name] ?? { records: 0, amountFen: 0n };
    const kind = KINDS[kindOf(name)];
    const colour = records === 0 ? MUTED : INK;
    return [
      { text: RESULT_CLASSES[name].text.zh, note: `${name}·${RESULT_CLASSES[name].text.en}`, colour },
      { text: kind.zh, note: kind.en, colour: records === 0 ? MUTED : kind.colour },
      { text: count(records), colour },
      { text: share(records, summary.lines), colour },
      { text: name === 'FORMAT' ? '–' : yuan(amountFen), colour },
    ];
  });
  sheet.table(columns, [...rows, [{ text: '合计', note: 'Total' }, { text: '' }, { text: count(summary.lines) }, { text: '' }, { text: yuan(summary.amountFen) }]]);
}

function files(sheet: Sheet, model: ReportModel): void {
  sheet.heading({ zh: '输入文件', en: 'Files as received' });
  const columns = [
    column('文件与 SHA-256', 'File and SHA-256', 0.6, { maxLines: 3 }),
    column('格式', 'Format', 0.12),
    column('字节', 'Bytes', 0.11, right),
    column('行数', 'Lines', 0.09, right),
    column('拒收', 'Rejected', 0.08, right),
  ];
  sheet.table(
    columns,
    model.files.map((file) => [
      { text: file.name, note: hexGroups(file.sha256) },
      { text: file.format },
      { text: count(file.bytes) },
      { text: count(file.lines) },
      rejectedCell(file.rejectedLines),
    ]),
  );
}

/** Those with findings first and by amount, so that the reader need not search; the others by code. */
function institutions(sheet: Sheet, model: ReportModel): void {
  const clean = (row: InstitutionRow): boolean => row.summary.findings.records + row.summary.undecided.records === 0;
  const faulty = model.institutions.filter((row) => !clean(row)).sort((a, b) => compare(b.summary.findings.amountFen, a.summary.findings.amountFen) || compare(a.code, b.code));
  institutionTable(sheet, { zh: '有疑点或无法判定的机构', en: 'Institutions with findings or undecided records' }, faulty);
  const rest = Object.values(model.unattributed).reduce((sum, { records }) => sum + records, 0);
  if (rest > 0) sheet.paragraph(`不属于任何机构的行 Lines of no institution: ${count(rest)}（${classList(model.unattributed, () => true)}）`, MUTED, 8);
  institutionTable(sheet, { zh: '无疑点的机构', en: 'Institutions without findings' }, model.institutions.filter(clean));
}

function institutionTable(sheet: Sheet, title: Bilingual, rows: readonly InstitutionRow[]): void {
  sheet.heading({ zh: `${title.zh}（${count(rows.length)}）`, en: title.en });
  if (rows.length === 0) return sheet.paragraph(NONE, MUTED);
  const columns = [
    column('机构', 'Institution', 0.37, { maxLines: 3 }),
    column('记录数', 'Records', 0.1, right),
    column('金额（元）', 'Amount (CNY)', 0.15, right),
    column('通过', 'Verified', 0.1, right),
    column('疑点', 'Findings', 0.08, right),
    column('疑点金额', 'Of findings', 0.12, right),
    column('无法判定', 'Undecided', 0.08, right),
  ];
  sheet.table(columns, rows.map(institutionCells));
}

function institutionCells({ code, name, totals, summary }: InstitutionRow): Cell[] {
  const list = classList(totals, (kind) => kind !== 'verified');
  return [
    { text: name === code ? code : `${code}　${name}`, ...(list === '' ? {} : { note: list, wide: true }) },
    { text: count(summary.lines) },
    { text: yuan(summary.amountFen) },
    { text: count(summary.verified.records) },
    { text: count(summary.findings.records), colour: summary.findings.records > 0 ? KINDS.finding.colour : MUTED },
    { text: yuan(summary.findings.amountFen), colour: summary.findings.records > 0 ? INK : MUTED },
    { text: count(summary.undecided.records), colour: summary.undecided.records > 0 ? KINDS.undecided.colour : MUTED },
  ];
}

function findings(sheet: Sheet, model: ReportModel): void {
  sheet.heading({ zh: '疑点与无法判定明细', en: 'Findings and undecided records' });
  const { total, printed } = model.findings;
  if (total === 0) return sheet.paragraph(NONE, MUTED);
  sheet.paragraph(listing(printed.length, total, model.resultFile.name), MUTED, 8);
  const columns = [
    column('文件与行', 'File and line', 0.27, { maxLines: 3 }),
    column('交易号', 'Transaction', 0.23, { maxLines: 3 }),
    column('机构', 'Institution', 0.15),
    column('结果', 'Result', 0.21, { maxLines: 2 }),
    column('金额（元）', 'Amount (CNY)', 0.14, right),
  ];
  sheet.table(
    columns,
    printed.map((finding) => [
      place(finding),
      { text: finding.transactionId },
      { text: finding.institutionCode },
      { text: RESULT_CLASSES[finding.resultClass].text.zh, note: finding.resultClass, colour: KINDS[kindOf(finding.resultClass)].colour },
      { text: yuan(finding.amountFen) },
    ]),
  );
}

function rejects(sheet: Sheet, model: ReportModel): void {
  sheet.heading({ zh: '拒收行', en: 'Rejected lines' });
  const { total, printed } = model.rejects;
  if (total === 0) return sheet.paragraph(NONE, MUTED);
  sheet.paragraph(listing(printed.length, total, model.resultFile.name), MUTED, 8);
  const columns = [
    column('文件与行', 'File and line', 0.36, { maxLines: 3 }),
    column('字节偏移', 'Byte offset', 0.14, right),
    column('原因', 'Reason', 0.5, { maxLines: 3 }),
  ];
  sheet.table(
    columns,
    printed.map((reject) => [
      place(reject),
      { text: count(reject.byteOffset) },
      { text: reject.reason.zh, note: reject.reason.en },
    ]),
  );
}

function basis(sheet: Sheet, model: ReportModel): void {
  sheet.heading({ zh: '依据', en: 'Basis' });
  sheet.facts([
    fact('开始 — 完成', 'Started — finished', `${chinaTime(model.startedAt)} — ${chinaTime(model.finishedAt)}`),
    fact('判定时点', 'Time judged', '服务器接收时间（记录中另有终端签名时间） Receive time of the server; the signed terminal time stands beside it'),
    fact('证书与卡状态截至', 'Status known as of', chinaTime(model.statusSnapshotAt)),
    fact('规则版本', 'Rule version', model.ruleVersion),
    fact('验签程序版本', 'Verifier version', model.verifierVersion),
    fact('结果文件', 'Result file', `${model.resultFile.name}　${count(model.resultFile.bytes)} 字节 bytes`),
    fact('结果文件 SHA-256', 'Of the result file', hexGroups(model.resultFile.sha256)),
    fact('结果 Merkle 根（RFC 9162）', 'Merkle root of the verdicts', hexGroups(model.merkleRoot)),
    ...(model.journal ? [fact('日志树根', 'Root of the journal', `${hexGroups(model.journal.rootHash)}（${count(model.journal.treeSize)} 条 entries）`)] : []),
    ...(model.signer ? [fact('报告签名证书', 'Signer of this report', `${model.signer.subject}　${model.signer.serial}`)] : []),
    fact('字体', 'Font', `${model.font.name} (${model.font.face})　${hexGroups(model.font.sha256)}`),
  ]);
}

function reproduce(sheet: Sheet, model: ReportModel): void {
  sheet.heading({ zh: '重现与核对', en: 'Reproduce and check' });
  sheet.facts([
    fact('重现相同字节', 'The same bytes again', model.reproduce.report),
    fact('核对签名', 'Check the signature', model.reproduce.check),
  ]);
  sheet.paragraph('全部判定逐行写在结果文件中，按行计算的 RFC 9162 根即上列 Merkle 根。', MUTED, 8);
  sheet.paragraph('Every verdict stands in the result file, one line each; the RFC 9162 root over these lines is the Merkle root above.', MUTED, 8);
}

function classList(totals: ClassTotals, wanted: (kind: Kind) => boolean): string {
  return RESULT_CLASS_NAMES.filter((name) => wanted(kindOf(name)) && (totals[name]?.records ?? 0) > 0)
    .map((name) => `${RESULT_CLASSES[name].text.zh}${NO_BREAK}${count(totals[name]?.records ?? 0)}`)
    .join('； ');
}

function place({ file, line }: { readonly file: string; readonly line: number }): Cell {
  return { text: file, note: `第 ${count(line)} 行 line ${count(line)}` };
}

function rejectedCell(lines: number): Cell {
  return { text: count(lines), colour: lines > 0 ? KINDS.rejected.colour : MUTED };
}

function listing(printed: number, total: number, resultFile: string): string {
  return printed === total
    ? `共 ${count(total)} 条。 ${count(total)} in all.`
    : `以下为前 ${count(printed)} 条，共 ${count(total)} 条；其余见结果文件 ${resultFile}。 The first ${count(printed)} of ${count(total)}; the rest stands in the result file.`;
}
