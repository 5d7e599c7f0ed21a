import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isAppError } from '#libs/platform/domain';
import { actingAt, assignmentsInForce, requireRole, requireScope, scopeOf } from './authority.js';
import { quorumForecast, type Shortage } from './forecast.js';
import { openHandOvers, requireMayLeave } from './departure.js';
import { requireKeyRole } from './qualification.js';
import { emptyRecord, type PersonRecord, type Row, rowDigest } from './record.js';
import { inScope, regionCondition, unionOfPrefixes } from './region.js';
import { ROLE_NAMES, type RoleName, ROLES, roleRule } from './role.js';

const DAY = 86_400_000;
const day = (n: number): Date => new Date(Date.UTC(2026, 5, 1) + n * DAY);
const id = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
const D = 'A'.repeat(64);

interface Given {
  readonly roles: readonly { readonly role: RoleName; readonly from?: number; readonly until?: number | null; readonly regions?: readonly string[]; readonly component?: number }[];
  /** Until when each needed record is valid; by default always. */
  readonly vettedUntil?: number;
  readonly keyUntil?: number;
}

let rows = 0;
/** A person with one account, fully vetted for the roles. */
function person(n: number, { roles, vettedUntil = 3_000, keyUntil = 3_000 }: Given, changes: Partial<PersonRecord> = {}): PersonRecord {
  const [personId, operatorId] = [id(n), `operator-${n}`];
  const kinds = [...new Set(roles.flatMap(({ role }) => [...ROLES[role].needs]))];
  return {
    ...emptyRecord(personId),
    operator: [{ operatorId, personId, effectiveAt: day(0), recordedAt: day(0) }],
    operatorStatus: [{ operatorId, personId, sequence: 1, status: 'active', effectiveAt: day(-1_000), recordedAt: day(-1_000) }],
    qualification: kinds.map((kind) => ({ qualificationId: id(++rows + 1_000), personId, kind, validFrom: day(-1_000), validUntil: day(vettedUntil), evidenceDigest: D, recordedAt: day(0) })),
    roleAssignment: roles.map(({ role, from = -1_000, until = null, regions = ['11'], component }) => ({
      assignmentId: id(++rows + 1_000), personId, operatorId, role, regions: [...regions], componentSet: component === undefined ? null : 'root', component: component ?? null, validFrom: day(from), validUntil: until === null ? null : day(until), recordedAt: day(0),
    })),
    credential: [{ credentialId: id(++rows + 1_000), personId, operatorId, method: 'plain', purpose: 'approve', keyDigest: D, validFrom: day(-1_000), validUntil: day(keyUntil), recordedAt: day(0) }],
    ...changes,
  };
}
const leave = (personId: string, kind: 'absence' | 'departure', from: number, until: number | null): Row<'leave'> => ({ leaveId: id(++rows + 1_000), personId, kind, validFrom: day(from), validUntil: until === null ? null : day(until), reason: 'r', evidenceDigest: null, recordedAt: day(0) });
const withdrawal = (personId: string, rowId: string, at: number): Row<'withdrawal'> => ({ rowId, personId, byOperatorId: 'x', effectiveAt: day(at), reason: 'r', recordedAt: day(0) });
const status = (record: PersonRecord, to: Row<'operatorStatus'>['status'], at: number, sequence = 2): PersonRecord => ({ ...record, operatorStatus: [...record.operatorStatus, { ...(record.operatorStatus[0] as Row<'operatorStatus'>), sequence, status: to, effectiveAt: day(at) }] });
const codeOf = (act: () => unknown): string => {
  try {
    act();
    return 'ok';
  } catch (error) {
    return isAppError(error) ? error.code : String(error);
  }
};
const inForce = (record: PersonRecord, at: number): string[] => assignmentsInForce(record, day(at)).map(({ role }) => role);

