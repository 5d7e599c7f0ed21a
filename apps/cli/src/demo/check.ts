/** One row of the demo's table and of demo.json. It holds when `actual` is exactly `expected`. */
export interface CheckRow {
  readonly name: string;
  readonly expected: string;
  readonly actual: string;
  /** Where the expected value comes from: a standard, a vector, an independent program. */
  readonly source: string;
}

export function holds(row: CheckRow): boolean {
  return row.expected === row.actual;
}

/** Collects the rows; a check that cannot even be made is a failed row, never a missing one. */
export class Checks {
  readonly rows: CheckRow[] = [];

  constructor(private readonly onRow: (row: CheckRow) => void = () => undefined) {}

  add(name: string, expected: string | number, actual: string | number, source: string): void {
    const row = { name, expected: String(expected), actual: String(actual), source };
    this.rows.push(row);
    this.onRow(row);
  }

  /** The expected text, wherever the measured one contains it (for the words of other programs). */
  contains(name: string, expected: string, actual: string, source: string): void {
    this.add(name, expected, actual.includes(expected) ? expected : firstLine(actual), source);
  }

  get failed(): CheckRow[] {
    return this.rows.filter((row) => !holds(row));
  }
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0]?.slice(0, 120) ?? '';
}
