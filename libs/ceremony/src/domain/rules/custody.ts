import { AppError } from '#libs/platform/domain';
import { groups, typedHex } from '../digests.js';
import type { OpenComponent } from '../state.js';
import { bagSubject } from '../subjects.js';
import { added, alreadyDone, type Case, openStep, put, requireCustodian, requireRole, requireSigned, type Rule, sameKcv, spoiled, stopped } from './case.js';

/** One custodian, one new bag. Who ever had another component in hand gets none. */
export const componentOpened: Rule<'componentOpened'> = (given) => {
  const { state, event, actor } = given;
  const step = openStep(given, 'component');
  requireCustodian(actor, step);
  if (state.components.has(step.name)) throw alreadyDone(step.name);
  const number = step.custodian as number;
  if ((state.held.get(actor.id) ?? number) !== number) throw new AppError('CEREMONY_COMPONENT_FOREIGN', { participant: actor.id });
  if (state.bagsUsed.has(event.bag)) throw new AppError('CEREMONY_BAG_USED', { bag: event.bag });
  return { component: { step: step.name, participant: actor.id, bag: event.bag, kcv: undefined }, held: put(state.held, actor.id, number), bagsUsed: added(state.bagsUsed, event.bag) };
};

export const componentWritten: Rule<'componentWritten'> = (given) => {
  const component = inHand(given);
  if (component.kcv !== undefined) throw alreadyDone(component.step);
  return { component: { ...component, kcv: given.event.kcv } };
};

/** What was written is read back. Another value burns the bag: the next try takes a new one. */
export const componentReread: Rule<'componentReread'> = (given) => {
  const { state, event } = given;
  const { step, participant, bag, kcv } = inHand(given);
  if (kcv === undefined) throw new AppError('CEREMONY_STEP_INCOMPLETE', { step, missing: ['componentWritten'] });
  if (!sameKcv(kcv, event.kcv)) return spoiled(given, `${step} ${bag}: ${groups(kcv)} / ${groups(event.kcv)}`);
  return { component: undefined, components: put(state.components, step, { participant, bag, kcv }) };
};

export const componentSpoiled: Rule<'componentSpoiled'> = (given) => {
  const { step, bag } = inHand(given);
  return spoiled(given, `${step} ${bag}: ${given.event.reason}`);
};

function inHand({ state, event, actor }: Case<'componentWritten' | 'componentReread' | 'componentSpoiled'>): OpenComponent {
  const { component } = state;
  if (component === undefined || component.step !== event.step) throw new AppError('CEREMONY_STEP_OUT_OF_ORDER', { step: event.step, expected: component?.step ?? 'componentOpened' });
  if (component.participant !== actor.id) throw new AppError('CEREMONY_COMPONENT_BUSY', { participant: component.participant });
  return component;
}

/** As heard, by each on an own device; one that differs ends the ceremony. */
export const kcvHeard: Rule<'kcvHeard'> = (given) => {
  const { state, event, actor } = given;
  const step = openStep(given, 'agreeKcv');
  if (state.said.has(actor.id)) throw alreadyDone(actor.id);
  const device = state.kcvs.get(step.of);
  return device !== undefined && sameKcv(device, typedHex(event.typed)) ? { said: added(state.said, actor.id) } : stopped(given, 'kcvMismatch', step.name);
};

export const scriptConfirmed: Rule<'scriptConfirmed'> = (given) => {
  const { state, event, plan, actor } = given;
  const step = openStep(given, 'verifyScript');
  if (state.said.has(actor.id)) throw alreadyDone(actor.id);
  return typedHex(event.typed) === plan.script.sha256 ? { said: added(state.said, actor.id) } : stopped(given, 'scriptMismatch', step.name);
};

export const deviceObserved: Rule<'deviceObserved'> = (given) => {
  const { state, event, plan, actor } = given;
  const step = openStep(given, 'verifyDevice');
  requireRole(actor, 'ceremonyAdministrator', 'witness', 'auditor');
  const expected = plan.devices.find(({ device }) => device === event.device);
  const same = expected?.serial === event.serial && expected.firmware === event.firmware && event.tamper === 'intact' && event.build === plan.build;
  return same ? { devicesSeen: added(state.devicesSeen, event.device) } : stopped(given, 'deviceMismatch', step.name);
};

export const confirmed: Rule<'confirmed'> = (given) => {
  const { state, actor } = given;
  const step = openStep(given, 'witnessed');
  requireRole(actor, ...step.confirmedBy);
  if (actor.role === 'custodian' && step.custodian !== undefined) requireCustodian(actor, step);
  if (state.said.has(actor.id)) throw alreadyDone(actor.id);
  return { said: added(state.said, actor.id) };
};

/** A component goes into the bag that was taken for it, anything else into one that was never closed before. */
export const bagSealed: Rule<'bagSealed'> = (given) => {
  const { state, event, actor } = given;
  const step = openStep(given, 'seal');
  requireCustodian(actor, step);
  if (state.bags.has(step.name)) throw alreadyDone(step.name);
  const { bag, contents, safe } = event;
  if (step.of !== undefined) {
    const taken = state.components.get(`${step.of}-${step.custodian ?? ''}`)?.bag;
    if (taken !== bag) return stopped(given, 'bagMismatch', step.name);
  } else if (state.bagsUsed.has(bag)) throw new AppError('CEREMONY_BAG_USED', { bag });
  return { bags: put(state.bags, step.name, { act: 'seal', bag, contents, safe, signedBy: [] }), bagsUsed: added(state.bagsUsed, bag) };
};

/** Compared with its last closing (PCI PIN 9). There is no way on past a mismatch. */
export const bagOpened: Rule<'bagOpened'> = (given) => {
  const { state, event, plan, actor } = given;
  const step = openStep(given, 'openBag');
  requireCustodian(actor, step);
  if (state.bags.has(step.name)) throw alreadyDone(step.name);
  const closed = plan.lastClosings.find(({ custodian }) => custodian === step.custodian);
  if (closed?.bag !== event.bag) return stopped(given, 'bagMismatch', step.name);
  const { bag, contents, safe } = closed;
  return { bags: put(state.bags, step.name, { act: 'open', bag, contents, safe, signedBy: [] }) };
};

export const bagSigned: Rule<'bagSigned'> = (given) => {
  const { state, event, plan, actor } = given;
  const step = openStep(given, 'seal', 'openBag');
  if (actor.role === 'custodian') requireCustodian(actor, step);
  else requireRole(actor, 'witness');
  const entry = state.bags.get(step.name);
  if (entry === undefined) throw new AppError('CEREMONY_STEP_INCOMPLETE', { step: step.name, missing: [step.kind === 'seal' ? 'bagSealed' : 'bagOpened'] });
  const { signedBy, ...bag } = entry;
  if (signedBy.includes(actor.id)) throw alreadyDone(actor.id);
  const nonces = requireSigned(given, actor.id, bagSubject(plan, step.name, bag), event.approval);
  return { nonces, bags: put(state.bags, step.name, { ...bag, signedBy: [...signedBy, actor.id] }) };
};