describe('what is in force', () => {
  it('a role counts from its first to before its last moment, and not after a withdrawal', () => {
    const record = person(1, { roles: [{ role: 'lineOperator', from: 1, until: 5 }] });
    expect([0, 1, 4, 5].map((n) => inForce(record, n).length)).toEqual([0, 1, 1, 0]);
    const assignmentId = record.roleAssignment[0]?.assignmentId as string;
    expect([1, 2, 3, 5].map((n) => inForce({ ...record, withdrawal: [withdrawal(record.personId, assignmentId, 3), withdrawal(record.personId, assignmentId, 2)] }, n).length)).toEqual([1, 0, 0, 0]);
  });

  it('nothing of an account that is suspended, has left, or does not exist yet', () => {
    const record = person(1, { roles: [{ role: 'lineOperator' }] });
    expect(inForce(status(record, 'suspended', 3), 3)).toEqual([]);
    expect(inForce(status(record, 'suspended', 3), 2)).toEqual(['lineOperator']);
    const again = status(status(record, 'suspended', 3), 'active', 5, 3);
    expect([4, 5].map((n) => inForce(again, n).length)).toEqual([0, 1]);
    expect(codeOf(() => actingAt(status(record, 'left', 3), 'operator-1', day(3)))).toBe('OPERATOR_INACTIVE');
    expect(codeOf(() => actingAt(record, 'operator-2', day(3)))).toBe('OPERATOR_INACTIVE');
  });

  it('who is absent does not act; who is to depart still hands over', () => {
    const record = person(1, { roles: [{ role: 'lineOperator' }] });
    expect(codeOf(() => actingAt({ ...record, leave: [leave(record.personId, 'absence', 1, 3)] }, 'operator-1', day(2)))).toBe('OPERATOR_INACTIVE');
    expect(codeOf(() => actingAt({ ...record, leave: [leave(record.personId, 'absence', 1, 3)] }, 'operator-1', day(3)))).toBe('ok');
    expect(codeOf(() => actingAt({ ...record, leave: [leave(record.personId, 'departure', 1, null)] }, 'operator-1', day(2)))).toBe('ok');
  });

  it('a resumption that was overtaken by a new suspension does not come back', () => {
    const record = person(1, { roles: [{ role: 'lineOperator' }] });
    expect(inForce(status(status(status(record, 'suspended', 1), 'active', 5, 3), 'suspended', 2, 4), 6)).toEqual([]);
  });

  it('requireKeyRole names every missing record in zh and en', () => {
    expect(() => requireKeyRole([], 'custodian', day(0))).toThrow(expect.objectContaining({ code: 'ROLE_NOT_QUALIFIED', details: expect.objectContaining({ roleZh: '分量保管人', missingZh: expect.stringContaining('政审'), missingEn: expect.stringContaining('letter of appointment') }) }));
    const record = person(1, { roles: [{ role: 'keyAdministrator' }], vettedUntil: 5 });
    expect(codeOf(() => requireKeyRole(record.qualification, 'keyAdministrator', day(4)))).toBe('ok');
    expect(codeOf(() => requireKeyRole(record.qualification, 'keyAdministrator', day(5)))).toBe('ROLE_NOT_QUALIFIED');
  });

  it('no key role is ever in force without everything it needs, valid at that very moment', () => {
    const keyRoles = ROLE_NAMES.filter((role) => ROLES[role].keyRole);
    // Mostly always, so that all of them together hold often enough.
    const span = fc.oneof({ weight: 9, arbitrary: fc.constant([0, 30] as const) }, { weight: 1, arbitrary: fc.tuple(fc.nat(30), fc.nat(30)) });
    let [on, off] = [0, 0];
    fc.assert(
      fc.property(fc.constantFrom(...keyRoles), fc.array(span, { minLength: 8, maxLength: 8 }), fc.option(fc.tuple(fc.nat(7), fc.nat(30))), fc.nat(30), (role, spans, ended, at) => {
        const plain = person(1, { roles: [{ role, ...(role === 'custodian' ? { component: 1 } : {}) }] });
        const qualification = plain.qualification.map((row, n) => ({ ...row, validFrom: day(Math.min(...(spans[n] ?? [0, 0]))), validUntil: day(Math.max(...(spans[n] ?? [0, 0])) + 1) }));
        const target = ended === null ? undefined : qualification[ended[0] % qualification.length];
        const record = { ...plain, qualification, withdrawal: target === undefined || ended === null ? [] : [withdrawal(plain.personId, target.qualificationId, ended[1])] };
        const all = qualification.every((row) => row.validFrom <= day(at) && day(at) < row.validUntil && !(row === target && ended !== null && ended[1] <= at));
        expect(inForce(record, at)).toEqual(all ? [role] : []);
        if (all) on++;
        else off++;
      }),
      { numRuns: 1_000 },
    );
    expect([on > 0, off > 0]).toEqual([true, true]);
  });

  it('every key role needs vetting and training', () => {
    for (const role of ROLE_NAMES.filter((name) => roleRule(name).keyRole)) for (const kind of ['backgroundCheck', 'politicalReview', 'keyTraining'] as const) expect([role, roleRule(role).needs.includes(kind)]).toEqual([role, true]);
  });
});

