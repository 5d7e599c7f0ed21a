/** One measured figure. `ratio` null: `value` itself is held against `goal`, and smaller is better. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly reference: number;
  readonly ratio: number | null;
  readonly goal: number;
  readonly ok: boolean;
}

/** Median of the rounds; the ratio is taken round by round, since a shared machine changes its speed while one looks. */
export function ratioFigure(name: string, unit: string, ours: readonly number[], theirs: readonly number[], goal: number): Figure {
  const ratio = median(ours.map((each, i) => each / (theirs[i] as number)));
  return { name, value: rounded(median(ours)), unit, reference: rounded(median(theirs)), ratio: Math.round(ratio * 1000) / 1000, goal, ok: ratio >= goal };
}

/** A figure that must stay below its goal. `reference`: what was taken off it, or 0. */
export function limitFigure(name: string, unit: string, values: readonly number[], reference: number, goal: number): Figure {
  const value = median(values);
  return { name, value: rounded(value), unit, reference: rounded(reference), ratio: null, goal, ok: value < goal };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] as number;
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] as number;
}

function rounded(value: number): number {
  return value >= 100 ? Math.round(value) : Math.round(value * 1000) / 1000;
}
