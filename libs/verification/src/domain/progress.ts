import { RESULT_CLASS_NAMES } from '#libs/platform/domain';
import type { ClassCounts } from './chunk-output.js';
import type { RunState } from './run-state.js';

export interface RunProgress {
  readonly state: RunState;
  /** Why it failed: an error code, with details. */
  readonly reason: string | undefined;
  readonly lines: number;
  /** Lines that pass 1 has committed. */
  readonly linesDone: number;
  /** Pass 1 so far; duplicates are found later. */
  readonly counts: ClassCounts;
  readonly linesPerSecond: number;
  /** Until pass 1 is through, at this rate; undefined before the first chunk. */
  readonly secondsLeft: number | undefined;
}

export function runProgress(
  lines: number,
  states: readonly { state: RunState; at: Date; reason: string | undefined }[],
  chunks: readonly { lines: number; counts: ClassCounts }[],
  now: Date,
): RunProgress {
  const last = states.at(-1);
  const first = states[0];
  const linesDone = chunks.reduce((sum, chunk) => sum + chunk.lines, 0);
  const until = states[1]?.at ?? now;
  const seconds = first === undefined ? 0 : (until.getTime() - first.at.getTime()) / 1_000;
  const linesPerSecond = seconds > 0 ? linesDone / seconds : 0;
  return {
    state: last?.state ?? 'verifying',
    reason: last?.reason,
    lines,
    linesDone,
    counts: Object.fromEntries(
      RESULT_CLASS_NAMES.map((name) => [name, chunks.reduce((sum, chunk) => sum + (chunk.counts[name] ?? 0), 0)] as const).filter(([, count]) => count > 0),
    ),
    linesPerSecond,
    secondsLeft: linesPerSecond > 0 ? (lines - linesDone) / linesPerSecond : undefined,
  };
}
