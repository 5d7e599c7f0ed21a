import { join } from 'node:path';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { isAppError } from '#libs/platform/domain';
import { testApprover } from '../../../test/builders/quorum.js';
import { START, TestRoom } from '../../../test/builders/ceremony.js';
import { actSubject, type CeremonyState, checkInSubject, emptyState, type Link, type Plan, propose, readScript, resultOf, screenOf, type Script } from './index.js';

const script = (name: string): Script => readScript(join(import.meta.dirname, `../../../certs/ceremonies/${name}.yaml`));
const generate = script('generate');
const people = new TestRoom();

/** The state after the last event of this kind that `fits`, of an honest day. */
function upTo(fits: (event: Link['event']) => boolean, of: Script = generate): CeremonyState {
  people.at = START;
  const { links } = people.play(of);
  const until = links.findIndex(({ event }) => fits(event)) + 1;
  people.at = START;
  return people.play(of, { until }).state;
}
const opened = (step: string, of?: Script): CeremonyState => upTo((event) => event.type === 'stepOpened' && event.step === step, of);
const completed = (step: string, of?: Script): CeremonyState => upTo((event) => event.type === 'stepCompleted' && event.step === step, of);

const codeOf = (act: () => unknown): string => {
  try {
    act();
    return 'ok';
  } catch (error) {
    return isAppError(error) ? error.code : String(error);
  }
};
const asked = (state: CeremonyState, ...drafts: readonly object[]): string => codeOf(() => people.enterAll(state, ...drafts));

describe('an honest day', () => {
  it.each(['generate', 'backup', 'restore', 'resplit', 'contentCheck', 'destroy', 'logKey'])('of %s ends closed, signed by everybody and without incident', (name) => {
    people.at = START;
    const { state } = people.play(script(name));
    expect([state.phase, resultOf(state), state.incident]).toEqual(['closed', 'completed', undefined]);
    expect([...state.signatures].sort()).toEqual([...state.present.keys()].sort());
  });
});

describe('the plan', () => {
  const plan = (changes: Partial<Plan>): string => asked(emptyState(generate), { type: 'planned', by: 'admin', plan: people.plan(generate, changes) });
  const whole = people.plan(generate);
  const other = (id: string, changes: object): Partial<Plan> => ({ participants: whole.participants.map((each) => (each.id === id ? { ...each, ...changes } : each)) });
  const rehearsal = { ceremony: 'KC-2026-000', closedAt: '2026-05-20T00:00:00.000Z', script: { sha256: whole.script.sha256, sm3: whole.script.sm3 }, head: { sha256: 'A'.repeat(64), sm3: 'B'.repeat(64) } };

  it.each<[string, Partial<Plan>, string]>([
    ['as it should be', {}, 'ok'],
    ['of a modified script', { script: { ...whole.script, sha256: 'F'.repeat(64) } }, 'CEREMONY_PLAN_INVALID'],
    ['of another version', { script: { ...whole.script, version: 2 } }, 'CEREMONY_PLAN_INVALID'],
    ['with more needed than there are', { quorum: { needed: 4, custodians: 3 } }, 'CEREMONY_PLAN_INVALID'],
    ['with a component that nobody holds', { quorum: { needed: 2, custodians: 4 } }, 'CEREMONY_PLAN_INVALID'],
    ['with a witness of the custodians\' department', other('witness', { department: '密钥科' }), 'CEREMONY_PLAN_INVALID'],
    ['with an administrator who holds a component', other('admin', { custodian: 1, formNotAfter: '2027-01-01T00:00:00.000Z' }), 'CEREMONY_PLAN_INVALID'],
    ['with somebody who is not on the signed list', other('recorder', { id: 'stranger' }), 'CEREMONY_PLAN_INVALID'],
    ['real, with no rehearsal', { mode: 'real' }, 'CEREMONY_REHEARSAL_MISSING'],
    ['real, with a rehearsal of 12 days ago', { mode: 'real', rehearsal }, 'ok'],
    ['real, with one of 31 days ago', { mode: 'real', rehearsal: { ...rehearsal, closedAt: '2026-05-01T00:00:00.000Z' } }, 'CEREMONY_REHEARSAL_MISSING'],
    ['real, with one of another script', { mode: 'real', rehearsal: { ...rehearsal, script: { ...rehearsal.script, sm3: '0'.repeat(64) } } }, 'CEREMONY_REHEARSAL_MISSING'],
    ['real, with one of the future', { mode: 'real', rehearsal: { ...rehearsal, closedAt: '2026-06-02T00:00:00.000Z' } }, 'CEREMONY_REHEARSAL_MISSING'],
  ])('is judged: %s', (_name, changes, code) => {
    people.at = START;
    expect(plan(changes)).toBe(code);
  });
});

