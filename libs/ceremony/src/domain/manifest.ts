import { z } from 'zod';
import { Digests } from './digests.js';
import { type CeremonyState, resultOf } from './state.js';

/** A file of the bundle: its place below the folder, its size, its digests. */
export const BundleFile = z.strictObject({ path: z.string().min(1).max(200), bytes: z.int().min(0), ...Digests.shape });
export type BundleFile = z.infer<typeof BundleFile>;

/**
 * What the auditor and a witness sign in the end: everything in the bundle by digest, and beside it what people look for first. All of it follows
 * from the transcript and the files, so a verifier makes it anew and compares.
 */
export function manifestOf(state: CeremonyState, files: readonly BundleFile[]) {
  const { plan, last } = state;
  if (plan === undefined || last === undefined) throw new RangeError('a ceremony without events has no manifest');
  return {
    format: 'hufu/ceremony-evidence/1' as const,
    ceremony: plan.ceremony,
    mode: plan.mode,
    result: resultOf(state),
    script: plan.script,
    transcript: { events: last.event.seq, head: last.digests },
    attendance: plan.participants.filter(({ id }) => state.attended.has(id)).map(({ id, role, department }) => ({ id, role, department })),
    kcvs: [...state.kcvs].map(([step, kcv]) => ({ step, kcv })),
    components: [...state.components].map(([step, { participant, bag, kcv }]) => ({ step, participant, bag, kcv })),
    bags: [...state.bags].map(([step, { act, bag, safe, signedBy }]) => ({ step, act, bag, safe, signedBy: [...signedBy] })),
    videos: state.recordings.map(({ video, camera, cameraStartedAt, clockOffsetMilliseconds }) => ({ video, camera, cameraStartedAt, clockOffsetMilliseconds })),
    deviations: state.deviations.length,
    evidence: state.files.map((file) => ({ ...file })),
    files: [...files].sort((a, b) => (a.path < b.path ? -1 : 1)).map((file) => ({ ...file })),
  };
}
export type Manifest = ReturnType<typeof manifestOf>;
