import { AppError } from '#libs/platform/domain';
import type { PlannedStep, StepKind } from '../script.js';
import type { CeremonyState } from '../state.js';
import { signOffAgain, requirePresence } from './attendance.js';
import { alreadyDone, type Case, type Changes, openStep, requireRole, type Rule, spoiled } from './case.js';

/** The next step, and only when none is open. After a stop the next one is sign-off. */
export const stepOpened: Rule<'stepOpened'> = ({ state, event, actor }) => {
  const next = state.phase === 'stopped' ? state.steps.findIndex(({ kind }) => kind === 'signOff') : state.done;
  const step = state.steps[next];
  if (state.open !== undefined || step === undefined || step.name !== event.step) throw new AppError('CEREMONY_STEP_OUT_OF_ORDER', { step: event.step, expected: state.open?.name ?? step?.name ?? '-' });
  requireRole(actor, ...(step.kind === 'evidence' ? (['auditor'] as const) : (['ceremonyAdministrator'] as const)));
  if (step.kind !== 'checkIn' && step.kind !== 'evidence') requirePresence(state);
  const opened: Changes = { open: step, done: next, said: new Set(), devicesSeen: new Set() };
  // The event that opens sign-off is the last that is signed.
  return step.kind === 'signOff' ? { ...opened, phase: 'signing', signatures: new Set() } : opened;
};

export const stepCompleted: Rule<'stepCompleted'> = ({ state, event, actor }) => {
  const step = openStep({ state, event }, ...(Object.keys(MISSING) as StepKind[]));
  requireRole(actor, ...(step.kind === 'evidence' ? (['auditor'] as const) : (['ceremonyAdministrator'] as const)));
  const missing = MISSING[step.kind](state, step);
  if (missing.length > 0) throw new AppError('CEREMONY_STEP_INCOMPLETE', { step: step.name, missing });
  return { open: undefined, done: state.done + 1, arming: undefined, ...(step.kind === 'signOff' ? { phase: 'signed' as const } : {}) };
};

export const stepSkipped: Rule<'stepSkipped'> = (given) => {
  const { state, event, plan, actor } = given;
  const step = openStep(given, 'act', 'component', 'seal', 'openBag', 'witnessed');
  requireRole(actor, 'ceremonyAdministrator');
  const begun = state.acted.has(step.name) || state.bags.has(step.name) || state.components.has(step.name) || state.said.size > 0 || state.arming !== undefined;
  const before = state.skipped.filter(({ id }) => id === step.id).length;
  if (!('each' in step) || step.each !== 'quorum' || begun) throw new AppError('CEREMONY_STEP_INCOMPLETE', { step: step.name, missing: [event.step] });
  const done = plan.quorum.custodians - before - 1;
  if (done < plan.quorum.needed) throw new AppError('CEREMONY_QUORUM_SHORT', { role: 'custodian', needed: plan.quorum.needed, present: done });
  return { open: undefined, done: state.done + 1, skipped: [...state.skipped, step], deviations: [...state.deviations, { seq: event.seq, by: event.by, text: event.reason }] };
};

/** What a step still lacks, by its kind. */
const MISSING: Readonly<Record<StepKind, (state: CeremonyState, step: PlannedStep) => string[]>> = {
  checkIn: (state) => {
    if (state.recordings.length === 0) throw new AppError('CEREMONY_VIDEO_MISSING');
    requirePresence(state);
    return [...state.checkers].filter((id) => !state.present.has(id));
  },
  verifyScript: ({ said, present }) => (['ceremonyAdministrator', 'witness', 'auditor'] as const).filter((role) => ![...said].some((id) => present.get(id)?.role === role)),
  verifyDevice: ({ plan, devicesSeen }) => (plan?.devices ?? []).map(({ device }) => device).filter((device) => !devicesSeen.has(device)),
  act: ({ acted }, step) => (acted.has(step.name) ? [] : [step.name]),
  component: ({ components }, step) => (components.has(step.name) ? [] : [step.name]),
  agreeKcv: ({ said, present }) => [...present.keys()].filter((id) => !said.has(id)),
  seal: missingSignatures,
  openBag: missingSignatures,
  witnessed: ({ said, present, plan }, step) => {
    if (step.kind !== 'witnessed') return [];
    const spoke = [...said].flatMap((id) => present.get(id) ?? []);
    const count = (role: string): number => (role === 'custodian' ? new Set(spoke.flatMap(({ custodian }) => custodian ?? [])).size : spoke.filter((each) => each.role === role).length);
    return step.confirmedBy.filter((role) => count(role) < (role === 'custodian' && step.custodian === undefined ? (plan?.quorum.needed ?? 1) : 1));
  },
  signOff: ({ signatures, present }) => [...present.keys()].filter((id) => !signatures.has(id)),
  evidence: ({ files }, step) => (step.kind === 'evidence' ? step.wants.filter((kind) => !files.some((file) => file.kind === kind)) : []),
};

/** A bag has the signatures of its custodian and of a witness (safe log, PCI PIN 26). */
function missingSignatures({ bags, plan }: CeremonyState, step: PlannedStep): string[] {
  const signedBy = bags.get(step.name)?.signedBy ?? [];
  const signed = signedBy.flatMap((id) => plan?.participants.find((each) => each.id === id) ?? []);
  return [...(signed.some(({ custodian }) => custodian === step.custodian) ? [] : [`custodian ${step.custodian ?? ''}`]), ...(signed.some(({ role }) => role === 'witness') ? [] : ['witness'])];
}

/** Custody is frozen: what was in hand is given up with its bag, an armed act must be armed again. */
export const paused: Rule<'paused'> = (given) => ({ phase: 'paused', arming: undefined, ...interrupted(given, given.event.reason) });

export const resumed: Rule<'resumed'> = ({ state, actor }) => {
  requireRole(actor, 'ceremonyAdministrator');
  if (state.open?.kind !== 'checkIn') requirePresence(state);
  return { phase: 'running' };
};

export const stationStarted: Rule<'stationStarted'> = (given) => ({
  arming: undefined,
  ...(given.state.intent === undefined ? {} : { intent: { ...given.state.intent, orphaned: true } }),
  ...interrupted(given, given.event.station),
  ...signOffAgain(given.state),
});

function interrupted(given: Case, reason: string): Changes {
  return given.state.component === undefined ? {} : spoiled(given, `${given.state.component.step} ${given.state.component.bag}: ${reason}`);
}

/** Kept for ever; during sign-off it sends everybody back to sign what stands there now. */
export const deviation: Rule<'deviation'> = ({ state, event }) => ({ deviations: [...state.deviations, { seq: event.seq, by: event.by, text: event.text }], ...signOffAgain(state) });

export const evidenceAdded: Rule<'evidenceAdded'> = ({ state, event, actor }) => {
  requireRole(actor, 'auditor', 'recorder', 'ceremonyAdministrator');
  if (state.files.some(({ name }) => name === event.file.name)) throw alreadyDone(event.file.name);
  return { files: [...state.files, event.file] };
};

export const printed: Rule<'printed'> = ({ state, event }) => {
  const expected = (state.copies.get(event.form) ?? 0) + 1;
  if (event.copy !== expected) throw new AppError('CEREMONY_COPY_WRONG', { form: event.form, expected });
  return { copies: new Map([...state.copies, [event.form, event.copy]]) };
};
