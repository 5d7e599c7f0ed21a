import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Test, type TestingModule } from '@nestjs/testing';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import { Clock, FixedClock, isAppError, openDataSource, PlatformModule } from '#libs/platform';
import { evidence, FIRST_POSTS, founding, identityNumber } from '../../../test/builders/founding.js';
import { NoCertificates } from '../../../test/builders/no-certificates.js';
import { createTestDatabase, type TestDatabase } from '../../../test/env/test-database.js';
import { AccessConfig, AccessModule, CertificateStatus, type ChangeContent, Changes, Departures, type Founding, holds, Initialisation, Operators, type RoleName, ROLES } from './index.js';

const START = new Date('2026-11-24T08:00:00.000Z');
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const LOOK_BACK = 30;
const codeOf = (act: Promise<unknown>): Promise<string> => act.then(() => 'ok', (error: unknown) => (isAppError(error) ? error.code : String(error)));


interface Office {
  readonly app: TestingModule;
  readonly database: TestDatabase;
  readonly owner: DataSource;
  readonly clock: FixedClock;
  readonly operators: Operators;
  readonly changes: Changes;
  readonly departures: Departures;
  after(milliseconds: number): void;
  personOf(operatorId: string): Promise<string>;
  close(): Promise<void>;
}

const folder = mkdtempSync(join(tmpdir(), 'hufu-access-'));
const nameKeyFile = join(folder, 'name-key');
writeFileSync(nameKeyFile, randomBytes(32));
afterAll(() => rmSync(folder, { recursive: true }));

async function office(first: Founding | undefined): Promise<Office> {
  const database = await createTestDatabase();
  const clock = new FixedClock(START);
  const app = await Test.createTestingModule({
    imports: [PlatformModule.forRoot({ processName: 'test', database: { url: database.url, role: 'hufu_service' } }), AccessModule.forRoot(AccessConfig.parse({ nameKeyFile, changeDelayHours: 24, changeDays: 7, lookBackDays: LOOK_BACK }), { certificateStatus: { useClass: NoCertificates, imports: [] } })],
  })
    .overrideProvider(Clock)
    .useValue(clock)
    .compile();
  const owner = await openDataSource({ url: database.url });
  if (first !== undefined) await app.get(Initialisation).found(first);
  return {
    app, database, owner, clock,
    operators: app.get(Operators),
    changes: app.get(Changes),
    departures: app.get(Departures),
    after: (milliseconds) => clock.set(new Date(clock.now().getTime() + milliseconds)),
    personOf: async (operatorId) => ((await owner.query('SELECT person_id FROM operator WHERE operator_id = $1', [operatorId])) as { person_id: string }[])[0]?.person_id ?? '',
    close: async () => {
      await app.close();
      await owner.destroy();
      await database.drop();
    },
  };
}

/** Proposed by system-1, confirmed by one of each leg. */
async function changed({ changes }: Office, personId: string, content: ChangeContent, [security, audit] = ['security-1', 'audit-1']): Promise<string> {
  const changeId = await changes.propose('system-1', personId, content);
  expect(await changes.confirm(security, changeId)).toEqual(['audit']);
  expect(await changes.confirm(audit, changeId)).toEqual([]);
  return changeId;
}

const assign = (operatorId: string, role: RoleName, more: object = {}): ChangeContent => ({ kind: 'role.assign', operatorId, role, regions: ['1101'], componentSet: null, component: null, validUntil: null, ...more });
const credential = (operatorId: string, text: string, more: object = {}): ChangeContent => ({ kind: 'credential.set', act: 'add', operatorId, method: 'ukey', purpose: 'approve', keyDigest: evidence(text), validUntil: '2030-01-01T00:00:00.000Z', replaces: null, ...more });

