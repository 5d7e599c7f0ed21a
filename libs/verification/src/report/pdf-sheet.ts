import PDFDocument from 'pdfkit';
import type { Bilingual } from '#libs/platform/domain';
import { usePlainLayout } from './plain-layout.js';
import type { ReportFont } from './report-model.js';
import { printable, wrap } from './report-text.js';

export const INK = '#1b1f24';
export const MUTED = '#66707c';
const ACCENT = '#7a2e1d';
const HAIRLINE = '#d5dae0';
const HEAD_FILL = '#eef0f3';
const TILE = '#f6f7f8';

/** A4 in points, portrait. */
const PAGE = { width: 595.28, height: 841.89, left: 45, right: 45, top: 62, bottom: 54 } as const;
const WIDTH = PAGE.width - PAGE.left - PAGE.right;
const FLOOR = PAGE.height - PAGE.bottom;
const LEADING = 1.38;
const CELL = { padX: 4, padY: 3.2, size: 8, noteSize: 6.6 } as const;

export interface LoadedFont extends ReportFont {
  readonly file: Uint8Array;
}

export interface Column {
  readonly title: Bilingual;
  /** Share of the table's width; the shares of a table add up to 1. */
  readonly share: number;
  readonly align?: 'left' | 'right';
  /** Longer text is cut with an ellipsis; default 2. */
  readonly maxLines?: number;
}

export interface Cell {
  readonly text: string;
  /** A second, smaller text under the first. */
  readonly note?: string;
  /** The note runs to the right edge of the table; the cells beside it have one line. */
  readonly wide?: boolean;
  readonly colour?: string;
}

export interface SheetFrame {
  readonly title: Bilingual;
  /** Right end of the page header. */
  readonly mark: string;
  readonly subject: string;
  readonly creator: string;
  readonly createdAt: Date;
}

interface Line {
  readonly text: string;
  readonly size: number;
  readonly colour: string;
}

/**
 * A4 pages written from top to bottom. Streams are not compressed: the output of deflate differs between zlib builds and
 * processors, and the same report must have the same bytes everywhere. PDF dates and ids come from `createdAt` only.
 */
export class Sheet {
  private readonly doc: PDFKit.PDFDocument;
  private readonly widths = new Map<string, number>();
  private readonly chunks: Uint8Array[] = [];
  private y: number = PAGE.top;

  constructor(
    private readonly frame: SheetFrame,
    font: LoadedFont,
  ) {
    this.doc = new PDFDocument({
      size: [PAGE.width, PAGE.height],
      margin: 0,
      compress: false,
      bufferPages: true,
      lang: 'zh-CN',
      displayTitle: true,
      // pdfkit loads Helvetica at once unless it is told otherwise; only the embedded face may stand in the file.
      font: '',
      info: { Title: `${frame.title.zh} ${frame.title.en}`, Author: 'Hufu', Subject: frame.subject, Creator: frame.creator, CreationDate: frame.createdAt },
    });
    this.doc.registerFont('body', Buffer.from(font.file.buffer, font.file.byteOffset, font.file.byteLength), font.face);
    this.doc.font('body');
    usePlainLayout(this.doc);
    this.doc.on('data', (chunk: Uint8Array) => this.chunks.push(chunk));
  }

  /** The head of the first page. */
  cover(subtitle: string): void {
    this.doc.rect(PAGE.left, this.y - 2, 4, 40).fill(ACCENT);
    this.write({ text: this.frame.title.zh, size: 21, colour: INK }, PAGE.left + 14, this.y + 17);
    this.write({ text: this.frame.title.en, size: 10.5, colour: MUTED }, PAGE.left + 14, this.y + 35);
    this.y += 50;
    this.paragraph(subtitle, MUTED, 8.5);
    this.y += 4;
  }

