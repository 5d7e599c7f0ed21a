import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isAppError } from '#libs/platform/domain';
import { EXCLUSIONS, exclusionOf, type HeldRole, requireAssignable } from './exclusion.js';
import { ROLE_NAMES, type RoleName, ROLES } from './role.js';

const DAY = 86_400_000;
const day = (n: number): Date => new Date(Date.UTC(2026, 0, 1) + n * DAY);
const held = (role: RoleName, from: number, until: number | null = null, component: number | null = null): HeldRole => ({
  role, validFrom: day(from), validUntil: until === null ? null : day(until), componentSet: component === null ? null : 'root', component,
});
const LOOK_BACK = 10;
const codeOf = (history: HeldRole[], next: HeldRole): string => {
  try {
    requireAssignable(history, next, { lookBackDays: LOOK_BACK });
    return 'ok';
  } catch (error) {
    return isAppError(error) ? error.code : String(error);
  }
};

describe('separation of the three powers', () => {
  it.each([
    ['systemAdministrator', 'securityAdministrator'],
    ['systemAdministrator', 'auditAdministrator'],
    ['securityAdministrator', 'auditAdministrator'],
    ['securityAdministrator', 'auditor'],
    ['systemOperator', 'auditor'],
    ['keyAdministrator', 'auditor'],
    ['lineOperator', 'lineSupervisor'],
    ['certificateOperator', 'certificateAdministrator'],
    ['ceremonyAdministrator', 'custodian'],
    ['witness', 'ceremonyAdministrator'],
    ['settlementAuditor', 'auditor'],
    ['ownerRepresentative', 'keyAdministrator'],
  ] as const)('%s and %s are never one person, in either order', (one, other) => {
    expect(codeOf([held(one, 0)], held(other, 5))).toBe('ROLE_EXCLUDED');
    expect(codeOf([held(other, 0)], held(one, 5))).toBe('ROLE_EXCLUDED');
  });

  it('what stands on one side may be held together, and an account more changes nothing', () => {
    expect(codeOf([held('keyAdministrator', 0)], held('custodian', 1, null, 1))).toBe('ok');
    expect(codeOf([held('auditAdministrator', 0)], held('auditor', 1))).toBe('ok');
  });

  it('who was judged may not judge that time: only after the look-back, and the other way round at once', () => {
    const was = held('securityAdministrator', 0, 20);
    expect(codeOf([was], held('auditor', 20))).toBe('ROLE_EXCLUDED');
    expect(codeOf([was], held('auditor', 20 + LOOK_BACK - 1))).toBe('ROLE_EXCLUDED');
    expect(codeOf([was], held('auditor', 20 + LOOK_BACK))).toBe('ok');
    expect(codeOf([held('auditor', 0, 20)], held('securityAdministrator', 20))).toBe('ok');
    expect(codeOf([held('auditor', 30)], held('securityAdministrator', 0, 25))).toBe('ROLE_EXCLUDED');
  });

  it('a role that was withdrawn before it began was never held', () => {
    expect(codeOf([held('securityAdministrator', 5, 5)], held('auditor', 6))).toBe('ok');
    expect(codeOf([held('custodian', 5, 4, 1)], held('custodian', 6, null, 2))).toBe('ok');
  });

  it('names rule and source in zh and en', () => {
    expect(() => requireAssignable([held('systemAdministrator', 0)], held('auditor', 1), { lookBackDays: 1 })).toThrow(
      expect.objectContaining({ details: expect.objectContaining({ roleZh: '安全审计员', otherEn: 'system administrator', ruleZh: expect.stringContaining('三权分立'), source: expect.stringContaining('22239') }) }),
    );
  });
});

describe('components', () => {
  it('a former holder of component 1 never takes component 2, but component 1 again, and any of another key', () => {
    const former = held('custodian', 0, 1, 1);
    expect(codeOf([former], held('custodian', 5_000, null, 2))).toBe('ROLE_EXCLUDED');
    expect(codeOf([former], held('custodian', 5, null, 1))).toBe('ok');
    expect(codeOf([former], { ...held('custodian', 5, null, 2), componentSet: 'other' })).toBe('ok');
  });
});

/** The rules once more, as an assessor would write them: powers that exclude each other on one day, and that the audit side must not have held. */
const APART: readonly (readonly [string, string])[] = [['system', 'security'], ['system', 'key'], ['security', 'key'], ['owner', 'system'], ['owner', 'security'], ['owner', 'key']];
const NOT_ONE: readonly (readonly [RoleName, RoleName])[] = [['certificateOperator', 'certificateAdministrator'], ['lineOperator', 'lineSupervisor'], ['ceremonyAdministrator', 'custodian'], ['witness', 'custodian'], ['witness', 'ceremonyAdministrator']];