/** A person with an account, vetted for a role. */
async function hired(at: Office, operatorId: string, role?: RoleName): Promise<string> {
  const personId = await at.operators.registerPerson('system-1', { identityNumber: identityNumber(operatorId), name: `甄${operatorId}`, department: '运行科', region: '110105' });
  await changed(at, personId, { kind: 'operator.add', operatorId });
  for (const qualification of role === undefined ? [] : ROLES[role].needs) await changed(at, personId, { kind: 'qualification.add', qualification, validUntil: '2030-01-01T00:00:00.000Z', evidenceDigest: evidence(`${operatorId} ${qualification}`) });
  at.after(DAY);
  return personId;
}

describe('the first operators', () => {
  let empty: Office;
  beforeAll(async () => {
    empty = await office(undefined);
  });
  afterAll(() => empty.close());
  const found = (first: Founding): Promise<string> => codeOf(empty.app.get(Initialisation).found(first));

  it('there is no default account', async () => {
    for (const table of ['person', 'operator', 'role_assignment', 'operator_credential']) expect(await empty.owner.query(`SELECT count(*)::int AS n FROM ${table}`)).toEqual([{ n: 0 }]);
    for (const name of ['admin', 'root', 'system', 'system-1', 'hufu']) expect(await codeOf(empty.operators.acting(name))).toBe('OPERATOR_UNKNOWN');
  });

  it.each([
    ['without the audit side', founding(FIRST_POSTS.filter(({ roles }) => !roles.includes('auditAdministrator'))), 'INITIALISATION_INVALID'],
    ['with one security administrator', founding(FIRST_POSTS.filter(({ operatorId }) => operatorId !== 'security-2')), 'INITIALISATION_INVALID'],
    ['with two powers in one hand', founding([...FIRST_POSTS, { operatorId: 'both', roles: ['systemAdministrator', 'auditAdministrator'] }]), 'ROLE_EXCLUDED'],
    ['with a key administrator whose vetting has ended', founding(FIRST_POSTS, '2026-11-24T08:00:00.000Z'), 'ROLE_NOT_QUALIFIED'],
    ['with an approver list of other keys', { ...founding(), operators: founding().operators }, 'INITIALISATION_INVALID'],
    ['with an approver list that its approvers did not sign', ((first) => ({ ...first, policy: { ...first.policy, approvals: first.policy.approvals.slice(1) } }))(founding()), 'POLICY_INVALID'],
    ['with one person under two accounts', ((first) => ({ ...first, operators: first.operators.map((each) => ({ ...each, identityNumber: identityNumber('one') })) }))(founding()), 'INITIALISATION_INVALID'],
  ])('%s: refused, and nobody is entered', async (_name, first, code) => {
    expect(await found(first)).toBe(code);
    expect(await empty.owner.query('SELECT count(*)::int AS n FROM person')).toEqual([{ n: 0 }]);
  });

  it('come once, also when two try at the same time', async () => {
    const codes = await Promise.all([found(founding()), found(founding())]);
    expect(codes.sort()).toEqual(['OPERATORS_EXIST', 'ok']);
    expect(await found(founding())).toBe('OPERATORS_EXIST');
    expect(holds(await empty.operators.acting('security-1'), 'securityAdministrator')).toBe(true);
    expect(await empty.owner.query(`SELECT count(*)::int AS n FROM journal_stage WHERE kind = 'access.initialise'`)).toEqual([{ n: 1 }]);
  });
});