  /** A section heading; it stays with at least `keep` points of what follows, and enters the outline. */
  heading(title: Bilingual, keep = 70): void {
    if (!this.ensure(30 + keep) && this.y > PAGE.top) this.y += 14;
    this.write({ text: title.zh, size: 12.5, colour: ACCENT }, PAGE.left, this.y + 11);
    const offset = this.measure(title.zh, 12.5) + 8;
    this.write({ text: title.en, size: 9, colour: MUTED }, PAGE.left + offset, this.y + 11);
    this.y += 17;
    this.rule(PAGE.left, WIDTH, ACCENT, 0.8);
    this.y += 5;
    this.doc.outline.addItem(`${title.zh} ${title.en}`);
  }

  paragraph(text: string, colour = INK, size = 9): void {
    for (const line of this.wrapped(text, WIDTH, size, 40)) {
      this.ensure(size * LEADING);
      this.write({ text: line, size, colour }, PAGE.left, this.y + size);
      this.y += size * LEADING;
    }
    this.y += 3;
  }

  /** Large figures side by side, each with its name under it. */
  figures(figures: readonly { readonly value: string; readonly name: Bilingual; readonly note: string; readonly colour: string }[]): void {
    const height = 62;
    const gap = 8;
    const width = (WIDTH - gap * (figures.length - 1)) / figures.length;
    this.ensure(height + 8);
    for (const [index, figure] of figures.entries()) {
      const x = PAGE.left + index * (width + gap);
      this.doc.rect(x, this.y, width, height).fill(TILE);
      this.doc.rect(x, this.y, width, 2.5).fill(figure.colour);
      const size = Math.min(18, (18 * (width - 16)) / this.measure(figure.value, 18));
      this.write({ text: figure.value, size, colour: figure.colour }, x + 8, this.y + 24);
      this.write({ text: figure.name.zh, size: 9, colour: INK }, x + 8, this.y + 38);
      this.write({ text: figure.name.en, size: 7, colour: MUTED }, x + 8 + this.measure(figure.name.zh, 9) + 5, this.y + 38);
      this.write({ text: figure.note, size: 7.5, colour: MUTED }, x + 8, this.y + 52);
    }
    this.y += height + 8;
  }

  /** Name and value, one row each. Values wrap; nothing is cut. */
  facts(rows: readonly { readonly name: Bilingual; readonly value: string }[]): void {
    const columns: readonly Column[] = [
      { title: { zh: '', en: '' }, share: 0.3 },
      { title: { zh: '', en: '' }, share: 0.7, maxLines: 12 },
    ];
    for (const row of rows) this.row(columns, [{ text: row.name.zh, note: row.name.en, colour: MUTED }, { text: row.value }]);
    this.y += 6;
  }

  /** A table whose head is repeated on every page; a row is never split. */
  table(columns: readonly Column[], rows: Iterable<readonly Cell[]>): void {
    this.ensure(60);
    this.head(columns);
    for (const cells of rows) this.row(columns, cells, () => this.head(columns));
    this.y += 6;
  }

  /** Writes headers and page numbers, and returns the whole file. */
  async finish(): Promise<Uint8Array> {
    const { count } = this.doc.bufferedPageRange();
    for (let page = 0; page < count; page += 1) {
      this.doc.switchToPage(page);
      this.write({ text: `虎符 Hufu·${this.frame.title.zh}`, size: 8, colour: MUTED }, PAGE.left, 36);
      this.write({ text: this.frame.mark, size: 8, colour: MUTED }, PAGE.width - PAGE.right - this.measure(this.frame.mark, 8), 36);
      this.y = 42;
      this.rule(PAGE.left, WIDTH, HAIRLINE, 0.6);
      const number = `第 ${page + 1} 页 / 共 ${count} 页·Page ${page + 1} of ${count}`;
      this.write({ text: number, size: 8, colour: MUTED }, (PAGE.width - this.measure(number, 8)) / 2, PAGE.height - 28);
    }
    const ended = new Promise<void>((resolve, reject) => this.doc.on('end', resolve).on('error', reject));
    this.doc.end();
    await ended;
    return Uint8Array.from(Buffer.concat(this.chunks));
  }

