import { AppError } from '#libs/platform/domain';

/**
 * Where a run stands: verifying = pass 1 (waiting for a worker included), comparing = pass 2 (duplicates), merging =
 * pass 3. Every state is reached at most once and none is left out on the way to `done`.
 */
export const RUN_STATES = ['verifying', 'comparing', 'merging', 'done', 'failed'] as const;
export type RunState = (typeof RUN_STATES)[number];

const NEXT: Readonly<Record<RunState, readonly RunState[]>> = {
  verifying: ['comparing', 'failed'],
  comparing: ['merging', 'failed'],
  merging: ['done', 'failed'],
  done: [],
  failed: [],
};

/** Throws RUN_STATE_ILLEGAL. */
export function transitionRun(from: RunState, to: RunState): RunState {
  if (!NEXT[from].includes(to)) throw new AppError('RUN_STATE_ILLEGAL', { from, to });
  return to;
}

export function isFinished(state: RunState): boolean {
  return NEXT[state].length === 0;
}