describe('scope', () => {
  const acting = actingAt(person(1, { roles: [{ role: 'lineOperator', regions: ['1101', '110105'] }, { role: 'certificateOperator', regions: ['31'] }, { role: 'witness', regions: [] }] }), 'operator-1', day(0));

  it('is the union of the prefixes of the roles asked for, and of no others', () => {
    expect(scopeOf(acting, ['lineOperator'])).toEqual(['1101']);
    expect(scopeOf(acting, ['lineOperator', 'certificateOperator'])).toEqual(['1101', '31']);
    expect(scopeOf(acting, ['witness'])).toEqual([]);
    expect(scopeOf(acting, [])).toEqual([]);
  });

  it('denies by default, naming the act and the roles that may', () => {
    expect(codeOf(() => requireScope(acting, ['lineOperator'], ['110105', '1101']))).toBe('ok');
    for (const outside of ['11', '1102', '110', '']) expect([outside, codeOf(() => requireScope(acting, ['lineOperator'], [outside]))]).toEqual([outside, 'OUT_OF_SCOPE']);
    expect(codeOf(() => requireScope(acting, ['witness'], ['110105']))).toBe('OUT_OF_SCOPE');
    expect(() => requireRole(acting, ['auditor'], 'x')).toThrow(expect.objectContaining({ code: 'ACCESS_DENIED', details: { what: 'x', rolesZh: '安全审计员', rolesEn: 'system auditor' } }));
    expect(codeOf(() => requireRole(acting, [], 'x'))).toBe('ACCESS_DENIED');
  });

  it('a union covers what its parts cover and nothing else', () => {
    const prefix = fc.tuple(fc.integer({ min: 11, max: 13 }), fc.constantFrom('', '01', '02', '0101', '0203')).map(([province, rest]) => `${province}${rest}`);
    fc.assert(fc.property(fc.array(prefix, { maxLength: 8 }), fc.integer({ min: 110_100, max: 130_300 }), (prefixes, region) => inScope(unionOfPrefixes(prefixes), String(region)) === prefixes.some((each) => String(region).startsWith(each))));
  });

  it('goes into SQL as a parameter; odd columns and prefixes are refused', () => {
    expect(regionCondition(['1101', '31'], 'p.region', 2)).toEqual({ sql: 'p.region LIKE ANY ($2::text[])', parameters: [['1101%', '31%']] });
    expect(() => regionCondition(['11'], 'region; DROP TABLE person', 1)).toThrow(RangeError);
    for (const planted of ['', '%', '1', '110', "11' OR", '11010101']) expect(() => regionCondition([planted], 'region', 1)).toThrow();
  });
});