describe('check-in', () => {
  let state: CeremonyState;
  beforeEach(() => {
    state = opened('checkIn');
  });
  const attend = (participant: string, changes: object = {}): object => ({
    type: 'attended', by: 'witness', participant, phoneHandedIn: true, approval: people.sign(participant, checkInSubject(state.plan as Plan, participant, state.planned as NonNullable<CeremonyState['planned']>)), ...changes,
  });

  it('wants video reference, camera start and clock offset before it ends', () => {
    const all = ['admin', 'auditor', 'recorder', 'custodian-1', 'custodian-2', 'custodian-3'].map((id) => attend(id));
    const witness = { ...attend('witness'), by: 'auditor' };
    expect(asked(state, ...all, witness, { type: 'stepCompleted', by: 'admin', step: 'checkIn' })).toBe('CEREMONY_VIDEO_MISSING');
  });

  it('takes no one whose form lapsed, who has no signature of the own, or whom nobody of the right role looked at', () => {
    expect(asked(state, attend('custodian-1'))).toBe('ok');
    expect(asked(state, attend('custodian-1', { approval: (attend('custodian-2') as { approval: object }).approval }))).toBe('CEREMONY_SIGNER_WRONG');
    expect(asked(state, attend('custodian-1', { approval: testApprover('custodian-1').approve({}) }))).toBe('APPROVAL_INVALID');
    expect(asked(state, attend('custodian-1', { by: 'custodian-2' }))).toBe('CEREMONY_ROLE_WRONG');
    expect(asked(state, attend('witness'))).toBe('CEREMONY_ROLE_WRONG');
    people.at = new Date('2027-01-02T00:00:00.000Z');
    expect(asked(state, attend('custodian-1'))).toBe('CEREMONY_FORM_LAPSED');
  });

  it('does not end while a role or a custodian is missing', () => {
    const some = ['admin', 'recorder', 'auditor', 'custodian-1', 'custodian-2'].map((id) => attend(id));
    const video = { type: 'recording', by: 'recorder', video: 'V', camera: 'C', cameraStartedAt: START.toISOString(), clockOffsetMilliseconds: 0 };
    const end = { type: 'stepCompleted', by: 'admin', step: 'checkIn' };
    expect(asked(state, ...some, video, end)).toBe('CEREMONY_QUORUM_SHORT');
    expect(asked(state, ...some, video, { ...attend('witness'), by: 'auditor' }, end)).toBe('CEREMONY_QUORUM_SHORT');
    expect(asked(state, ...some, video, { ...attend('witness'), by: 'auditor' }, attend('alternate-3'), end)).toBe('ok');
  });

  it('nobody acts who has not checked in', () => {
    expect(asked(completed('checkIn'), { type: 'deviation', by: 'alternate-3', text: 'x' })).toBe('CEREMONY_NOT_PRESENT');
    expect(asked(completed('checkIn'), { type: 'deviation', by: 'stranger', text: 'x' })).toBe('CEREMONY_PARTICIPANT_UNKNOWN');
  });
});

