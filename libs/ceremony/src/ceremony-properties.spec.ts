import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isAppError } from '#libs/platform/domain';
import { PEOPLE, START, TestRoom } from '../../../test/builders/ceremony.js';
import { actSubject, bagSubject, type CeremonyEvent, type CeremonyState, checkInSubject, emptyState, EVENT_TYPES, type EventType, type Link, linkOf, type Plan, propose, readScript, readTranscript, replay, resultOf, transcriptBytes } from './index.js';

const script = readScript(join(import.meta.dirname, '../../../certs/ceremonies/generate.yaml'));
const room = new TestRoom();
const honest = room.play(script);
/** The state after n events of an honest day. */
const states = honest.links.reduce<CeremonyState[]>((all, _link, n) => [...all, replayed(honest.links.slice(0, n + 1), all[n])], [emptyState(script)]);

function replayed(links: readonly Link[], before: CeremonyState | undefined): CeremonyState {
  if (before === undefined) return replay(script, links, room.approvers);
  const { event } = links.at(-1) as Link;
  const { seq: _s, at, ceremony: _c, mode: _m, previous: _p, ...draft } = event;
  return propose(before, draft, new Date(at), room.approvers).state;
}

const ids = PEOPLE.map(({ id }) => id);
const BAGS = ['NEW-0001', 'NEW-0002', 'NEW-0003', 'NEW-0004', 'OLD-0001'];
const KCVS = ['A1B2C3', 'A1B2C3', 'A1B2C3', 'A1B2C3', 'FFFFFF'];

interface Move {
  readonly type: EventType;
  readonly by: string;
  readonly other: string;
  readonly pick: number;
  readonly seconds: number;
}
const move: fc.Arbitrary<Move> = fc.record({ type: fc.constantFrom(...EVENT_TYPES), by: fc.constantFrom(...ids), other: fc.constantFrom(...ids), pick: fc.nat(59), seconds: fc.constantFrom(1, 10, 400) });

/** A draft of the move's type that is well formed and truly signed by whoever it names; whether it is allowed is for the rules. */
function draftOf({ type, by, other, pick }: Move, state: CeremonyState): object {
  const plan = state.plan as Plan;
  const named = pick % 4 === 0 ? state.steps[pick % state.steps.length] : (state.open ?? state.steps[state.done]);
  const step = named?.name ?? 'checkIn';
  const [bag, kcv] = [BAGS[pick % BAGS.length] as string, KCVS[pick % KCVS.length] as string];
  const subject = state.last === undefined ? {} : actSubject(plan, step, named?.kind === 'act' ? named.recipe : 'none', state.last.digests);
  const outcome = named?.kind === 'act' && named.gives === 'kcv' ? { ok: true, kcv, facts: {} } : { ok: true, facts: {} };
  const entry = state.bags.get(step);
  const { signedBy: _signedBy, ...signedBag } = entry ?? { act: 'seal' as const, bag, contents: 'x', safe: 'S', signedBy: [] };
  const fields: Partial<Record<EventType, () => object>> = {
    planned: () => ({ plan }),
    attended: () => ({ participant: other, phoneHandedIn: true, approval: room.sign(other, checkInSubject(plan, other, state.planned as NonNullable<CeremonyState['planned']>)) }),
    left: () => ({ participant: other, reason: '离场' }),
    recording: () => ({ video: `V-${pick}`, camera: 'C', cameraStartedAt: START.toISOString(), clockOffsetMilliseconds: 0 }),
    stepSkipped: () => ({ step, reason: '未到场' }), stationStarted: () => ({ station: 'B' }),
    scriptConfirmed: () => ({ step, typed: pick % 13 === 0 ? 'A'.repeat(64) : plan.script.sha256 }),
    deviceObserved: () => ({ step, ...plan.devices[pick % 2], tamper: pick % 13 === 0 ? 'triggered' : 'intact', build: plan.build }),
    armed: () => ({ step, subject: pick % 5 === 0 ? { ...subject, recipe: 'destroy' } : subject }),
    armSigned: () => ({ step, approval: room.sign(by, state.arming?.subject ?? {}) }),
    executionEnded: () => ({ step, outcome: pick % 3 === 0 ? { ok: false, code: 'HSM_TIMEOUT', detail: '' } : outcome }),
    outcomeDecided: () => ({ step, reason: '查明', outcome, approvals: ['admin', 'auditor'].map((id) => room.sign(id, room.decision(state, outcome, '查明'))) }),
    componentOpened: () => ({ step, bag }), componentWritten: () => ({ step, kcv }), componentReread: () => ({ step, kcv }), componentSpoiled: () => ({ step, reason: '掉落' }),
    kcvHeard: () => ({ step, typed: kcv }),
    bagSealed: () => ({ step, bag, contents: '令牌', safe: 'S' }), bagOpened: () => ({ step, bag }),
    bagSigned: () => ({ step, approval: room.sign(by, bagSubject(plan, step, signedBag)) }),
    confirmed: () => ({ step, text: '所见' }),
    paused: () => ({ reason: '午餐' }), resumed: () => ({ reason: '继续' }), deviation: () => ({ text: '说明' }),
    evidenceAdded: () => ({ file: TestRoom.file(pick % 2 === 0 ? 'photo' : 'scan') }), printed: () => ({ form: 'sheet', copy: 1 + (pick % 2) }),
    signedOff: () => ({ step, approval: room.sign(by, state.transcriptHead === undefined ? {} : room.transcript(state)) }),
    closed: () => ({}),
  };
  return { type, by, ...(fields[type]?.() ?? { step }) };
}