describe('changes', () => {
  let at: Office;
  beforeAll(async () => {
    at = await office(founding());
  });
  afterAll(() => at.close());

  it('a right needs proposer, security and audit administrator, and counts after a day', async () => {
    const personId = await hired(at, 'li.si');
    await changed(at, personId, assign('li.si', 'lineOperator'));
    expect(holds(await at.operators.acting('li.si'), 'lineOperator')).toBe(false);
    at.after(DAY - 1);
    expect(holds(await at.operators.acting('li.si'), 'lineOperator')).toBe(false);
    at.after(1);
    expect(holds(await at.operators.acting('li.si'), 'lineOperator')).toBe(true);
    expect((await at.changes.notices('li.si')).filter(({ event }) => event === 'confirmed')).toHaveLength(2);
  });

  it('an account that was added does not act before its day', async () => {
    const personId = await at.operators.registerPerson('system-1', { identityNumber: identityNumber('wang.wu'), name: '甄五', department: '运行科', region: '110105' });
    await changed(at, personId, { kind: 'operator.add', operatorId: 'wang.wu' });
    expect(await codeOf(at.operators.acting('wang.wu'))).toBe('OPERATOR_INACTIVE');
    expect(await codeOf(at.changes.propose('system-1', personId, { kind: 'operator.add', operatorId: 'li.si' }))).toBe('OPERATOR_EXISTS');
  });

  it('neither subject nor proposer nor the same person twice, nor anybody else, confirms', async () => {
    const subject = await at.personOf('security-1');
    const change = await at.changes.propose('system-1', subject, credential('security-1', 'second key'));
    expect(await codeOf(at.changes.confirm('security-1', change))).toBe('CONFIRMATION_REFUSED');
    expect(await codeOf(at.changes.confirm('system-1', change))).toBe('CONFIRMATION_REFUSED');
    expect(await codeOf(at.changes.confirm('keys-1', change))).toBe('CONFIRMATION_REFUSED');
    expect(await at.changes.confirm('security-2', change)).toEqual(['audit']);
    expect(await codeOf(at.changes.confirm('security-2', change))).toBe('CONFIRMATION_REFUSED');
    expect(await at.changes.confirm('audit-2', change)).toEqual([]);
    expect(await codeOf(at.changes.confirm('audit-1', change))).toBe('CHANGE_CLOSED');
  });

  it('a person is registered once, whatever name is given', async () => {
    const twice = { identityNumber: identityNumber('security-2'), name: '甄别名', department: '运行科', region: '110105' };
    expect(await codeOf(at.operators.registerPerson('system-1', twice))).toBe('PERSON_EXISTS');
    expect(await codeOf(at.operators.registerPerson('system-1', { ...twice, identityNumber: '110105194912310020' }))).toBe('REQUEST_INVALID');
  });

  it('two accounts of one person count as one', async () => {
    const person = await at.personOf('security-2');
    await changed(at, person, { kind: 'operator.add', operatorId: 'security-2b' });
    at.after(DAY);
    expect(await codeOf(at.changes.propose('system-1', person, assign('security-2b', 'auditAdministrator')))).toBe('ROLE_EXCLUDED');
    await changed(at, person, assign('security-2b', 'securityAdministrator'));
    at.after(DAY);
    const change = await at.changes.propose('system-1', person, credential('security-2b', 'twin'));
    for (const account of ['security-2', 'security-2b']) expect(await codeOf(at.changes.confirm(account, change))).toBe('CONFIRMATION_REFUSED');
    const other = await at.changes.propose('system-1', await at.personOf('keys-1'), credential('keys-1', 'twice'));
    expect(await at.changes.confirm('security-2', other)).toEqual(['audit']);
    expect(await codeOf(at.changes.confirm('security-2b', other))).toBe('CONFIRMATION_REFUSED');
  });

  it('only a system administrator proposes, only of the own regions', async () => {
    const personId = await at.personOf('keys-1');
    for (const account of ['security-1', 'audit-1', 'keys-1']) expect(await codeOf(at.changes.propose(account, personId, assign('keys-1', 'cryptoOperator')))).toBe('ACCESS_DENIED');
    expect(await codeOf(at.changes.propose('system-1', personId, assign('keys-1', 'cryptoOperator', { regions: ['31'] })))).toBe('OUT_OF_SCOPE');
    expect(await codeOf(at.operators.registerPerson('system-1', { identityNumber: identityNumber('six'), name: '甄六', department: '外地', region: '310101' }))).toBe('OUT_OF_SCOPE');
  });

  it('one refusal ends it: by an administrator, or by the owner; and time ends it', async () => {
    const personId = await at.personOf('keys-1');
    const refused = await at.changes.propose('system-1', personId, credential('keys-1', 'refused'));
    expect(await codeOf(at.changes.refuse('keys-2', refused, 'not mine'))).toBe('ACCESS_DENIED');
    await at.changes.refuse('keys-1', refused, 'I asked for no key');
    expect(await codeOf(at.changes.confirm('security-1', refused))).toBe('CHANGE_CLOSED');
    expect((await at.changes.notices('keys-1'))[0]).toMatchObject({ event: 'refused', changeId: refused });
    const late = await at.changes.propose('system-1', personId, credential('keys-1', 'late'));
    expect((await at.changes.pending(['11'])).map(({ changeId }) => changeId)).toContain(late);
    expect(await at.changes.pending(['31'])).toEqual([]);
    at.after(7 * DAY);
    expect(await codeOf(at.changes.confirm('security-1', late))).toBe('CHANGE_CLOSED');
  });

  it('a key is registered once: not for a second account, not for a second purpose', async () => {
    const personId = await at.personOf('keys-2');
    await changed(at, personId, credential('keys-2', 'one token'));
    for (const [account, purpose] of [['keys-2', 'signIn'], ['keys-1', 'approve']] as const) {
      expect(await codeOf(at.changes.propose('system-1', await at.personOf(account), credential(account, 'one token', { purpose })))).toBe('CREDENTIAL_TAKEN');
    }
  });

  it('a replaced credential serves until its successor counts, a reset one ends at once', async () => {
    const [personId, account] = [await at.personOf('keys-2'), 'keys-2'];
    const ends = async (): Promise<Record<string, Date>> =>
      Object.fromEntries(((await at.owner.query('SELECT row_id, effective_at FROM access_withdrawal')) as { row_id: string; effective_at: Date }[]).map((row) => [row.row_id, row.effective_at]));
    const idOf = async (text: string): Promise<string> => ((await at.owner.query('SELECT credential_id FROM operator_credential WHERE key_digest = $1', [evidence(text)])) as { credential_id: string }[])[0]?.credential_id ?? '';
    const old = await idOf('one token');
    expect(await codeOf(at.changes.propose('system-1', personId, credential(account, 'x', { act: 'replace', replaces: null })))).toBe('REQUEST_INVALID');
    expect(await codeOf(at.changes.propose('system-1', await at.personOf('keys-1'), credential('keys-1', 'x', { act: 'replace', replaces: old })))).toBe('NOT_FOUND');
    await changed(at, personId, credential(account, 'next token', { act: 'replace', replaces: old }));
    expect((await ends())[old]).toEqual(new Date(at.clock.now().getTime() + DAY));
    const next = await idOf('next token');
    await changed(at, personId, credential(account, 'last token', { act: 'reset', replaces: next }));
    expect((await ends())[next]).toEqual(at.clock.now());
  });

  it('no key role without vetting, and none that outlives it', async () => {
    const personId = await hired(at, 'zhao.liu');
    expect(await codeOf(at.changes.propose('system-1', personId, assign('zhao.liu', 'cryptoOperator')))).toBe('ROLE_NOT_QUALIFIED');
    for (const qualification of ROLES.cryptoOperator.needs) await changed(at, personId, { kind: 'qualification.add', qualification, validUntil: new Date(at.clock.now().getTime() + 10 * DAY).toISOString(), evidenceDigest: evidence(qualification) });
    await changed(at, personId, assign('zhao.liu', 'cryptoOperator'));
    at.after(DAY);
    expect(holds(await at.operators.acting('zhao.liu'), 'cryptoOperator')).toBe(true);
    at.after(9 * DAY);
    expect(holds(await at.operators.acting('zhao.liu'), 'cryptoOperator')).toBe(false);
  });

  it('two assignments at once that exclude each other: one wins', async () => {
    const personId = await hired(at, 'sun.qi', 'lineSupervisor');
    const proposed = await Promise.all([at.changes.propose('system-1', personId, assign('sun.qi', 'lineOperator')), at.changes.propose('system-1', personId, assign('sun.qi', 'lineSupervisor'))]);
    for (const change of proposed) await at.changes.confirm('security-1', change);
    const codes = await Promise.all(proposed.map((change) => codeOf(at.changes.confirm('audit-1', change))));
    expect(codes.sort()).toEqual(['ROLE_EXCLUDED', 'ok']);
  });

  it('exclusion holds over history: within the look-back refused, after it allowed', async () => {
    const personId = await hired(at, 'zhou.ba', 'auditor');
    await changed(at, personId, assign('zhou.ba', 'certificateOperator', { validUntil: new Date(at.clock.now().getTime() + 5 * DAY).toISOString() }));
    at.after(6 * DAY);
    expect(await codeOf(at.changes.propose('system-1', personId, assign('zhou.ba', 'auditor')))).toBe('ROLE_EXCLUDED');
    at.after((LOOK_BACK - 2) * DAY);
    expect(await codeOf(at.changes.propose('system-1', personId, assign('zhou.ba', 'auditor')))).toBe('ok');
  });

  it('one person stops, at once; only a change starts again', async () => {
    const personId = await at.personOf('li.si');
    expect(await codeOf(at.operators.suspend('system-1', 'li.si'))).toBe('ACCESS_DENIED');
    await at.operators.suspend('audit-1', 'li.si');
    expect(await codeOf(at.operators.acting('li.si'))).toBe('OPERATOR_INACTIVE');
    expect(await codeOf(at.operators.suspend('audit-1', 'li.si'))).toBe('OPERATOR_STATUS_ILLEGAL');
    await changed(at, personId, { kind: 'operator.resume', operatorId: 'li.si' });
    expect(await codeOf(at.operators.acting('li.si'))).toBe('OPERATOR_INACTIVE');
    at.after(DAY);
    expect(holds(await at.operators.acting('li.si'), 'lineOperator')).toBe(true);
    const [row] = (await at.owner.query(`SELECT assignment_id FROM role_assignment WHERE operator_id = 'li.si'`)) as { assignment_id: string }[];
    await at.operators.withdraw('security-1', { personId, rowId: row?.assignment_id ?? '', reason: 'moved' });
    expect(holds(await at.operators.acting('li.si'), 'lineOperator')).toBe(false);
    expect(await codeOf(at.operators.withdraw('security-1', { personId, rowId: row?.assignment_id ?? '', reason: 'again' }))).toBe('NOT_FOUND');
  });

  it('the last security administrator cannot be stopped', async () => {
    await at.operators.suspend('security-1', 'security-2b');
    await at.operators.suspend('security-1', 'security-2');
    expect(await codeOf(at.operators.suspend('audit-1', 'security-1'))).toBe('LAST_OF_ROLE');
    expect(holds(await at.operators.acting('security-1'), 'securityAdministrator')).toBe(true);
  });
});

