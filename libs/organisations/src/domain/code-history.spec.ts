import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isAppError } from '#libs/platform/domain';
import { decideAct } from './decide-act.js';
import type { OrganisationAct } from './organisation-act.js';
import { OrganisationBook } from './organisation-book.js';

const t = (day: number): Date => new Date(Date.UTC(2020, 0, 1 + day));
const CODES = ['H11010100001', 'H11010100002', 'H11010100003', 'H11010100004', 'H11010100005'];
const DAYS = 30;

/** A city with two districts; then the acts, each of which may be refused. */
class Register {
  readonly book = new OrganisationBook();
  readonly refusals: string[] = [];
  private ids = 0;

  constructor() {
    this.must({ act: 'register', kind: 'city', code: '110000', name: '市', effectiveAt: t(0), reissue: false });
    for (const code of ['110101', '110102']) this.must({ act: 'register', kind: 'district', code, name: code, parent: '110000', effectiveAt: t(0), reissue: false });
  }

  must(act: OrganisationAct, recordedAt = act.effectiveAt): void {
    this.book.add(decideAct(this.book, act, { newId: `body-${++this.ids}`, recordedAt }));
  }

  try(act: OrganisationAct, recordedAt = act.effectiveAt): boolean {
    try {
      this.must(act, recordedAt);
      return true;
    } catch (error) {
      if (!isAppError(error)) throw error;
      this.refusals.push(error.code);
      return false;
    }
  }

  hospital(code: string, day: number, reissue = false): OrganisationAct {
    return { act: 'register', kind: 'institution', code, name: code, parent: '110101', effectiveAt: t(day), reissue };
  }

  /** Whom every code stood for on every day, and which code that body called its own. */
  picture(knownAt?: Date): (string | undefined)[][] {
    return CODES.map((code) => Array.from({ length: DAYS + 1 }, (_, day) => {
      const standing = this.book.resolve('institution', code, t(day), knownAt);
      return standing === undefined ? undefined : `${standing.organisationId} ${standing.code} ${standing.name}`;
    }));
  }
}

const refused = (code: string) => expect.objectContaining({ code });

describe('a code', () => {
  it('stands for its body before and after a change, until it is ended', () => {
    const register = new Register();
    register.must(register.hospital(CODES[0] as string, 1));
    register.must({ act: 'recode', kind: 'institution', code: CODES[0] as string, newCode: CODES[1] as string, effectiveAt: t(5), reissue: false });
    const at = (code: string | undefined, day: number) => register.book.resolve('institution', code as string, t(day));
    expect(at(CODES[0], 0)).toBeUndefined();
    expect(at(CODES[0], 4)).toMatchObject({ code: CODES[0] });
    expect(at(CODES[1], 4)).toBeUndefined();
    expect(at(CODES[0], 5)).toEqual(at(CODES[1], 5));
    expect(at(CODES[0], 5)).toMatchObject({ code: CODES[1] });
    register.must({ act: 'endCode', kind: 'institution', code: CODES[0] as string, effectiveAt: t(9) });
    expect(at(CODES[0], 8)).toBeDefined();
    expect(at(CODES[0], 9)).toBeUndefined();
    expect(at(CODES[1], 9)).toBeDefined();
  });

  it('is given on only after its end, and on purpose', () => {
    const register = new Register();
    const [code, other] = [CODES[0] as string, CODES[1] as string];
    register.must(register.hospital(code, 1));
    expect(() => register.must(register.hospital(code, 2, true))).toThrow(refused('ORGANISATION_EXISTS'));
    expect(() => register.must({ act: 'endCode', kind: 'institution', code, effectiveAt: t(2) })).toThrow(refused('ORGANISATION_CODE_IN_USE'));
    register.must({ act: 'recode', kind: 'institution', code, newCode: other, effectiveAt: t(3), reissue: false });
    expect(() => register.must(register.hospital(code, 4, true))).toThrow(refused('ORGANISATION_EXISTS'));
    register.must({ act: 'endCode', kind: 'institution', code, effectiveAt: t(5) });
    expect(() => register.must(register.hospital(code, 6))).toThrow(refused('ORGANISATION_CODE_USED'));
    register.must(register.hospital(code, 6, true));
    const whom = (day: number) => register.book.resolve('institution', code, t(day))?.organisationId;
    expect([whom(4), whom(5), whom(6)]).toEqual([register.book.resolve('institution', other, t(4))?.organisationId, undefined, expect.not.stringMatching(`^${whom(4)}$`)]);
  });
});