describe('quorum forecast', () => {
  const two = (first: Given, second: Given = first): PersonRecord[] => [person(1, first), person(2, second)];
  const keys: Given = { roles: [{ role: 'keyAdministrator' }] };
  const short = (shortages: readonly Shortage[], sort: Shortage['sort'] = 'quorum'): number[] => shortages.filter((each) => each.sort === sort).map((each) => Math.round((each.day.getTime() - day(0).getTime()) / DAY));

  it('is silent while all is well, and counts 30 days', () => {
    expect(quorumForecast([...two(keys), person(3, keys)], { keyAdministrator: 2 }, day(0))).toEqual([]);
    expect(short(quorumForecast([], { keyAdministrator: 1 }, day(0)))).toHaveLength(30);
  });

  it.each([
    ['qualification', person(2, { ...keys, vettedUntil: 28 })],
    ['credential', person(2, { ...keys, keyUntil: 28 })],
    ['assignment', person(2, { roles: [{ role: 'keyAdministrator', until: 28 }] })],
    ['leave', { ...person(2, keys), leave: [leave(id(2), 'absence', 28, 90)] }],
    ['leave', { ...person(2, keys), leave: [leave(id(2), 'departure', 28, null)] }],
    ['account', status(person(2, keys), 'suspended', 28)],
  ] as const)('sees %s end on day 28', (lapse, record) => {
    const found = quorumForecast([person(1, keys), record], { keyAdministrator: 2 }, day(0));
    expect(short(found)).toEqual([28, 29]);
    expect(found.find(({ sort }) => sort === 'quorum')).toMatchObject({ role: 'keyAdministrator', needed: 2, valid: 1, lapses: [{ personId: id(2), lapse }] });
  });

  it('a leave of an hour within a day is seen too', () => {
    const away = { ...leave(id(2), 'absence', 3, 4), validFrom: new Date(day(3).getTime() + DAY / 2), validUntil: new Date(day(3).getTime() + DAY / 2 + 3_600_000) };
    expect(short(quorumForecast([person(1, keys), { ...person(2, keys), leave: [away] }], { keyAdministrator: 2 }, day(0)))).toEqual([3]);
  });

  it('says on every day when a key role has no vetted backup, needed by the policy or not', () => {
    expect(short(quorumForecast([person(1, keys)], {}, day(0)), 'backup')).toHaveLength(30);
    expect(short(quorumForecast(two(keys), {}, day(0)), 'backup')).toEqual([]);
    expect(short(quorumForecast(two(keys), { keyAdministrator: 2 }, day(0)), 'backup')).toHaveLength(30);
    expect(short(quorumForecast([person(1, { roles: [{ role: 'lineOperator' }] })], {}, day(0)), 'backup')).toEqual([]);
  });

  it('every key role that somebody holds has a valid second person at any moment, or the forecast names the day', () => {
    const keyRole = fc.constantFrom<RoleName>('keyAdministrator', 'cryptoOperator');
    const one = fc.record({ role: keyRole, until: fc.option(fc.integer({ min: 1, max: 40 })), vettedUntil: fc.integer({ min: 1, max: 40 }), away: fc.option(fc.nat(30)) });
    let [quiet, named] = [0, 0];
    fc.assert(
      fc.property(fc.array(one, { minLength: 1, maxLength: 6 }), fc.nat(30 * 24 - 1), (people, hour) => {
        const records = people.map(({ role, until, vettedUntil, away }, n) => ({ ...person(n + 1, { roles: [{ role, until }], vettedUntil }), leave: away === null ? [] : [leave(id(n + 1), 'absence', away, away + 2)] }));
        const at = new Date(day(0).getTime() + hour * 3_600_000);
        const shortages = quorumForecast(records, {}, day(0));
        for (const role of ['keyAdministrator', 'cryptoOperator'] as const) {
          if (!people.some((each) => each.role === role)) continue;
          const valid = records.filter((record) => assignmentsInForce(record, at).some((held) => held.role === role) && codeOf(() => actingAt(record, record.operator[0]?.operatorId ?? '', at)) === 'ok').length;
          const said = shortages.some((each) => each.role === role && each.day <= at && at.getTime() < each.day.getTime() + DAY);
          expect(valid >= 2 || said).toBe(true);
          if (said) named++;
          else quiet++;
        }
      }),
      { numRuns: 300 },
    );
    expect([quiet > 0, named > 0]).toEqual([true, true]);
  });
});