describe('a mismatch stops the ceremony for good', () => {
  const device = { type: 'deviceObserved', by: 'witness', step: 'verifyDevice', device: 'general-1', serial: 'SIM-1', firmware: '1.0', tamper: 'intact', build: 'B'.repeat(64) };
  const cases: readonly [string, string, Script, object, string][] = [
    ['a script digest with one character changed', 'verifyScript', generate, { type: 'scriptConfirmed', by: 'witness', step: 'verifyScript', typed: 'A'.repeat(64) }, 'scriptMismatch'],
    ['another serial number', 'verifyDevice', generate, { ...device, serial: 'SIM-2' }, 'deviceMismatch'],
    ['a triggered tamper switch', 'verifyDevice', generate, { ...device, tamper: 'triggered' }, 'deviceMismatch'],
    ['other software', 'verifyDevice', generate, { ...device, build: 'C'.repeat(64) }, 'deviceMismatch'],
    ['a check value heard wrong', 'agree', generate, { type: 'kcvHeard', by: 'recorder', step: 'agree', typed: 'A1B2C4' }, 'kcvMismatch'],
    ['a check value that is longer', 'agree', generate, { type: 'kcvHeard', by: 'recorder', step: 'agree', typed: 'A1B2C300' }, 'kcvMismatch'],
    ['a bag that is not the one of the last closing', 'openBag-2', script('restore'), { type: 'bagOpened', by: 'custodian-2', step: 'openBag-2', bag: 'OLD-0001' }, 'bagMismatch'],
    ['a component in another bag than was taken for it', 'seal-1', generate, { type: 'bagSealed', by: 'custodian-1', step: 'seal-1', bag: 'NEW-0002', contents: 'x', safe: 'S' }, 'bagMismatch'],
  ];

  it.each(cases)('when there is %s', (_name, step, of, draft, kind) => {
    const state = people.enter(opened(step, of), draft);
    expect([state.phase, state.incident?.kind, resultOf(state)]).toEqual(['stopped', kind, 'aborted']);
    const next = of.steps.map(({ id }) => ({ type: 'stepOpened', by: 'admin', step: id }));
    for (const each of next.filter((entry) => entry.step !== 'signOff')) expect(asked(state, each)).toBe('CEREMONY_STEP_OUT_OF_ORDER');
    for (const type of ['resumed', 'paused', 'kcvHeard']) expect(asked(state, { ...draft, type, reason: 'x' })).not.toBe('ok');
    expect(asked(state, { type: 'stepCompleted', by: 'admin', step })).toBe('CEREMONY_STOPPED');
    const signing = people.enter(state, { type: 'stepOpened', by: 'admin', step: 'signOff' });
    expect(signing.phase).toBe('signing');
  });

  it('the second copy has another check value', () => {
    const state = upTo((event) => event.type === 'executionIntended' && event.step === 'copy');
    expect(people.enter(state, { type: 'executionEnded', by: 'admin', step: 'copy', outcome: { ok: true, kcv: 'A1B2C4', facts: {} } }).incident?.kind).toBe('kcvMismatch');
  });
});

describe('a component', () => {
  const open = (bag = 'NEW-0001', by = 'custodian-1', step = 'component-1'): object => ({ type: 'componentOpened', by, step, bag });
  const write = (kcv: string): object => ({ type: 'componentWritten', by: 'custodian-1', step: 'component-1', kcv });
  const reread = (kcv: string): object => ({ type: 'componentReread', by: 'custodian-1', step: 'component-1', kcv });
  let state: CeremonyState;
  beforeEach(() => {
    state = opened('component-1');
  });

  it('is handled by its custodian alone, and every other screen is blank', () => {
    expect(asked(state, open('NEW-0001', 'custodian-2'))).toBe('CEREMONY_ROLE_WRONG');
    expect(asked(state, open('NEW-0001', 'admin'))).toBe('CEREMONY_ROLE_WRONG');
    const held = people.enter(state, open());
    expect(['custodian-1', 'custodian-2', 'admin', 'witness'].map((id) => screenOf(held, id))).toEqual(['private', 'blank', 'blank', 'blank']);
    expect(asked(held, open('NEW-0002', 'custodian-2', 'component-2'))).toBe('CEREMONY_COMPONENT_BUSY');
    expect(asked(held, { type: 'printed', by: 'admin', form: 'sheet', copy: 1 })).toBe('CEREMONY_COMPONENT_BUSY');
    expect(asked(held, { ...write('D4E5F6'), by: 'custodian-2' })).toBe('CEREMONY_COMPONENT_BUSY');
    expect(asked(held, { type: 'stepCompleted', by: 'admin', step: 'component-1' })).toBe('CEREMONY_COMPONENT_BUSY');
  });

  it('that is read back otherwise burns its bag: no second try without a new one', () => {
    const burnt = people.enterAll(state, open(), write('D4E5F6'), reread('D4E5F7'));
    expect([burnt.component, burnt.components.size, burnt.deviations.length]).toEqual([undefined, 0, 1]);
    expect(asked(burnt, open())).toBe('CEREMONY_BAG_USED');
    expect(asked(burnt, open('OLD-0009'))).toBe('CEREMONY_BAG_USED');
    expect(asked(burnt, open('NEW-0004'), write('D4E5F6'), reread('D4E5F6'), { type: 'stepCompleted', by: 'admin', step: 'component-1' })).toBe('ok');
  });

  it.each([
    ['a pause', { type: 'paused', by: 'witness', reason: '火警' }],
    ['a power cut', { type: 'stationStarted', by: 'admin', station: 'B' }],
    ['its custodian leaving', { type: 'left', by: 'custodian-1', participant: 'custodian-1', reason: '不适' }],
  ])('is given up with its bag by %s', (_name, draft) => {
    const after = people.enter(people.enter(state, open()), draft);
    expect([after.component, after.deviations.length, after.bagsUsed.has('NEW-0001')]).toEqual([undefined, 1, true]);
  });

  it('never goes to somebody who had another in hand', () => {
    const later = opened('component-3');
    const held = { ...later, held: new Map([...later.held, ['alternate-3', 1]]), present: new Map([...later.present, ['alternate-3', (later.plan as Plan).participants.find(({ id }) => id === 'alternate-3') as Plan['participants'][number]]]) };
    expect(asked(held, open('NEW-0003', 'alternate-3', 'component-3'))).toBe('CEREMONY_COMPONENT_FOREIGN');
  });
});

