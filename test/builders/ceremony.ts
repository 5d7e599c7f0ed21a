import { actSubject, bagSubject, type CeremonyRole, type CeremonyState, checkInSubject, decisionSubject, emptyState, type EventDraft, groups, type Link, type Participant, type Plan, PolicyApprovers, propose, resultOf, type Script, scriptDigests, transcriptSubject } from '#libs/ceremony';
import { testAuthenticator } from './assertion.js';
import { signPolicy, type TestApprover, testApprover, testPolicy } from './quorum.js';

/** Seven people and their keys, all three ways of signing among them. */
export const PEOPLE: readonly { readonly id: string; readonly role: CeremonyRole; readonly custodian?: number }[] = [
  { id: 'admin', role: 'ceremonyAdministrator' },
  { id: 'witness', role: 'witness' },
  { id: 'auditor', role: 'auditor' },
  { id: 'recorder', role: 'recorder' },
  { id: 'custodian-1', role: 'custodian', custodian: 1 },
  { id: 'custodian-2', role: 'custodian', custodian: 2 },
  { id: 'custodian-3', role: 'custodian', custodian: 3 },
  { id: 'alternate-3', role: 'custodian', custodian: 3 },
];
export const START = new Date('2026-06-01T01:00:00.000Z');
const KCV = 'A1B2C3';

/** `KeyedApprover` whatever the method: signs a subject. */
type Signer = Pick<TestApprover, 'entry'> & { approve(subject: object): { readonly approver: string; readonly nonce: string } };

/** A room full of people: it plays a script to its end, or as far as a test wants, over the pure engine. */
export class TestRoom {
  readonly signers: ReadonlyMap<string, Signer>;
  readonly approvers: PolicyApprovers;
  readonly chain;
  at = START;

  constructor() {
    const methods: Readonly<Record<string, () => Signer>> = {
      'custodian-1': () => testApprover('custodian-1', { algorithm: 'sm2Sm3' }),
      'custodian-2': () => testAuthenticator('custodian-2'),
    };
    const signers = PEOPLE.map(({ id }) => methods[id]?.() ?? testApprover(id));
    this.signers = new Map(signers.map((signer) => [signer.entry.id, signer]));
    const founders = signers.filter((signer): signer is TestApprover => signer.entry.method === undefined);
    const policy = testPolicy(founders, {}, { approvers: signers.map(({ entry }) => entry), amend: { count: 2, roles: {} } });
    this.chain = [signPolicy(policy, founders)];
    this.approvers = PolicyApprovers.of(this.chain);
  }

  plan(script: Script, changes: Partial<Plan> = {}): Plan {
    const participants = PEOPLE.map(({ id, role, custodian }): Participant => ({
      id, role, department: role === 'custodian' ? '密钥科' : '审计处', ...(custodian === undefined ? {} : { custodian, formNotAfter: '2027-01-01T00:00:00.000Z' }),
    }));
    return {
      ceremony: 'KC-2026-001', mode: 'rehearsal', script: { name: script.name, version: script.version, ...scriptDigests(script) },
      purpose: '测试', approvalNumber: '批〔2026〕1号', room: 'A-101',
      key: { label: '根密钥', usage: '01', algorithm: 'sm4', kcvMethod: 'zero3' }, quorum: { needed: 2, custodians: 3 },
      participants, devices: [{ device: 'general-1', serial: 'SIM-1', firmware: '1.0' }, { device: 'general-2', serial: 'SIM-2', firmware: '1.0' }],
      policyVersion: 1, build: 'B'.repeat(64),
      lastClosings: [1, 2, 3].map((custodian) => ({ custodian, bag: `OLD-000${custodian}`, contents: '令牌', safe: 'S-1' })),
      usedBags: ['OLD-0009'], ...changes,
    };
  }

  sign(id: string, subject: object) {
    const signer = this.signers.get(id);
    if (signer === undefined) throw new RangeError(id);
    return signer.approve(subject);
  }