  private head(columns: readonly Column[]): void {
    const top = this.y;
    this.doc.rect(PAGE.left, top, WIDTH, 26).fill(HEAD_FILL);
    for (const { column, x, width } of this.placed(columns)) {
      for (const [line, offset] of [
        [{ text: column.title.zh, size: 8, colour: INK }, 11],
        [{ text: column.title.en, size: 6.6, colour: MUTED }, 20.5],
      ] as const) {
        this.write(line, this.aligned(line, column, x, width), top + offset);
      }
    }
    this.y = top + 26;
    this.rule(PAGE.left, WIDTH, MUTED, 0.6);
  }

  private row(columns: readonly Column[], cells: readonly Cell[], onNewPage: () => void = () => undefined): void {
    const laid = this.placed(columns).map((place, index) => ({ ...place, lines: this.cellLines(cells[index] ?? { text: '' }, place) }));
    const height = Math.max(...laid.map(({ lines }) => lines.reduce((sum, line) => sum + line.size * LEADING, 0))) + 2 * CELL.padY;
    if (this.ensure(height)) onNewPage();
    for (const { column, x, width, lines } of laid) {
      let y = this.y + CELL.padY;
      for (const line of lines) {
        this.write(line, this.aligned(line, column, x, width), y + line.size);
        y += line.size * LEADING;
      }
    }
    this.y += height;
    this.rule(PAGE.left, WIDTH, HAIRLINE, 0.4);
  }

  private placed(columns: readonly Column[]): { column: Column; x: number; width: number }[] {
    let x: number = PAGE.left;
    return columns.map((column) => {
      const place = { column, x: x + CELL.padX, width: WIDTH * column.share - 2 * CELL.padX };
      x += WIDTH * column.share;
      return place;
    });
  }

  private cellLines(cell: Cell, { column, x, width }: { column: Column; x: number; width: number }): Line[] {
    const main = this.wrapped(cell.text, width, CELL.size, column.maxLines ?? 2).map((text) => ({ text, size: CELL.size, colour: cell.colour ?? INK }));
    if (cell.note === undefined) return main;
    const noteWidth = cell.wide ? PAGE.left + WIDTH - CELL.padX - x : width;
    return [...main, ...this.wrapped(cell.note, noteWidth, CELL.noteSize, 3).map((text) => ({ text, size: CELL.noteSize, colour: MUTED }))];
  }

  private aligned(line: Line, column: Column, x: number, width: number): number {
    return column.align === 'right' ? x + width - this.measure(line.text, line.size) : x;
  }

  private ensure(height: number): boolean {
    if (this.y + height <= FLOOR) return false;
    this.doc.addPage();
    this.y = PAGE.top;
    return true;
  }

  private rule(x: number, width: number, colour: string, thickness: number): void {
    this.doc.moveTo(x, this.y).lineTo(x + width, this.y).lineWidth(thickness).stroke(colour);
  }

  private wrapped(text: string, width: number, size: number, lines: number): string[] {
    return wrap(printable(text), width, lines, (character) => this.measure(character, size));
  }

  /** `y` is the base line. */
  private write(line: Line, x: number, y: number): void {
    if (line.text === '') return;
    this.doc.fontSize(line.size).fillColor(line.colour).text(printable(line.text), x, y, { lineBreak: false, baseline: 'alphabetic' });
  }

  /** Width in points: the sum of the characters', as the plain layout puts them. */
  private measure(text: string, size: number): number {
    let sum = 0;
    for (const character of text) {
      let width = this.widths.get(character);
      if (width === undefined) {
        width = this.doc.fontSize(1000).widthOfString(character);
        this.widths.set(character, width);
      }
      sum += width;
    }
    return (sum * size) / 1000;
  }
}
