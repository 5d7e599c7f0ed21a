import { type CheckRow, holds } from './check.js';

/** The closing table: name, expected, actual; long values are cut in the middle, demo.json has them whole. */
export function renderTable(rows: readonly CheckRow[]): string {
  const cells = rows.map((row) => [holds(row) ? '✓' : '✗', row.name, cut(row.expected), cut(row.actual)]);
  const header = ['', '检查项 check', '应为 expected', '实为 actual'];
  const widths = header.map((title, column) => Math.max(width(title), ...cells.map((cell) => width(cell[column] ?? ''))));
  const line = (cell: readonly string[]): string => cell.map((text, column) => text + ' '.repeat((widths[column] ?? 0) - width(text))).join('  ').trimEnd();
  return [line(header), widths.map((size) => '─'.repeat(size)).join('  '), ...cells.map(line)].join('\n');
}

function cut(text: string, longest = 34): string {
  return text.length <= longest ? text : `${text.slice(0, longest / 2 - 1)}…${text.slice(-(longest / 2 - 1))}`;
}

/** Columns on a terminal: East Asian wide characters take two. */
function width(text: string): number {
  let columns = 0;
  for (const character of text) columns += /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60]/.test(character) ? 2 : 1;
  return columns;
}