describe('mergers', () => {
  const merge = (code: string | undefined, into: string | undefined, day: number): OrganisationAct => ({ act: 'merge', kind: 'institution', code: code as string, into: into as string, effectiveAt: t(day) });

  it('are followed all the way, each from its own day', () => {
    const register = new Register();
    for (const code of CODES.slice(0, 3)) register.must(register.hospital(code, 1));
    register.must(merge(CODES[1], CODES[2], 9));
    // Entered late: the older merger comes second.
    register.must(merge(CODES[0], CODES[1], 5));
    const name = (day: number) => register.book.resolve('institution', CODES[0] as string, t(day))?.name;
    expect([name(4), name(5), name(8), name(9)]).toEqual([CODES[0], CODES[1], CODES[1], CODES[2]]);
  });

  it('into itself or in a ring are refused, also when the ring closes in the past', () => {
    const register = new Register();
    for (const code of CODES.slice(0, 3)) register.must(register.hospital(code, 1));
    expect(() => register.must(merge(CODES[0], CODES[0], 3))).toThrow(refused('ORGANISATION_MERGE_CYCLE'));
    register.must(merge(CODES[1], CODES[2], 9));
    register.must(merge(CODES[2], CODES[0], 12));
    expect(() => register.must(merge(CODES[0], CODES[1], 5))).toThrow(refused('ORGANISATION_MERGE_CYCLE'));
    expect(register.try(merge(CODES[1], CODES[0], 20))).toBe(false);
  });

  it('hand over what stands under the body', () => {
    const register = new Register();
    for (const code of CODES.slice(0, 2)) register.must(register.hospital(code, 1));
    for (const n of [1, 2, 3]) register.must({ act: 'register', kind: 'terminal', code: `11010100000${n}`, name: 'T', parent: CODES[n === 3 ? 1 : 0] as string, effectiveAt: t(2), reissue: false });
    expect(() => register.must({ act: 'close', kind: 'institution', code: CODES[0] as string, effectiveAt: t(3) })).toThrow(refused('ORGANISATION_HAS_CHILDREN'));
    register.must(merge(CODES[0], CODES[1], 3));
    const target = register.book.resolve('institution', CODES[1] as string, t(3))?.organisationId as string;
    expect(register.book.children(target)).toHaveLength(3);
  });
});

describe('regions', () => {
  const district = (code: string, parent: string): OrganisationAct => ({ act: 'register', kind: 'district', code, name: code, parent, effectiveAt: t(1), reissue: false });

  it('of a district begin with the code of its city (GB/T 2260)', () => {
    const register = new Register();
    register.must({ act: 'register', kind: 'city', code: '330100', name: '杭州', effectiveAt: t(1), reissue: false });
    register.must(district('330106', '330100'));
    for (const [code, parent] of [['330206', '330100'], ['330106', '110000'], ['120101', '110000']] as const) {
      expect(() => register.must(district(code, parent))).toThrow(refused('ORGANISATION_PARENT_INVALID'));
    }
    for (const code of ['330000', '33010', '3301066', '33010A']) expect(register.try(district(code, '330100'))).toBe(false);
    expect(() => register.must({ act: 'recode', kind: 'city', code: '330100', newCode: '330200', effectiveAt: t(2), reissue: false })).toThrow(refused('ORGANISATION_PARENT_INVALID'));
  });

  it('change with the city that a district goes to', () => {
    const register = new Register();
    register.must({ act: 'register', kind: 'city', code: '120000', name: '另一市', effectiveAt: t(1), reissue: false });
    const move = { act: 'move', kind: 'district', code: '110102', parent: '120000', effectiveAt: t(2), reissue: false } as const;
    expect(() => register.must(move)).toThrow(refused('ORGANISATION_PARENT_INVALID'));
    register.must({ ...move, newCode: '120102' });
    expect(register.book.resolve('region', '110102', t(3))).toMatchObject({ code: '120102' });
  });

  it('and kinds decide what may stand under what', () => {
    const register = new Register();
    const terminal = (parent: string | undefined): OrganisationAct => ({ act: 'register', kind: 'terminal', code: '110101000001', name: 'T', parent, effectiveAt: t(3), reissue: false });
    expect(() => register.must(terminal('110101'))).toThrow(refused('ORGANISATION_UNKNOWN'));
    expect(() => register.must(terminal(undefined))).toThrow(refused('ORGANISATION_PARENT_INVALID'));
    expect(() => register.must(district('110103', '110101'))).toThrow(refused('ORGANISATION_PARENT_INVALID'));
    register.must(register.hospital(CODES[0] as string, 1));
    register.must(terminal(CODES[0] as string));
  });
});