  /** What everybody says and does in one step, in order. Asks the state as a screen would. */
  *step(state: CeremonyState, name: string, files: (kind: 'photo' | 'scan' | 'video') => Extract<EventDraft, { type: 'evidenceAdded' }>['file']): Generator<object, void, CeremonyState> {
    const plan = state.plan as Plan;
    const step = state.steps.find((each) => each.name === name);
    if (step === undefined) throw new RangeError(name);
    const lead = step.kind === 'evidence' ? 'auditor' : 'admin';
    const own = `custodian-${step.custodian ?? 0}`;
    let now = yield { type: 'stepOpened', by: lead, step: name };
    switch (step.kind) {
      case 'checkIn':
        for (const { id, role } of PEOPLE) {
          if (id === 'alternate-3') continue;
          now = yield { type: 'attended', by: role === 'witness' ? 'auditor' : 'witness', participant: id, phoneHandedIn: true, approval: this.sign(id, checkInSubject(plan, id, now.planned as NonNullable<typeof now.planned>)) };
        }
        yield { type: 'recording', by: 'recorder', video: 'V-1', camera: 'C-1', cameraStartedAt: START.toISOString(), clockOffsetMilliseconds: 1500 };
        break;
      case 'verifyScript':
        for (const by of ['admin', 'witness', 'auditor']) yield { type: 'scriptConfirmed', by, step: name, typed: groups(plan.script.sha256).toLowerCase() };
        break;
      case 'verifyDevice':
        for (const { device, serial, firmware } of plan.devices) yield { type: 'deviceObserved', by: 'witness', step: name, device, serial, firmware, tamper: 'intact', build: plan.build };
        break;
      case 'act': {
        const subject = actSubject(plan, name, step.recipe, (now.last as Link).digests);
        yield { type: 'armed', by: 'admin', step: name, subject };
        for (const by of ['custodian-1', 'custodian-2']) yield { type: 'armSigned', by, step: name, approval: this.sign(by, subject) };
        yield { type: 'executionIntended', by: 'admin', step: name };
        yield { type: 'executionEnded', by: 'admin', step: name, outcome: step.gives === 'kcv' ? { ok: true, kcv: KCV, facts: {} } : { ok: true, facts: {} } };
        break;
      }
      case 'component': {
        const bag = `NEW-000${step.custodian}`;
        yield { type: 'componentOpened', by: own, step: name, bag };
        yield { type: 'componentWritten', by: own, step: name, kcv: 'D4E5F6' };
        yield { type: 'componentReread', by: own, step: name, kcv: 'D4E5F6' };
        break;
      }
      case 'agreeKcv':
        for (const by of now.present.keys()) yield { type: 'kcvHeard', by, step: name, typed: 'a1b2 c3' };
        break;
      case 'seal':
      case 'openBag': {
        const sealed = { bag: `NEW-000${step.custodian}`, contents: '令牌', safe: 'S-1' };
        now = yield step.kind === 'seal' ? { type: 'bagSealed', by: own, step: name, ...sealed } : { type: 'bagOpened', by: own, step: name, bag: `OLD-000${step.custodian}` };
        const { signedBy: _, ...bag } = now.bags.get(name) as NonNullable<ReturnType<typeof now.bags.get>>;
        for (const by of [own, 'witness']) yield { type: 'bagSigned', by, step: name, approval: this.sign(by, bagSubject(plan, name, bag)) };
        break;
      }
      case 'witnessed':
        for (const { id, role, custodian } of now.present.values()) if (step.confirmedBy.includes(role) && (step.custodian ?? custodian) === custodian) yield { type: 'confirmed', by: id, step: name, text: '所见属实' };
        for (const { id, role } of now.present.values()) if (step.custodian !== undefined && role !== 'custodian' && step.confirmedBy.includes(role)) yield { type: 'confirmed', by: id, step: name, text: '所见属实' };
        break;
      case 'signOff':
        for (const by of [...now.present.keys()]) yield { type: 'signedOff', by, step: name, approval: this.sign(by, this.transcript(now)) };
        break;
      case 'evidence':
        for (const kind of step.wants) yield { type: 'evidenceAdded', by: 'auditor', file: files(kind) };
        break;
    }
    yield { type: 'stepCompleted', by: lead, step: name };
  }

  transcript(state: CeremonyState): object {
    const head = state.transcriptHead as Link;
    return transcriptSubject(state.plan as Plan, resultOf(state), (state.plan as Plan).script, head.event.seq, head.digests);
  }

  decision(state: CeremonyState, outcome: object, reason: string): object {
    const { step, digests } = state.intent ?? { step: 'none', digests: { sha256: '', sm3: '' } };
    return decisionSubject(state.plan as Plan, step, digests, outcome, reason);
  }

  /** The drafts of a whole day: plan, all steps, closing. */
  *day(script: Script, state: () => CeremonyState, files: Parameters<TestRoom['step']>[2] = TestRoom.file, changes: Partial<Plan> = {}): Generator<object, void, CeremonyState> {
    yield { type: 'planned', by: 'admin', plan: this.plan(script, changes) };
    for (const { name } of state().steps) yield* this.step(state(), name, files);
    yield { type: 'closed', by: 'auditor' };
  }

  /** A second passes with each event. */
  tick(): Date {
    this.at = new Date(this.at.getTime() + 1000);
    return this.at;
  }

  /** Plays a day on the pure engine, up to `until` events; gives state and chain. */
  play(script: Script, { until = Infinity, changes = {} }: { readonly until?: number; readonly changes?: Partial<Plan> } = {}): { state: CeremonyState; links: Link[] } {
    let state = emptyState(script);
    const links: Link[] = [];
    const drafts = this.day(script, () => state, TestRoom.file, changes);
    for (let next = drafts.next(state); next.done !== true && links.length < until; next = drafts.next(state)) {
      const entered = propose(state, next.value, this.tick(), this.approvers);
      state = entered.state;
      links.push(entered.link);
    }
    return { state, links };
  }

  /** Enters one draft after a second. */
  enter(state: CeremonyState, draft: object): CeremonyState {
    return propose(state, draft, this.tick(), this.approvers).state;
  }

  enterAll(state: CeremonyState, ...drafts: readonly object[]): CeremonyState {
    return drafts.reduce<CeremonyState>((now, draft) => this.enter(now, draft), state);
  }

  static file(kind: 'photo' | 'scan' | 'video'): Extract<EventDraft, { type: 'evidenceAdded' }>['file'] {
    return { name: `${kind}.bin`, kind, bytes: 3, sha256: 'A'.repeat(64), sm3: 'B'.repeat(64) };
  }
}
