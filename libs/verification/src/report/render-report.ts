import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { AppError, toHex } from '#libs/platform';
import type { LoadedFont } from './pdf-sheet.js';
import { reportJson } from './report-json.js';
import type { ReportFont, ReportModel } from './report-model.js';
import { reportPdf } from './report-pdf.js';

/** Where Debian's fonts-noto-cjk puts the face for simplified Chinese. */
export const REPORT_FONT = { path: '/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc', face: 'NotoSansCJKsc-Regular' } as const;

export interface RenderedReport {
  readonly pdf: Uint8Array;
  readonly json: Uint8Array;
}

/** Name, face and digest of the font for the model of a new report. Throws REPORT_FONT_MISSING. */
export function reportFont(path: string = REPORT_FONT.path): ReportFont {
  const { name, face, sha256 } = loadFont(path);
  return { name, face, sha256 };
}

/**
 * Both forms of one report. The font must be the one that the model names, since other outlines are other bytes. Throws
 * REPORT_FONT_MISSING, REPORT_FONT_CHANGED.
 */
export async function renderReport(model: ReportModel, fontPath: string = REPORT_FONT.path): Promise<RenderedReport> {
  const font = loadFont(fontPath);
  if (font.sha256 !== model.font.sha256) throw new AppError('REPORT_FONT_CHANGED', { expected: model.font.sha256, actual: font.sha256 });
  return { pdf: await reportPdf(model, font), json: reportJson(model) };
}

function loadFont(path: string): LoadedFont {
  let file: Uint8Array;
  try {
    file = readFileSync(path);
  } catch (error) {
    throw new AppError('REPORT_FONT_MISSING', { path }, { cause: error });
  }
  return { name: basename(path), face: REPORT_FONT.face, sha256: toHex(createHash('sha256').update(file).digest()), file };
}