/** What a step of this kind is made of. */
const PARTS: Readonly<Record<string, readonly EventType[]>> = {
  checkIn: ['attended', 'recording', 'stepCompleted'], verifyScript: ['scriptConfirmed', 'stepCompleted'], verifyDevice: ['deviceObserved', 'stepCompleted'],
  act: ['armed', 'armSigned', 'armSigned', 'executionIntended', 'executionEnded', 'stepCompleted', 'outcomeDecided'], agreeKcv: ['kcvHeard', 'stepCompleted'],
  component: ['componentOpened', 'componentWritten', 'componentReread', 'stepCompleted'], seal: ['bagSealed', 'bagSigned', 'bagSigned', 'stepCompleted'],
  signOff: ['signedOff', 'signedOff', 'stepCompleted'], evidence: ['evidenceAdded', 'stepCompleted'],
};
const LED: ReadonlySet<EventType> = new Set(['stepOpened', 'stepCompleted', 'armed', 'executionIntended', 'executionEnded', 'resumed']);

/** A move towards the end of the day: random acts alone would not come far. */
function helpful(given: Move, { open, phase, done, steps, component }: CeremonyState): Move {
  const { pick } = given;
  const next = phase === 'stopped' ? steps.at(-2) : steps[done];
  const parts = PARTS[open?.kind ?? ''] ?? [];
  const type: EventType = phase === 'paused' ? 'resumed' : component !== undefined ? (component.kcv === undefined ? 'componentWritten' : 'componentReread') : open === undefined ? (next === undefined ? 'closed' : 'stepOpened') : (parts[(pick >> 2) % parts.length] as EventType);
  const custodian = open?.custodian === undefined ? undefined : `custodian-${open.custodian}`;
  const lead = type === 'closed' || (open ?? next)?.kind === 'evidence' ? 'auditor' : 'admin';
  const by = LED.has(type) || type === 'closed' ? lead : (component?.participant ?? (type === 'bagSigned' ? undefined : custodian) ?? given.by);
  return { ...given, type, by, seconds: 1, pick: type === 'stepOpened' || type === 'stepCompleted' ? 1 : component === undefined ? pick : 1 };
}

/** Plays moves after an honest beginning; what is refused is refused by name and changes nothing. */
function played(from: number, moves: readonly Move[]): { readonly links: Link[]; readonly states: CeremonyState[] } {
  let state = states[from] as CeremonyState;
  const links = honest.links.slice(0, from);
  const reached = [state];
  let at = new Date(state.last?.event.at ?? START);
  for (const each of moves) {
    at = new Date(at.getTime() + each.seconds * 1000);
    const draft = draftOf(each.pick % 4 === 3 ? each : helpful(each, state), state);
    try {
      const entered = propose(state, draft, at, room.approvers);
      state = entered.state;
      links.push(entered.link);
      reached.push(state);
    } catch (error) {
      if (!isAppError(error)) throw error;
    }
  }
  return { links, states: reached };
}

const day = fc.record({ from: fc.integer({ min: 1, max: honest.links.length - 5 }), moves: fc.array(move, { minLength: 60, maxLength: 120, size: 'max' }) });
const custodianOf = (id: string): number | undefined => PEOPLE.find((each) => each.id === id)?.custodian;