describe('leaving', () => {
  const post = person(1, { roles: [{ role: 'custodian', component: 2 }, { role: 'witness' }] }, { leave: [leave(id(1), 'departure', 10, null)] });
  const assignmentId = post.roleAssignment[0]?.assignmentId as string;
  const given: Row<'handOver'> = { handOverId: id(90), personId: id(1), assignmentId, successorId: id(2), evidenceDigest: D, recordedAt: day(5) };
  const receipt: Row<'handOverReceipt'> = { handOverId: id(90), personId: id(2), recordedAt: day(6) };
  const successor = person(2, { roles: [{ role: 'custodian', component: 2 }] }, { handOverReceipt: [receipt] });
  const leaver = { ...post, handOver: [given] };
  const may = (state: Parameters<typeof requireMayLeave>[0], at = 12): string => codeOf(() => requireMayLeave(state, day(at)));

  it('is announced first, and takes effect on its day', () => {
    expect(may({ leaver: { ...leaver, leave: [] }, successors: [successor] })).toBe('LEAVE_NOT_ANNOUNCED');
    expect(may({ leaver, successors: [successor] }, 9)).toBe('LEAVE_NOT_ANNOUNCED');
    expect(may({ leaver, successors: [successor] }, 10)).toBe('ok');
  });

  it('is blocked, naming role and component, until the hand-over', () => {
    expect(() => requireMayLeave({ leaver: post, successors: [] }, day(12))).toThrow(expect.objectContaining({ code: 'HAND_OVER_OPEN', details: { personId: id(1), openZh: '分量保管人 root/2', openEn: 'component custodian root/2' } }));
  });

  it.each([
    ['nobody received', { leaver, successors: [{ ...successor, handOverReceipt: [] }] }],
    ['another hand-over was received', { leaver, successors: [{ ...successor, handOverReceipt: [{ ...receipt, handOverId: id(91) }] }] }],
    ['the successor is not vetted any more', { leaver, successors: [person(2, { roles: [{ role: 'custodian', component: 2 }], vettedUntil: 11 }, { handOverReceipt: [receipt] })] }],
    ['the successor holds another component', { leaver, successors: [person(2, { roles: [{ role: 'custodian', component: 1 }] }, { handOverReceipt: [receipt] })] }],
    ['the leaver is the successor', { leaver: { ...leaver, handOver: [{ ...given, successorId: id(1) }], handOverReceipt: [{ ...receipt, personId: id(1) }] }, successors: [{ ...leaver, handOverReceipt: [receipt] }] }],
    ['another post was handed over', { leaver: { ...leaver, handOver: [{ ...given, assignmentId: id(77) }] }, successors: [successor] }],
  ])('is blocked when %s', (_name, state) => {
    expect(may(state)).toBe('HAND_OVER_OPEN');
    expect(openHandOvers(state, day(12)).map(({ role }) => role)).toEqual(['custodian']);
  });
});

describe('the digest of a row', () => {
  it('changes with every field, and with the kind', () => {
    const row = person(1, { roles: [{ role: 'lineOperator' }] }).roleAssignment[0] as Row<'roleAssignment'>;
    const digest = rowDigest({ kind: 'roleAssignment', row });
    const planted: Partial<Row<'roleAssignment'>>[] = [{ role: 'auditor' }, { regions: ['11', '31'] }, { validUntil: day(9) }, { validFrom: day(-1) }, { personId: id(2) }, { operatorId: 'operator-2' }, { component: 1 }];
    for (const change of planted) expect(rowDigest({ kind: 'roleAssignment', row: { ...row, ...change } })).not.toBe(digest);
    expect(rowDigest({ kind: 'roleAssignment', row: Object.fromEntries(Object.entries(row).reverse()) as typeof row })).toBe(digest);
  });
});