/** Walks every day: who holds what, and who held what before. */
function faults(roles: readonly HeldRole[], days: number): string[] {
  const on = (n: number): HeldRole[] => roles.filter((each) => each.validFrom <= day(n) && (each.validUntil === null || day(n) < each.validUntil));
  const found: string[] = [];
  for (let n = 0; n < days; n++) {
    const [names, powers] = [new Set(on(n).map(({ role }) => role)), new Set<string>(on(n).map(({ role }) => ROLES[role].power))];
    for (const [a, b] of APART) if (powers.has(a) && powers.has(b)) found.push(`day ${n}: ${a} and ${b}`);
    for (const [a, b] of NOT_ONE) if (names.has(a) && names.has(b)) found.push(`day ${n}: ${a} and ${b}`);
    if (powers.has('audit')) {
      for (let back = 0; back <= LOOK_BACK - 1 && back <= n; back++) for (const { role } of on(n - back)) if (ROLES[role].power !== 'audit') found.push(`day ${n}: audit, ${role} ${back} days before`);
    }
  }
  const began = roles.filter((each) => each.validUntil === null || each.validFrom < each.validUntil);
  if (new Set(began.flatMap(({ component }) => (component === null ? [] : [component]))).size > 1) found.push('two components');
  return found;
}

describe('no sequence of permitted acts', () => {
  const DAYS = 60;
  const assign = fc.record({ act: fc.constant('assign' as const), role: fc.constantFrom(...ROLE_NAMES), from: fc.nat(DAYS - 1), length: fc.option(fc.integer({ min: 1, max: DAYS })), component: fc.integer({ min: 1, max: 3 }) });
  const withdraw = fc.record({ act: fc.constant('withdraw' as const), which: fc.nat(20), at: fc.nat(DAYS) });

  it('ever gives one person two excluded roles, at any moment or over history', () => {
    let refused = 0;
    let taken = 0;
    fc.assert(
      fc.property(fc.array(fc.oneof({ weight: 3, arbitrary: assign }, { weight: 1, arbitrary: withdraw }), { maxLength: 25 }), (acts) => {
        const history: HeldRole[] = [];
        for (const act of acts) {
          if (act.act === 'withdraw') {
            const target = history[act.which % Math.max(history.length, 1)];
            if (target !== undefined && (target.validUntil === null || day(act.at) < target.validUntil)) history[history.indexOf(target)] = { ...target, validUntil: day(act.at) };
            continue;
          }
          const next = held(act.role, act.from, act.length === null ? null : act.from + act.length, act.role === 'custodian' ? act.component : null);
          if (codeOf(history, next) === 'ok') {
            history.push(next);
            taken++;
          } else {
            refused++;
          }
        }
        expect(faults(history, DAYS + LOOK_BACK)).toEqual([]);
      }),
      { numRuns: 300 },
    );
    expect(Math.min(refused, taken)).toBeGreaterThan(100);
  });

  it('and without the check the same walk finds faults', () => {
    expect(faults([held('systemAdministrator', 0), held('securityAdministrator', 0)], 1)).toEqual(['day 0: system and security']);
    expect(faults([held('lineOperator', 0, 1), held('auditor', 3, 4)], 5)).toEqual(['day 3: audit, lineOperator 3 days before']);
    expect(faults([held('custodian', 0, 1, 1), held('custodian', 3, 4, 2)], 5)).toEqual(['two components']);
  });

  it('random hand-overs never bring two components of one key to one person (C3)', () => {
    const PERSONS = 5;
    const handOver = fc.record({ component: fc.integer({ min: 1, max: 3 }), to: fc.nat(PERSONS - 1), at: fc.nat(400) });
    fc.assert(
      fc.property(fc.array(handOver, { maxLength: 40 }), (acts) => {
        const persons: HeldRole[][] = Array.from({ length: PERSONS }, () => []);
        const ever = persons.map(() => new Set<number>());
        for (const { component, to, at } of acts) {
          const history = persons[to] as HeldRole[];
          const next = held('custodian', at, at + 1, component);
          if (codeOf(history, next) !== 'ok') continue;
          history.push(next);
          ever[to]?.add(component);
        }
        expect(Math.max(...ever.map(({ size }) => size))).toBeLessThan(2);
      }),
    );
  });

  it('every rule can forbid something, and is symmetric in its arguments', () => {
    const probes = ROLE_NAMES.flatMap((role) => (role === 'custodian' ? [held(role, 0, null, 1), held(role, 0, null, 2)] : [held(role, 0)]));
    const hit = new Set(probes.flatMap((a) => probes.map((b) => exclusionOf(a, b, { lookBackDays: 1 })?.name)));
    expect(EXCLUSIONS.map(({ name }) => name).filter((name) => !hit.has(name))).toEqual([]);
    for (const a of probes) for (const b of probes) expect(exclusionOf(a, b, { lookBackDays: 1 }) === undefined).toBe(exclusionOf(b, a, { lookBackDays: 1 }) === undefined);
  });
});