/** What an observer with a pencil would note, from the events alone and by no code of the engine. */
function observed(links: readonly Link[]): string[] {
  const wrong: string[] = [];
  let open: string | undefined;
  let inHand: { readonly by: string; readonly step: string } | undefined;
  let intent: string | undefined;
  let heardWrong = false;
  const bags = new Set<string>();
  const present = new Set<string>();
  const hands = new Map<string, string>();
  let armed: { readonly at: number; readonly signed: Set<number | undefined> } | undefined;
  let signed = new Set<string>();
  // What happens during sign-off sends everybody back to sign it too.
  const again = (): void => {
    if (open === 'signOff') open = undefined;
  };
  for (const { event } of links) {
    const note = (what: string): void => void wrong.push(`${event.seq} ${event.type}: ${what}`);
    if (event.type.startsWith('component') && event.type !== 'componentOpened' && inHand?.by !== event.by) note('another custodian');
    switch (event.type) {
      case 'signedOff': signed.add(event.by); break;
      case 'deviation': again(); break;
      case 'attended': present.add(event.participant); break;
      case 'left': present.delete(event.participant); if (inHand?.by === event.participant) inHand = undefined; if (!signed.has(event.participant)) again(); break;
      case 'stepOpened':
        if (open !== undefined) note(`${open} is open`);
        if (event.step === 'signOff' && (intent !== undefined || inHand !== undefined)) note('sign-off with something open');
        if (heardWrong && event.step !== 'signOff' && event.step !== 'evidence') note('went on after a wrong check value');
        [open, signed] = [event.step, new Set()];
        break;
      case 'stepCompleted': case 'stepSkipped': open = undefined; armed = undefined; break;
      case 'armed': armed = { at: Date.parse(event.at), signed: new Set() }; break;
      case 'armSigned': armed?.signed.add(custodianOf(event.by)); break;
      case 'executionIntended':
        if (armed === undefined || armed.signed.size < 2 || Date.parse(event.at) - armed.at > 300_000) note('executed without two fresh signatures');
        [intent, armed] = [event.step, undefined];
        break;
      case 'executionEnded': case 'outcomeDecided': if (intent !== event.step) note('an outcome of nothing'); intent = undefined; break;
      case 'componentOpened':
        if (inHand !== undefined) note('two custodians at once');
        if (bags.has(event.bag)) note('a bag twice');
        if ((hands.get(event.by) ?? event.step) !== event.step) note('a second component in the same hands');
        if (event.step !== `component-${custodianOf(event.by)}`) note('a component of somebody else');
        bags.add(event.bag); hands.set(event.by, event.step);
        inHand = { by: event.by, step: event.step };
        break;
      case 'componentReread': case 'componentSpoiled': case 'paused': inHand = undefined; if (event.type === 'paused') armed = undefined; break;
      case 'stationStarted': [inHand, armed] = [undefined, undefined]; again(); break;
      case 'kcvHeard': if (event.typed.replace(/\s/g, '').toUpperCase() !== kcvOf(links, event)) [heardWrong, open] = [true, undefined]; break;
      default: break;
    }
    if (inHand !== undefined && !['componentOpened', 'componentWritten', 'deviation', 'left'].includes(event.type)) note('somebody did something while a component was in hand');
    const opensCheckIn = event.type === 'stepOpened' && event.step === 'checkIn';
    if (!['planned', 'attended', 'stationStarted'].includes(event.type) && !opensCheckIn && event.type !== 'left' && !present.has(event.by)) note('by somebody who was not there');
  }
  return wrong;
}

function kcvOf(links: readonly Link[], { seq }: CeremonyEvent): string | undefined {
  const outcomes = links.filter(({ event }) => event.seq < seq && (event.type === 'executionEnded' || event.type === 'outcomeDecided') && event.step === 'generate' && event.outcome.ok);
  const last = outcomes.at(-1)?.event;
  return last !== undefined && 'outcome' in last && last.outcome.ok ? last.outcome.kcv : undefined;
}