describe('an armed act', () => {
  let state: CeremonyState;
  let subject: ReturnType<typeof actSubject>;
  const arm = (): object => ({ type: 'armed', by: 'admin', step: 'generate', subject });
  const sign = (by: string, over: object = subject): object => ({ type: 'armSigned', by, step: 'generate', approval: people.sign(by, over) });
  const intend = { type: 'executionIntended', by: 'admin', step: 'generate' };
  const end = (outcome: object): object => ({ type: 'executionEnded', by: 'admin', step: 'generate', outcome });
  const good = { ok: true, kcv: 'A1B2C3', facts: {} };
  beforeEach(() => {
    state = opened('generate');
    subject = actSubject(state.plan as Plan, 'generate', 'generateKey', (state.last as Link).digests);
  });

  it('needs m signatures of different custodians over exactly this act', () => {
    expect(asked(state, sign('custodian-1'))).toBe('CEREMONY_NOT_ARMED');
    expect(asked(state, arm(), intend)).toBe('CEREMONY_QUORUM_SHORT');
    expect(asked(state, arm(), sign('custodian-1'), intend)).toBe('CEREMONY_QUORUM_SHORT');
    expect(asked(state, arm(), sign('custodian-1'), sign('custodian-1'))).toBe('CEREMONY_ALREADY_DONE');
    expect(asked(state, arm(), sign('witness'))).toBe('CEREMONY_ROLE_WRONG');
    expect(asked(state, arm(), sign('custodian-1', { ...subject, recipe: 'destroy' }))).toBe('APPROVAL_INVALID');
    expect(asked(state, arm(), sign('custodian-1'), sign('custodian-2'), intend)).toBe('ok');
    expect(asked(state, { ...arm(), subject: { ...subject, recipe: 'destroy' } })).toBe('CEREMONY_ACT_WRONG');
    expect(asked(state, { ...arm(), subject: { ...subject, mode: 'real' } })).toBe('CEREMONY_ACT_WRONG');
    expect(asked(state, { ...arm(), subject: { ...subject, head: { sha256: 'A'.repeat(64), sm3: 'B'.repeat(64) } } })).toBe('CEREMONY_ACT_WRONG');
  });

  it('may be armed by the request of the HSM supervisor itself, so that one touch serves both', () => {
    const request = { format: 'hufu/request/1', requestId: 'A'.repeat(32), recipe: 'generateKey', requester: 'ceremony' };
    expect(asked(state, { ...arm(), subject: request }, sign('custodian-1', request), sign('custodian-3', request), intend)).toBe('ok');
    expect(asked(state, { ...arm(), subject: { ...request, recipe: 'destroy' } })).toBe('CEREMONY_ACT_WRONG');
  });

  it('is stale after five minutes, for signing and for executing', () => {
    const both = people.enterAll(state, arm(), sign('custodian-1'), sign('custodian-2'));
    people.at = new Date(people.at.getTime() + 5 * 60_000);
    expect(asked(both, intend)).toBe('CEREMONY_ARM_EXPIRED');
    expect(asked(both, sign('custodian-3'))).toBe('CEREMONY_ARM_EXPIRED');
  });

  it('is executed once: the arming is used up, a failure is not tried again by itself', () => {
    const intended = people.enterAll(state, arm(), sign('custodian-1'), sign('custodian-2'), intend);
    expect(asked(intended, intend)).toBe('CEREMONY_OUTCOME_OPEN');
    expect(asked(intended, arm())).toBe('CEREMONY_OUTCOME_OPEN');
    const failed = people.enter(intended, end({ ok: false, code: 'HSM_TIMEOUT', detail: 'x' }));
    expect(asked(failed, intend)).toBe('CEREMONY_NOT_ARMED');
    expect(asked(failed, { type: 'stepCompleted', by: 'admin', step: 'generate' })).toBe('CEREMONY_STEP_INCOMPLETE');
    const done = people.enter(intended, end(good));
    expect(asked(done, { ...arm(), subject: actSubject(done.plan as Plan, 'generate', 'generateKey', (done.last as Link).digests) })).toBe('CEREMONY_ALREADY_DONE');
    expect(asked(intended, end({ ok: true, facts: {} }))).toBe('CEREMONY_STEP_INCOMPLETE');
  });

  it('signatures of one arming are none of the next', () => {
    const nonceUsed = sign('custodian-1');
    const signed = people.enterAll(state, arm(), nonceUsed);
    const again = people.enter(signed, { type: 'armed', by: 'admin', step: 'generate', subject: actSubject(state.plan as Plan, 'generate', 'generateKey', (signed.last as Link).digests) });
    expect(again.arming?.signedBy).toEqual([]);
    expect(asked(again, nonceUsed)).toBe('APPROVAL_INVALID');
  });

  it('whose outcome nobody saw is decided by administrator and auditor, and by nothing else', () => {
    const intended = people.enterAll(state, arm(), sign('custodian-1'), sign('custodian-2'), intend);
    const orphan = people.enter(intended, { type: 'stationStarted', by: 'admin', station: 'B' });
    expect(asked(orphan, end(good))).toBe('CEREMONY_OUTCOME_OPEN');
    expect(asked(orphan, { type: 'stepCompleted', by: 'admin', step: 'generate' })).toBe('CEREMONY_OUTCOME_OPEN');
    const decide = (outcome: object, ...ids: string[]): object => ({ type: 'outcomeDecided', by: 'admin', step: 'generate', reason: '查密码机', outcome, approvals: ids.map((id) => people.sign(id, people.decision(orphan, outcome, '查密码机'))) });
    expect(asked(orphan, decide(good, 'admin', 'witness'))).toBe('CEREMONY_STEP_INCOMPLETE');
    expect(asked(orphan, decide(good, 'admin', 'admin'))).toBe('CEREMONY_STEP_INCOMPLETE');
    expect(asked(orphan, { ...decide(good, 'admin', 'auditor'), reason: '另一理由' })).toBe('APPROVAL_INVALID');
    expect(people.enter(orphan, decide(good, 'admin', 'auditor')).kcvs.get('generate')).toBe('A1B2C3');
    const gone = people.enter(orphan, decide({ ok: false, code: 'ABSENT', detail: '清单中没有' }, 'auditor', 'admin'));
    expect(gone.acted.has('generate')).toBe(false);
    expect(asked(gone, intend)).toBe('CEREMONY_NOT_ARMED');
  });
});