describe('leaving', () => {
  let at: Office;
  beforeAll(async () => {
    at = await office(founding());
  });
  afterAll(() => at.close());

  it('is blocked by name until a vetted successor has received the post', async () => {
    const [leaver, successor] = [await at.personOf('keys-1'), await at.personOf('keys-2')];
    expect(await codeOf(at.departures.leave('security-1', leaver))).toBe('LEAVE_NOT_ANNOUNCED');
    await at.departures.announce('keys-1', leaver, { kind: 'departure', validFrom: at.clock.now(), reason: '调离', evidenceDigest: evidence('secrecy measures') });
    await expect(at.departures.leave('security-1', leaver)).rejects.toMatchObject({ code: 'HAND_OVER_OPEN', details: { openZh: '密钥管理员', openEn: 'key administrator' } });
    const [row] = (await at.owner.query(`SELECT assignment_id FROM role_assignment WHERE operator_id = 'keys-1'`)) as { assignment_id: string }[];
    const handOverId = await at.departures.handOver('keys-1', { assignmentId: row?.assignment_id ?? '', successorId: successor, evidenceDigest: evidence('list of what was handed over') });
    expect(await codeOf(at.departures.leave('security-1', leaver))).toBe('HAND_OVER_OPEN');
    expect(await codeOf(at.departures.receive('audit-1', leaver, handOverId))).toBe('NOT_FOUND');
    await at.departures.receive('keys-2', leaver, handOverId);
    expect(await codeOf(at.departures.receive('keys-2', leaver, handOverId))).toBe('NOT_FOUND');
    expect(await codeOf(at.departures.leave('system-1', leaver))).toBe('ACCESS_DENIED');
    await at.departures.leave('security-1', leaver);
    expect(await codeOf(at.operators.acting('keys-1'))).toBe('OPERATOR_INACTIVE');
    expect(await codeOf(at.changes.propose('system-1', leaver, { kind: 'operator.resume', operatorId: 'keys-1' }))).toBe('OPERATOR_STATUS_ILLEGAL');
  });

  it('an absence is announced by the person or a security administrator, and shows in the forecast', async () => {
    const keys = await at.personOf('keys-2');
    const away = { kind: 'absence', validFrom: new Date(at.clock.now().getTime() + 3 * DAY), validUntil: new Date(at.clock.now().getTime() + 4 * DAY), reason: '休假' } as const;
    expect(await codeOf(at.departures.announce('audit-1', keys, away))).toBe('ACCESS_DENIED');
    expect(await codeOf(at.departures.announce('keys-2', keys, { ...away, validUntil: away.validFrom }))).toBe('REQUEST_INVALID');
    expect((await at.operators.forecast()).filter(({ sort }) => sort === 'quorum')).toEqual([]);
    await at.departures.announce('security-1', keys, away);
    expect((await at.operators.forecast()).filter(({ sort }) => sort === 'quorum')).toEqual([
      { day: away.validFrom, role: 'keyAdministrator', sort: 'quorum', needed: 1, valid: 0, lapses: [{ personId: keys, lapse: 'leave' }] },
    ]);
    at.after(3 * DAY);
    expect(await codeOf(at.operators.acting('keys-2'))).toBe('OPERATOR_INACTIVE');
    at.after(DAY);
    expect(await codeOf(at.operators.acting('keys-2'))).toBe('ok');
  });
});