describe('any sequence of events', () => {
  it('keeps the rules that an observer checks: one custodian at a component, no sign-off with an open step, two fresh signatures before an act, one life for a bag', () => {
    let accepted = 0;
    fc.assert(
      fc.property(day, ({ from, moves }) => {
        const { links } = played(from, moves);
        accepted += links.length - from;
        expect(observed(links)).toEqual([]);
      }),
      { numRuns: 250 },
    );
    // The moves must come far enough to mean something.
    expect(accepted).toBeGreaterThan(1500);
  });

  it('that an observer would fault is noticed by the observer', () => {
    const shortened = honest.links.filter(({ event }) => event.type !== 'armSigned');
    expect(observed(shortened)[0]).toMatch(/executed without/);
    expect(observed(honest.links.filter(({ event }) => event.type !== 'stepCompleted'))[0]).toMatch(/is open/);
    expect(observed(honest.links)).toEqual([]);
  });

  it('a wrong check value always ends it: aborted, with an incident, and no step but sign-off and evidence after it', () => {
    fc.assert(
      fc.property(fc.constantFrom(...ids.filter((id) => id !== 'alternate-3')), fc.stringMatching(/^[0-9A-F]{1,16}$/), fc.array(move, { maxLength: 30 }), (by, typed, moves) => {
        fc.pre(typed !== 'A1B2C3');
        const opened = honest.links.findIndex(({ event }) => event.type === 'stepOpened' && event.step === 'agree') + 1;
        const state = states[opened] as CeremonyState;
        const wrong = propose(state, { type: 'kcvHeard', by, step: 'agree', typed }, new Date(state.last?.event.at ?? 0), room.approvers).state;
        expect([wrong.phase, wrong.incident?.kind]).toEqual(['stopped', 'kcvMismatch']);
        let now = wrong;
        let at = new Date(now.last?.event.at ?? 0);
        for (const each of moves) {
          at = new Date(at.getTime() + 1000);
          try {
            now = propose(now, draftOf(each, now), at, room.approvers).state;
          } catch (error) {
            if (!isAppError(error)) throw error;
          }
          expect([resultOf(now), ['stopped', 'signing', 'signed', 'closed'].includes(now.phase)]).toEqual(['aborted', true]);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('is told the same by replaying its bytes', () => {
    fc.assert(
      fc.property(day, ({ from, moves }) => {
        const { links, states: reached } = played(from, moves);
        expect(replay(script, readTranscript(transcriptBytes(links)).links, room.approvers)).toEqual(reached.at(-1));
      }),
      { numRuns: 15 },
    );
  });
});

const brokenAt = (links: readonly Link[]): unknown => {
  try {
    replay(script, readTranscript(transcriptBytes(links)).links, room.approvers);
    return 'whole';
  } catch (error) {
    return isAppError(error) && error.code === 'CEREMONY_CHAIN_BROKEN' ? error.details['event'] : error;
  }
};

describe('the chain', () => {
  const place = fc.integer({ min: 0, max: honest.links.length - 2 });

  it('breaks at the first event that was edited, whether its digests were mended or not', () => {
    fc.assert(
      fc.property(place, fc.boolean(), (n, mended) => {
        const link = honest.links[n] as Link;
        const event = { ...link.event, at: new Date(Date.parse(link.event.at) + 1).toISOString() } as CeremonyEvent;
        const edited = mended ? linkOf(event) : { event, digests: link.digests };
        // With its own digests mended it is the next one that no longer follows.
        expect(brokenAt([...honest.links.slice(0, n), edited, ...honest.links.slice(n + 1)])).toBe(mended ? n + 2 : n + 1);
      }),
      { numRuns: 25 },
    );
  });

  it('breaks where an event was removed, or two changed places', () => {
    fc.assert(
      fc.property(place, (n) => {
        const { links } = honest;
        expect(brokenAt([...links.slice(0, n), ...links.slice(n + 1)])).toBe(n + 1);
        expect(brokenAt([...links.slice(0, n), links[n + 1] as Link, links[n] as Link, ...links.slice(n + 2)])).toBe(n + 1);
      }),
      { numRuns: 25 },
    );
    expect(brokenAt(honest.links)).toBe('whole');
  });

  it('any changed byte of a transcript is found', () => {
    const bytes = transcriptBytes(honest.links.slice(0, 12));
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 0, max: 255 }), (at, to) => {
        fc.pre(bytes[at] !== to);
        const other = Uint8Array.from(bytes);
        other[at] = to;
        try {
          // The newline of the last line gone is an unfinished line: fewer events, never other ones.
          const { links } = readTranscript(other);
          expect(replay(script, links, room.approvers).last?.event.seq).toBeLessThan(12);
        } catch (error) {
          if (!isAppError(error)) throw error;
        }
      }),
      { numRuns: 300 },
    );
  });
});