describe('bags', () => {
  it('a missing second signature keeps the step open', () => {
    const sealed = upTo((event) => event.type === 'bagSigned' && event.step === 'seal-1' && event.by === 'custodian-1');
    expect(codeOf(() => people.enter(sealed, { type: 'stepCompleted', by: 'admin', step: 'seal-1' }))).toBe('CEREMONY_STEP_INCOMPLETE');
    expect(asked(completed('seal-1'), { type: 'stepOpened', by: 'admin', step: 'seal-2' })).toBe('ok');
  });

  it('a serial that was ever closed does not come again', () => {
    const state = opened('seal-1', script('restore'));
    expect(asked(state, { type: 'bagSealed', by: 'custodian-1', step: 'seal-1', bag: 'OLD-0001', contents: 'x', safe: 'S' })).toBe('CEREMONY_BAG_USED');
    expect(asked(state, { type: 'bagSealed', by: 'custodian-1', step: 'seal-1', bag: 'NEW-0001', contents: 'x', safe: 'S' })).toBe('ok');
  });

  it('a custodian who is not there may be skipped down to the quorum, not below', () => {
    const skip = (step: string): object => ({ type: 'stepSkipped', by: 'admin', step, reason: '未到场' });
    const state = opened('openBag-1', script('restore'));
    expect(asked(state, skip('openBag-1'), { type: 'stepOpened', by: 'admin', step: 'openBag-2' })).toBe('ok');
    expect(asked(state, skip('openBag-1'), { type: 'stepOpened', by: 'admin', step: 'openBag-2' }, skip('openBag-2'))).toBe('CEREMONY_QUORUM_SHORT');
    expect(asked(opened('seal-1'), skip('seal-1'))).toBe('CEREMONY_STEP_INCOMPLETE');
  });
});