describe('what is stored', () => {
  let at: Office;
  beforeAll(async () => {
    at = await office(founding());
  });
  afterAll(() => at.close());

  it('names stand in their own column, keyed hashes in the journal', async () => {
    await at.operators.registerPerson('system-1', { identityNumber: identityNumber('ou'), name: '欧阳某某', department: '运行科', region: '110105' });
    const bodies = ((await at.owner.query('SELECT body FROM journal_stage')) as { body: Buffer }[]).map(({ body }) => body.toString('utf8')).join('\n');
    expect(bodies).toMatch(/"nameHash":"[0-9A-F]{64}"/);
    for (const name of ['欧阳某某', identityNumber('ou'), '甄system-1', '甄keys-1', '密钥管理科']) expect([name, bodies.includes(name)]).toEqual([name, false]);
    expect((await at.operators.list(['110105'], { limit: 10 })).map(({ name }) => name)).toEqual(['欧**']);
  });

  it('listings show the scope and nothing else', async () => {
    expect(await at.operators.list([], { limit: 50 })).toEqual([]);
    expect(await at.operators.list(['31'], { limit: 50 })).toEqual([]);
    const all = await at.operators.list(['11'], { limit: 50 });
    expect(all).toHaveLength(FIRST_POSTS.length + 1);
    const first = await at.operators.list(['11'], { limit: 3 });
    expect(await at.operators.list(['11'], { after: first.at(-1)?.personId, limit: 50 })).toEqual(all.slice(3));
  });

  it('rows are only added, by the service alone, and each names its entry', async () => {
    const worker = await openDataSource({ url: at.database.url, role: 'hufu_worker' });
    const service = at.app.get(DataSource);
    for (const table of ['access_initialisation', 'person', 'operator', 'operator_status', 'qualification', 'role_assignment', 'operator_credential', 'access_withdrawal', 'operator_leave', 'hand_over', 'hand_over_receipt', 'access_change', 'access_confirmation', 'access_refusal', 'access_notice']) {
      await expect(worker.query(`SELECT 1 FROM ${table}`)).rejects.toThrow(/permission denied/);
      await expect(service.query(`DELETE FROM ${table}`)).rejects.toThrow(/permission denied/);
      await expect(service.query(`UPDATE ${table} SET recorded_at = now()`)).rejects.toThrow(/permission denied/);
      await expect(at.owner.query(`DELETE FROM ${table}`)).rejects.toThrow(/append-only/);
      expect(await at.owner.query(`SELECT 1 FROM pg_trigger WHERE tgrelid = $1::regclass AND tgname = 'journal_entry_required'`, [table])).toHaveLength(1);
    }
    await worker.destroy();
  });

  it('readers and writers at once never see half an act', async () => {
    const personId = await at.personOf('keys-1');
    const reading = Promise.all(Array.from({ length: 30 }, () => codeOf(at.operators.acting('keys-1'))));
    const writing = Promise.all(Array.from({ length: 10 }, (_, n) => codeOf(at.changes.propose('system-1', personId, credential('keys-1', `many ${n}`)))));
    expect(new Set([...(await reading), ...(await writing)])).toEqual(new Set(['ok']));
  });

  /** Somebody with the owner's rights on the database changes rows behind the product's back. */
  it.each([
    ['a role is given more', `UPDATE role_assignment SET role = 'securityAdministrator' WHERE operator_id = 'keys-2'`],
    ['a scope is widened', `UPDATE role_assignment SET regions = '{11,31}' WHERE operator_id = 'keys-2'`],
    ['vetting is prolonged', `UPDATE qualification SET valid_until = valid_until + interval '1 year' WHERE kind = 'backgroundCheck' AND person_id = (SELECT person_id FROM operator WHERE operator_id = 'keys-2')`],
    ['a role is given to another person', `UPDATE role_assignment SET person_id = (SELECT person_id FROM operator WHERE operator_id = 'keys-2') WHERE operator_id = 'security-1'`],
    ['a suspension is removed', `DELETE FROM operator_status WHERE operator_id = 'keys-2' AND sequence = 2`],
    ['a role is planted beside an old entry', `INSERT INTO role_assignment (assignment_id, person_id, operator_id, role, regions, valid_from, recorded_at, entry_id) SELECT gen_random_uuid(), person_id, 'keys-2', 'auditor', '{11}', valid_from, recorded_at, entry_id FROM role_assignment WHERE operator_id = 'keys-2' LIMIT 1`],
  ])('%s by SQL: the operator is refused, and nothing is done in that name', async (_name, statement) => {
    const one = await office(founding());
    try {
      await one.operators.suspend('security-1', 'keys-2');
      expect(await codeOf(one.operators.acting('keys-2'))).toBe('OPERATOR_INACTIVE');
      const runner = one.owner.createQueryRunner();
      await runner.query('SET session_replication_role = replica');
      await runner.query(statement);
      await runner.query('SET session_replication_role = DEFAULT');
      await runner.release();
      expect(await codeOf(one.operators.acting('keys-2'))).toBe('ACCESS_ROW_ALTERED');
      expect(await codeOf(one.operators.forecast())).toBe('ACCESS_ROW_ALTERED');
      expect(await codeOf(one.changes.propose('keys-2', await one.personOf('keys-1'), credential('keys-1', 'x')))).toBe('ACCESS_ROW_ALTERED');
    } finally {
      await one.close();
    }
  });

  it('a change whose content was exchanged after the first confirmation is not carried out', async () => {
    const one = await office(founding());
    try {
      const change = await one.changes.propose('system-1', await one.personOf('keys-1'), assign('keys-1', 'cryptoOperator'));
      await one.changes.confirm('security-1', change);
      const runner = one.owner.createQueryRunner();
      await runner.query('SET session_replication_role = replica');
      await runner.query(`UPDATE access_change SET content = replace(content, '1101', '31')`);
      await runner.query('SET session_replication_role = DEFAULT');
      await runner.release();
      expect(await codeOf(one.changes.confirm('audit-1', change))).toBe('ACCESS_ROW_ALTERED');
    } finally {
      await one.close();
    }
  });
});
