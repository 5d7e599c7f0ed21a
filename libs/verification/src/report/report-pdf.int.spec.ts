import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RESULT_CLASS_NAMES, RESULT_CLASSES, toHex } from '#libs/platform/domain';
import { reportInput, SETTLEMENT_DAY, type ReportShape } from '../../../../test/builders/report-input.js';
import { renderReport, reportFont } from './render-report.js';
import { buildReportModel } from './report-model.js';

/** Poppler is the reader here: what it finds is what an officer's viewer finds. */
const folder = mkdtempSync(join(tmpdir(), 'hufu-report-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const pdfOf = async (shape: ReportShape): Promise<Uint8Array> => (await renderReport(buildReportModel({ ...reportInput(shape), font: reportFont() }))).pdf;

function poppler(program: string, pdf: Uint8Array, ...parameters: string[]): string {
  const file = join(folder, 'report.pdf');
  writeFileSync(file, pdf);
  return execFileSync(program, [...parameters.map((parameter) => (parameter === 'FILE' ? file : parameter))], { encoding: 'utf8', maxBuffer: 1 << 26, stdio: ['ignore', 'pipe', 'pipe'] });
}
const digest = (bytes: Uint8Array): string => toHex(createHash('sha256').update(bytes).digest());
const textOf = (pdf: Uint8Array): string => poppler('pdftotext', pdf, '-layout', 'FILE', '-').replaceAll('\u00a0', ' ');
const pagesOf = (pdf: Uint8Array): number => Number(/Pages:\s+(\d+)/.exec(poppler('pdfinfo', pdf, 'FILE'))?.[1]);

describe('report as PDF: a settlement day', () => {
  let pdf: Uint8Array;
  let text: string;
  beforeAll(async () => {
    pdf = await pdfOf(SETTLEMENT_DAY);
    text = textOf(pdf);
  });

  it('can be searched in Chinese and English', () => {
    for (const words of ['重新验签报告', 'Settlement re-verification report', '验签失败', '输入文件', '重现与核对', './hufu report 0198c5a2-7a10-7000-8000-4b1d2c3e5f60']) {
      expect(text).toContain(words);
    }
    for (const name of RESULT_CLASS_NAMES) expect(text).toContain(RESULT_CLASSES[name].text.zh);
  });

  it('states the figures', () => {
    expect(text).toContain('结论：共 100,000 行，通过 99,540 条，疑点 420 条（涉及金额 51,849.00 元），无法判定 20 条，拒收 20 行。');
    expect(text).toContain('以下为前 200 条，共 440 条');
    expect(text).toContain('2026-07-02 09:02:03 +08:00');
    expect(text).toMatch(/无签名 1； 算法不合规 1； 验签失败 1/);
  });

  it('lists all 370 institutions, those with findings first', () => {
    const places = Array.from({ length: 370 }, (_, index) => text.indexOf(`东莞市第${index + 1}人民医院`));
    expect(places).not.toContain(-1);
    expect(text.indexOf('东莞市第37人民医院')).toBeLessThan(text.indexOf('东莞市第1人民医院'));
  });

  it('embeds the one font, as a subset', () => {
    const fonts = poppler('pdffonts', pdf, 'FILE').trim().split('\n').slice(2);
    expect(fonts).toHaveLength(1);
    expect(fonts[0]).toMatch(/\+NotoSansCJKsc-Regular\s+CID Type 0C\s+Identity-H\s+yes yes yes/);
    expect(pdf.length).toBeLessThan(2_000_000);
  });

  it('numbers its pages and repeats the head of a table that goes on', () => {
    const pages = text.split('\f').slice(0, -1);
    expect(pages).toHaveLength(pagesOf(pdf));
    pages.forEach((page, index) => {
      expect(page).toContain(`第 ${index + 1} 页 / 共 ${pages.length} 页`);
      expect(page).toContain('运行 Run 0198c5a2');
      if (/^\s*H4419\d{7} /m.test(page)) expect(page).toContain('机构');
    });
  });

  it('has the same bytes for the same model, and others for another', async () => {
    expect(digest(await pdfOf(SETTLEMENT_DAY))).toBe(digest(pdf));
    expect(digest(await pdfOf({ ...SETTLEMENT_DAY, institutionName: () => '另一医院' }))).not.toBe(digest(pdf));
  });

  it('holds no compressed stream (deflate differs between machines) and no date but that of the run', () => {
    const source = Buffer.from(pdf).toString('latin1');
    expect(source).not.toContain('/FlateDecode');
    expect(source.match(/D:\d{14}/g)).toEqual(['D:20260702010203']);
  });
});

describe('report as PDF: the edges', () => {
  it('without failures says so', async () => {
    const text = textOf(await pdfOf({ institutions: 3, recordsPerClass: { OK: 1_000 } }));
    expect(text).toContain('结论：1,000 条记录全部验签通过，无疑点。');
    expect(text).toContain('有疑点或无法判定的机构（0）');
    expect(text.match(/无。 None\./g)).toHaveLength(3);
  });

  it('without anything is still a report', async () => {
    const empty = buildReportModel({ ...reportInput({ institutions: 0, recordsPerClass: {} }), files: [], font: reportFont() });
    expect(textOf((await renderReport(empty)).pdf)).toContain('重新验签报告');
  });

  it('takes 5,000 institutions', async () => {
    const pdf = await pdfOf({ institutions: 5_000, recordsPerClass: { OK: 1_000_000, BAD_SIGNATURE: 10_000 } });
    expect(pagesOf(pdf)).toBeGreaterThan(100);
    expect(textOf(pdf)).toContain('东莞市第5000人民医院');
  });

  it('wraps long names, cuts only beyond three lines, and shows control characters', async () => {
    const shape: ReportShape = {
      institutions: 2,
      recordsPerClass: { OK: 10, BAD_SIGNATURE: 4 },
      institutionName: (index) => (index === 0 ? '广东省东莞市滨海湾新区'.repeat(3) : `${'很长的名称'.repeat(60)}末尾`),
      fileName: (index) => `${'settlement_file_without_any_blank_'.repeat(4)}${index}.\u202end\njson 虎𠮷`,
    };
    const pdf = await pdfOf(shape);
    const text = textOf(pdf).replaceAll(/\s/g, '');
    expect(text).toContain('…');
    expect(text).not.toContain('末尾');
    expect(text).toContain('□nd□json虎𠮷');
    expect(poppler('pdftotext', pdf, '-bbox', 'FILE', '-')).toContain('<word');
    const rights = [...poppler('pdftotext', pdf, '-bbox', 'FILE', '-').matchAll(/xMax="([\d.]+)"/g)].map((match) => Number(match[1]));
    expect(Math.max(...rights)).toBeLessThanOrEqual(595.28 - 45 + 0.5);
  });

  it('names a missing and a changed font', async () => {
    expect(() => reportFont('/nonexistent/font.ttc')).toThrow(expect.objectContaining({ code: 'REPORT_FONT_MISSING', details: { path: '/nonexistent/font.ttc' } }));
    const model = buildReportModel({ ...reportInput(SETTLEMENT_DAY), font: { ...reportFont(), sha256: toHex(new Uint8Array(32)) } });
    await expect(renderReport(model)).rejects.toMatchObject({ code: 'REPORT_FONT_CHANGED' });
  });
});