describe('whatever is done', () => {
  const code = fc.constantFrom(...CODES);
  const act = fc.record({ what: fc.constantFrom('register', 'rename', 'recode', 'close', 'merge', 'endCode'), code, other: code, day: fc.integer({ min: 1, max: DAYS }), reissue: fc.boolean() });
  type Plan = { what: string; code: string; other: string; day: number; reissue: boolean };
  const acts = fc.array(act, { minLength: 1, maxLength: 30 });
  const made = (register: Register, plan: Plan): OrganisationAct => {
    const body = { kind: 'institution' as const, code: plan.code, effectiveAt: t(plan.day) };
    const forms: Record<string, OrganisationAct> = {
      register: register.hospital(plan.code, plan.day, plan.reissue),
      rename: { act: 'rename', ...body, name: `n${plan.day}` },
      recode: { act: 'recode', ...body, newCode: plan.other, reissue: plan.reissue },
      close: { act: 'close', ...body },
      merge: { act: 'merge', ...body, into: plan.other },
      endCode: { act: 'endCode', ...body },
    };
    return forms[plan.what] as OrganisationAct;
  };

  it('a code stands for one body or none, the past stays, and what was known stays known', () => {
    const seen = { accepted: 0, refused: 0 };
    fc.assert(
      fc.property(acts, (plans) => {
        const register = new Register();
        for (const each of CODES.slice(0, 3)) register.must(register.hospital(each, 1));
        plans.forEach((plan, n) => {
          const recordedAt = new Date(Date.UTC(2021, 0, 1, 0, 0, n));
          const before = register.picture();
          const known = register.picture(new Date(recordedAt.getTime() - 1));
          const accepted = register.try(made(register, plan), recordedAt);
          seen[accepted ? 'accepted' : 'refused']++;
          const after = register.picture();
          if (accepted) for (const [i, days] of after.entries()) expect(days.slice(0, plan.day)).toEqual(before[i]?.slice(0, plan.day));
          else expect(after).toEqual(before);
          // Resolving never runs in a ring (it would throw), and a body has one code of its own at most.
          for (const day of [plan.day, DAYS]) {
            const own = CODES.filter((each) => register.book.codes('institution', each).findLast((event) => event.effectiveAt <= t(day))?.meaning === 'issued');
            const holders = own.map((each) => register.book.codes('institution', each).findLast((event) => event.effectiveAt <= t(day))?.organisationId);
            expect(new Set(holders).size).toBe(holders.length);
          }
          expect(register.picture(new Date(recordedAt.getTime() - 1))).toEqual(known);
        });
      }),
      { numRuns: 150 },
    );
    expect(seen.accepted).toBeGreaterThan(80);
    expect(seen.refused).toBeGreaterThan(80);
  });

  it('a merger loses no code: who stood for either stands for the target', () => {
    const changes = fc.array(fc.record({ what: fc.constantFrom('merge', 'merge', 'recode'), code, other: code, day: fc.integer({ min: 1, max: DAYS }), reissue: fc.boolean() }), { minLength: 1, maxLength: 12 });
    const seen = { mergers: 0, chains: 0 };
    fc.assert(
      fc.property(changes, (plans) => {
        const register = new Register();
        for (const each of CODES.slice(0, 4)) register.must(register.hospital(each, 1));
        for (const plan of plans) {
          const done = made(register, plan);
          const whom = () => CODES.map((each) => register.book.resolve('institution', each, done.effectiveAt)?.organisationId);
          const before = whom();
          const source = register.book.resolve('institution', plan.code, done.effectiveAt)?.organisationId;
          const target = register.book.resolve('institution', plan.other, done.effectiveAt)?.organisationId;
          if (!register.try(done) || done.act !== 'merge') continue;
          seen.mergers++;
          if (before.filter((id) => id === source).length > 1) seen.chains++;
          expect(whom()).toEqual(before.map((id) => (id === source ? target : id)));
          expect(whom()).not.toContain(source);
        }
        // Resolving what is left runs in no ring on any day, and leaves somebody.
        expect(new Set(register.picture().map((days) => days[DAYS]).filter((id) => id !== undefined)).size).toBeGreaterThan(0);
      }),
      { numRuns: 400 },
    );
    expect(seen.mergers).toBeGreaterThan(200);
    expect(seen.chains).toBeGreaterThan(10);
  });
});