describe('pause, deviations and sign-off', () => {
  it('while paused custody is frozen; it goes on with everybody there', () => {
    const paused = people.enter(completed('verifyDevice'), { type: 'paused', by: 'admin', reason: '午餐' });
    expect(asked(paused, { type: 'stepOpened', by: 'admin', step: 'generate' })).toBe('CEREMONY_EVENT_ILLEGAL');
    const gone = people.enter(paused, { type: 'left', by: 'witness', participant: 'witness', reason: '午餐' });
    expect(asked(gone, { type: 'resumed', by: 'admin', reason: '继续' })).toBe('CEREMONY_QUORUM_SHORT');
    expect(asked(paused, { type: 'resumed', by: 'admin', reason: '继续' }, { type: 'stepOpened', by: 'admin', step: 'generate' })).toBe('ok');
  });

  it('steps come in their order, one at a time', () => {
    const state = completed('verifyScript');
    expect(asked(state, { type: 'stepOpened', by: 'admin', step: 'generate' })).toBe('CEREMONY_STEP_OUT_OF_ORDER');
    expect(asked(state, { type: 'stepOpened', by: 'admin', step: 'signOff' })).toBe('CEREMONY_STEP_OUT_OF_ORDER');
    expect(asked(state, { type: 'stepOpened', by: 'admin', step: 'verifyDevice' }, { type: 'stepOpened', by: 'admin', step: 'generate' })).toBe('CEREMONY_STEP_OUT_OF_ORDER');
  });

  it('everybody present signs, and a deviation or somebody leaving sends all back to sign what stands there then', () => {
    const signing = opened('signOff');
    const sign = (state: CeremonyState, by: string): object => ({ type: 'signedOff', by, step: 'signOff', approval: people.sign(by, people.transcript(state)) });
    const some = ['admin', 'witness', 'auditor'].reduce<CeremonyState>((now, by) => people.enter(now, sign(now, by)), signing);
    expect(asked(some, { type: 'stepCompleted', by: 'admin', step: 'signOff' })).toBe('CEREMONY_STEP_INCOMPLETE');
    const told = people.enter(some, { type: 'deviation', by: 'recorder', text: '录像中断两秒' });
    expect([told.phase, told.signatures.size, told.deviations.at(-1)?.text]).toEqual(['running', 0, '录像中断两秒']);
    const again = people.enter(told, { type: 'stepOpened', by: 'admin', step: 'signOff' });
    expect(asked(again, { type: 'signedOff', by: 'recorder', step: 'signOff', approval: people.sign('recorder', people.transcript(signing)) })).toBe('APPROVAL_INVALID');
    expect(people.enter(some, { type: 'left', by: 'custodian-1', participant: 'custodian-1', reason: '急事' }).phase).toBe('running');
  });

  it('time never goes back', () => {
    const state = completed('checkIn');
    const before = new Date(new Date((state.last as Link).event.at).getTime() - 1);
    expect(codeOf(() => propose(state, { type: 'deviation', by: 'admin', text: 'x' }, before, people.approvers))).toBe('CEREMONY_TIME_BACKWARDS');
  });

  it('copies of a form are counted', () => {
    const state = completed('checkIn');
    const print = (copy: number): object => ({ type: 'printed', by: 'admin', form: 'script', copy });
    expect(asked(state, print(2))).toBe('CEREMONY_COPY_WRONG');
    expect(asked(state, print(1), print(2))).toBe('ok');
    expect(asked(state, print(1), print(1))).toBe('CEREMONY_COPY_WRONG');
  });
});

describe('what is handed in', () => {
  it.each([
    ['of an unknown type', { type: 'skip', by: 'admin' }],
    ['with a member too many', { type: 'deviation', by: 'admin', text: 'x', hidden: true }],
    ['without what it needs', { type: 'deviation', by: 'admin' }],
    ['as nothing', null],
    ['under an inherited name', { type: 'constructor', by: 'admin' }],
    ['too long', { type: 'deviation', by: 'admin', text: 'x'.repeat(2001) }],
  ])('%s is refused by name', (_name, draft) => {
    expect(codeOf(() => propose(completed('checkIn'), draft, people.tick(), people.approvers))).toBe('CEREMONY_EVENT_MALFORMED');
  });
});
