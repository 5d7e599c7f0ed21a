import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Test, type TestingModule } from '@nestjs/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { Clock, FixedClock, isAppError, openDataSource, PlatformModule, toHex } from '#libs/platform';
import { type Approval, type HsmRequest, type QuorumPolicy, requireQuorum, subjectDigest, type Ticket } from '#libs/signature';
import { approvingOffice, type ApprovingOffice, keyDigestOf } from '../../../test/builders/approving-office.js';
import { HeldPolicy } from '../../../test/builders/held-policy.js';
import { evidence } from '../../../test/builders/founding.js';
import { NoCertificates } from '../../../test/builders/no-certificates.js';
import { type TestApprover, testApprover } from '../../../test/builders/quorum.js';
import type { WebauthnApprover } from '../../../test/builders/webauthn-approver.js';
import { createTestDatabase, type TestDatabase } from '../../../test/env/test-database.js';
import { AccessConfig, AccessModule, ApprovalPolicy, Approvals, type ChangeContent, Changes, Initialisation, Operators, PolicyChanges } from './index.js';

const START = new Date('2026-11-24T08:00:00.000Z');
const MINUTE = 60_000;
const DAY = 1440 * MINUTE;
const RULES: QuorumPolicy['rules'] = {
  generateKey: { count: 2, roles: { keyAdministrator: 1 } },
  tacs: { count: 2, roles: {} },
  transfer: { count: 2, roles: { ownerRepresentative: 1 }, ownerDocument: true },
};
const codeOf = (act: Promise<unknown>): Promise<string> => act.then(() => 'ok', (error: unknown) => (isAppError(error) ? error.code : String(error)));
const newId = (): string => toHex(randomBytes(16));

const folder = mkdtempSync(join(tmpdir(), 'hufu-approvals-'));
const nameKeyFile = join(folder, 'name-key');
writeFileSync(nameKeyFile, randomBytes(32));
afterAll(() => rmSync(folder, { recursive: true }));

interface Entry {
  readonly kind: string;
  readonly subject: string;
  readonly data: Readonly<Record<string, unknown>>;
}

let office: ApprovingOffice;
let held: HeldPolicy;
let database: TestDatabase;
let owner: DataSource;
let clock: FixedClock;
let app: TestingModule;
let approvals: Approvals;

/** A process that gathers approvals on the database of this test. */
const started = (): Promise<TestingModule> =>
  Test.createTestingModule({
    imports: [
      PlatformModule.forRoot({ processName: 'test', database: { url: database.url, role: 'hufu_service' } }),
      AccessModule.forRoot(AccessConfig.parse({ nameKeyFile, changeDelayHours: 24, changeDays: 7, lookBackDays: 30 }), {
        certificateStatus: { useClass: NoCertificates, imports: [] },
        approvals: { terms: { requestMinutes: 15, policyHours: 72 }, policy: { provide: ApprovalPolicy, useValue: held } },
      }),
    ],
  })
    .overrideProvider(Clock)
    .useValue(clock)
    .compile();

async function open(founded: boolean): Promise<void> {
  office = approvingOffice(RULES, { count: 3, roles: { securityAdministrator: 1 } });
  held = new HeldPolicy([office.founding.policy]);
  database = await createTestDatabase();
  owner = await openDataSource({ url: database.url });
  clock = new FixedClock(START);
  app = await started();
  if (founded) await app.get(Initialisation).found(office.founding);
  approvals = app.get(Approvals);
}
async function close(): Promise<void> {
  await app.close();
  await owner.destroy();
  await database.drop();
}

const after = (ms: number): void => clock.set(new Date(clock.now().getTime() + ms));
const at = (minutes: number): string => new Date(clock.now().getTime() + minutes * MINUTE).toISOString();
const request = (changes: Partial<HsmRequest> = {}): HsmRequest => ({
  format: 'hufu/request/1', requestId: newId(), requester: 'service', recipe: 'generateKey', devices: [{ device: 'general-1', tokenSerial: 'A1' }], keys: [newId()],
  parameters: { label: '根密钥', keyClass: 'dataRoot', algorithm: 'sm4' }, policyVersion: 1, createdAt: at(0), notAfter: at(15), ...changes,
});
const ticket = (changes: Partial<Ticket> = {}): Ticket => ({ format: 'hufu/ticket/1', ticketId: newId(), line: 'service', recipe: 'tacs', keys: [newId()], count: 10, notBefore: at(0), notAfter: at(600), policyVersion: 1, ...changes });
const by = (id: string): TestApprover => office.approvers[id] as TestApprover;
const key2 = (): WebauthnApprover => office.approvers['keys-2'] as WebauthnApprover;

interface Asked {
  readonly id: string;
  readonly subject: HsmRequest | Ticket;
  readonly answer: Promise<string>;
  give(approval: Approval, signedIn?: string): Promise<string>;
}

/** Put before the approvers; `answer` is what whoever asked hears. */
async function asked(subject: HsmRequest | Ticket = request()): Promise<Asked> {
  const { approved } = await approvals.put(subject);
  const id = subjectDigest(subject);
  return { id, subject, answer: codeOf(approved), give: (approval, signedIn) => codeOf(approvals.approve(signedIn, id, approval)) };
}

async function entries(subject: string): Promise<Entry[]> {
  const rows: { body: Buffer }[] = await owner.query('SELECT body FROM journal_stage WHERE subject = $1 ORDER BY recorded_at, xid', [subject]);
  return rows.map(({ body }) => JSON.parse(body.toString('utf8')) as Entry);
}
const rejections = async (id: string): Promise<unknown[]> => (await entries(id)).filter(({ kind }) => kind === 'approvals.rejected').map(({ data }) => data['code']);
const personOf = async (operatorId: string): Promise<string> => ((await owner.query('SELECT person_id FROM operator WHERE operator_id = $1', [operatorId])) as { person_id: string }[])[0]?.person_id ?? '';

async function changed(operatorId: string, content: ChangeContent): Promise<void> {
  const changes = app.get(Changes);
  const changeId = await changes.propose('system-1', await personOf(operatorId), content);
  await changes.confirm(operatorId.startsWith('security-1') ? 'security-2' : 'security-1', changeId);
  await changes.confirm(operatorId.startsWith('audit-1') ? 'audit-2' : 'audit-1', changeId);
}
const credential = (operatorId: string, keyDigest: string, more: object = {}): ChangeContent => ({ kind: 'credential.set', act: 'add', operatorId, method: 'plain', purpose: 'approve', keyDigest, validUntil: '2030-01-01T00:00:00.000Z', replaces: null, ...more });

describe('approvals', () => {
  beforeEach(() => open(true));
  afterEach(() => close());

  it('are gathered one by one until the rule is met, and then go to whoever asked', async () => {
    const subject = request();
    const { approved } = await approvals.put(subject);
    const id = subjectDigest(subject);
    const given = [by('keys-1').approve(subject), by('audit-1').approve(subject)];
    expect(approvals.pending('security-1')).toMatchObject([{ id, subject, rule: 'generateKey', need: RULES['generateKey'], approvedBy: [], missing: { count: 2, roles: { keyAdministrator: 1 } }, notAfter: subject.notAfter, mayApprove: true }]);
    expect(await approvals.approve('keys-1', id, given[0] as Approval)).toEqual({ count: 1, roles: {} });
    expect(approvals.pending('keys-1')).toMatchObject([{ approvedBy: ['keys-1'], mayApprove: false }]);
    expect(approvals.pending('system-1')).toEqual([]);
    expect(await approvals.approve('audit-1', id, given[1] as Approval)).toEqual({ count: 0, roles: {} });
    expect(await approved).toEqual(given);
    expect(approvals.pending()).toEqual([]);
    expect(await approvals.view('security-1', id)).toMatchObject({ outcome: 'approved', subject, approvals: expect.arrayContaining(given) });
    expect(await codeOf(approvals.view('system-1', id))).toBe('APPROVAL_INVALID');
  });

  it('stand in the journal whole: a stranger verifies the quorum from its entries and the policy alone', async () => {
    const { id, subject, give } = await asked(request({ requestedBy: 'security-2' }));
    await give(key2().approve(subject));
    await give(by('audit-1').approve(subject));
    const found = await entries(id);
    expect(found.map(({ kind }) => kind)).toEqual(['approvals.request', 'approvals.approve', 'approvals.approve', 'approvals.outcome']);
    const [asking, ...rest] = found;
    const journalled = asking?.data['subject'] as HsmRequest;
    expect([subjectDigest(journalled), asking?.data['policy']]).toEqual([id, subjectDigest(office.policy)]);
    const signed = rest.flatMap(({ data }) => (data['approval'] === undefined ? [] : [data['approval'] as Approval]));
    const rules = { policy: office.policy, need: RULES['generateKey'] as NonNullable<(typeof RULES)[string]>, requester: journalled.requester, requestedBy: journalled.requestedBy, now: undefined };
    expect(() => requireQuorum(journalled, signed, rules)).not.toThrow();
    expect(() => requireQuorum({ ...journalled, keys: [newId()] }, signed, rules)).toThrow('APPROVAL_INVALID');
  });

  it.each<[string, (asking: Asked) => Approval, string, string | undefined]>([
    ['a request that was altered after signing', ({ subject }) => by('keys-1').approve({ ...subject, keys: [newId()] }), 'APPROVAL_INVALID', undefined],
    ['a stale approval', ({ subject }) => by('keys-1').approve(subject, { notAfter: at(0) }), 'APPROVAL_EXPIRED', undefined],
    ['an approval for another version of the policy', ({ subject }) => by('keys-1').approve(subject, { policyVersion: 2 }), 'APPROVAL_INVALID', undefined],
    ['somebody who is not on the list', ({ subject }) => testApprover('system-1').approve(subject), 'APPROVAL_INVALID', undefined],
    ['the name of another', ({ subject }) => ({ ...by('audit-1').approve(subject), approver: 'keys-1' }), 'APPROVAL_INVALID', undefined],
    ['another way than the policy names', ({ subject }) => testApprover('keys-2').approve(subject), 'APPROVAL_INVALID', undefined],
    ['the approval of another than who is signed in', ({ subject }) => by('keys-1').approve(subject), 'APPROVAL_INVALID', 'audit-1'],
    ['the requester', ({ subject }) => by('security-2').approve(subject), 'SELF_APPROVAL', undefined],
  ])('refuse %s by name, and journal it', async (_name, bad, code, signedIn) => {
    const asking = await asked(request({ requestedBy: 'security-2' }));
    expect(await asking.give(bad(asking), signedIn)).toBe(code);
    expect(await rejections(asking.id)).toEqual([code]);
    expect(await owner.query('SELECT count(*)::int AS n FROM approval')).toEqual([{ n: 0 }]);
    expect(await asking.give(by('keys-1').approve(asking.subject))).toBe('ok');
  });

  it('refuse a replayed approval, for the same subject and for another', async () => {
    const [first, second] = [await asked(), await asked()];
    const approval = by('keys-1').approve(first.subject);
    expect(await first.give(approval)).toBe('ok');
    expect(await first.give(approval)).toBe('APPROVAL_REPLAYED');
    expect(await second.give(approval)).toBe('APPROVAL_REPLAYED');
    expect(await second.give(by('keys-1').approve(second.subject, { nonce: approval.nonce }))).toBe('APPROVAL_REPLAYED');
    expect([await rejections(first.id), await rejections(second.id)]).toEqual([['APPROVAL_REPLAYED'], ['APPROVAL_REPLAYED', 'APPROVAL_REPLAYED']]);
  });

  it('refuse assertions out of their order: a sign count that does not grow is a cloned authenticator', async () => {
    const [first, second, third] = [await asked(), await asked(), await asked()];
    const early = key2().approve(first.subject);
    expect(await second.give(key2().approve(second.subject))).toBe('ok');
    expect(await first.give(early)).toBe('AUTHENTICATOR_CLONED');
    key2().count = 1;
    expect(await third.give(key2().approve(third.subject))).toBe('AUTHENTICATOR_CLONED');
    key2().count = -1;
    expect(await third.give(key2().approve(third.subject))).toBe('AUTHENTICATOR_CLONED');
    expect([await rejections(first.id), await rejections(third.id)]).toEqual([['AUTHENTICATOR_CLONED'], ['AUTHENTICATOR_CLONED', 'AUTHENTICATOR_CLONED']]);
    key2().count = 50;
    expect(await third.give(key2().approve(third.subject))).toBe('ok');
  });

  it('take a person once, and never the requester by a second account', async () => {
    const twin = testApprover('keys-1b');
    await changed('keys-1', { kind: 'operator.add', operatorId: 'keys-1b' });
    after(DAY);
    await changed('keys-1', credential('keys-1b', keyDigestOf(twin.entry.publicKey)));
    after(DAY);
    const next: QuorumPolicy = { ...office.policy, version: 2, previous: subjectDigest(office.policy), approvers: [...office.policy.approvers, { ...twin.entry, person: 'somebody-else' }] };
    await held.add({ policy: next, approvals: ['security-1', 'security-2', 'audit-1'].map((id) => by(id).approve(next)) });
    const now = { policyVersion: 2 };
    const own = await asked(request({ ...now, requestedBy: 'keys-1' }));
    expect(await own.give(twin.approve(own.subject, now))).toBe('SELF_APPROVAL');
    const twice = await asked(request(now));
    expect(await twice.give(by('keys-1').approve(twice.subject, now))).toBe('ok');
    expect(await twice.give(by('keys-1').approve(twice.subject, now))).toBe('APPROVAL_REPEATED');
    expect(await twice.give(twin.approve(twice.subject, now))).toBe('APPROVAL_REPEATED');
    expect([await rejections(own.id), await rejections(twice.id)]).toEqual([['SELF_APPROVAL'], ['APPROVAL_REPEATED', 'APPROVAL_REPEATED']]);
  });

  it('refuse an account that is suspended, a role that ended and a credential that was replaced, also after they approved', async () => {
    const { id, subject, give } = await asked();
    expect(await give(by('keys-1').approve(subject))).toBe('ok');
    await app.get(Operators).suspend('security-1', 'keys-1');
    // The one approval of the key side counts no more: the quorum is not met by two.
    expect(await approvals.approve(undefined, id, by('audit-1').approve(subject))).toEqual({ count: 1, roles: { keyAdministrator: 1 } });
    expect(await codeOf(approvals.refuse('keys-1', id, 'why'))).toBe('OPERATOR_INACTIVE');
    const [row] = (await owner.query(`SELECT assignment_id FROM role_assignment WHERE operator_id = 'audit-2'`)) as { assignment_id: string }[];
    await app.get(Operators).withdraw('security-1', { personId: await personOf('audit-2'), rowId: row?.assignment_id ?? '', reason: 'test' });
    expect(await give(by('audit-2').approve(subject))).toBe('ACCESS_DENIED');
    const [old] = (await owner.query(`SELECT credential_id FROM operator_credential WHERE operator_id = 'security-2' AND purpose = 'approve'`)) as { credential_id: string }[];
    await changed('security-2', credential('security-2', evidence('next key'), { act: 'reset', replaces: old?.credential_id }));
    expect(await give(by('security-2').approve(subject))).toBe('CREDENTIAL_REPLACED');
    expect(await rejections(id)).toEqual(['OPERATOR_INACTIVE', 'ACCESS_DENIED', 'CREDENTIAL_REPLACED']);
    expect(await give(key2().approve(subject))).toBe('ok');
    expect(await approvals.view(undefined, id)).toMatchObject({ outcome: 'approved' });
  });

  it('an approval that ran out while others were awaited counts no more', async () => {
    const { id, subject } = await asked();
    await approvals.approve(undefined, id, by('keys-1').approve(subject, { notAfter: at(5) }));
    after(5 * MINUTE);
    expect(await approvals.approve(undefined, id, by('audit-1').approve(subject))).toEqual({ count: 1, roles: { keyAdministrator: 1 } });
    expect(await approvals.approve(undefined, id, key2().approve(subject))).toEqual({ count: 0, roles: {} });
  });

  it('the policy stands in the journal whole, once in each process, before anything that was judged by it', async () => {
    const [one, two] = [await asked(), await asked()];
    expect((await entries(subjectDigest(office.policy))).map(({ kind, data }) => [kind, data['signed']])).toEqual([['approvals.policy', office.founding.policy]]);
    const kinds: { kind: string }[] = await owner.query(`SELECT kind FROM journal_stage WHERE kind LIKE 'approvals.%' ORDER BY xid, id`);
    expect(kinds.map(({ kind }) => kind)).toEqual(['approvals.policy', 'approvals.request', 'approvals.request']);
    expect(one.id).not.toBe(two.id);
  });

  it('one rejection ends it, and only an approver rejects', async () => {
    const { id, subject, answer, give } = await asked();
    expect(await codeOf(approvals.refuse('system-1', id, 'no'))).toBe('APPROVAL_INVALID');
    expect(await give(by('keys-1').approve(subject))).toBe('ok');
    await approvals.refuse('audit-2', id, 'not today');
    expect(await answer).toBe('APPROVAL_REFUSED');
    expect(await give(by('audit-1').approve(subject))).toBe('APPROVAL_CLOSED');
    expect(await codeOf(approvals.refuse('audit-1', id, 'again'))).toBe('APPROVAL_CLOSED');
    expect(await approvals.view('audit-1', id)).toMatchObject({ outcome: 'refused', refusal: { approver: 'audit-2', reason: 'not today' } });
    expect((await entries(id)).map(({ kind }) => kind)).toEqual(['approvals.request', 'approvals.rejected', 'approvals.approve', 'approvals.refuse', 'approvals.outcome', 'approvals.rejected', 'approvals.rejected']);
  });

  it('are handed out once: what was decided takes nothing more', async () => {
    const { id, subject, answer, give } = await asked(ticket());
    expect(await codeOf(approvals.submit(id, ['keys-1', 'audit-1', 'audit-2'].map((each) => by(each).approve(subject))))).toBe('ok');
    expect(await answer).toBe('ok');
    expect(await owner.query('SELECT approver FROM approval ORDER BY approver')).toEqual([{ approver: 'audit-1' }, { approver: 'keys-1' }]);
    expect(await give(by('security-1').approve(subject))).toBe('APPROVAL_CLOSED');
    expect(await codeOf(approvals.submit('0'.repeat(64), [by('keys-1').approve(subject)]))).toBe('NOT_FOUND');
    expect(await codeOf(approvals.put(subject))).not.toBe('ok');
  });

  it('two at the same time meet the need once', async () => {
    const { id, subject, answer, give } = await asked();
    const codes = await Promise.all([by('keys-1'), key2(), by('audit-1')].map((approver) => give(approver.approve(subject) as Approval)));
    expect(codes.sort()).toEqual(['APPROVAL_CLOSED', 'ok', 'ok']);
    expect(await answer).toBe('ok');
    expect((await entries(id)).filter(({ kind }) => kind === 'approvals.outcome')).toHaveLength(1);
  });

  it('a request, a ticket that waits and the policy it was written for run out', async () => {
    const [one, two] = [await asked(), await asked(ticket())];
    const next: QuorumPolicy = { ...office.policy, version: 2, previous: subjectDigest(office.policy) };
    after(15 * MINUTE);
    expect(await one.give(by('keys-1').approve(one.subject))).toBe('APPROVAL_EXPIRED');
    expect(await two.give(by('keys-1').approve(two.subject))).toBe('APPROVAL_EXPIRED');
    expect([await one.answer, await two.answer]).toEqual(['APPROVAL_EXPIRED', 'APPROVAL_EXPIRED']);
    expect(await one.give(by('keys-1').approve(one.subject))).toBe('APPROVAL_CLOSED');
    const former = await asked();
    await held.add({ policy: next, approvals: ['security-1', 'security-2', 'audit-1'].map((id) => by(id).approve(next)) });
    expect(await former.give(by('keys-1').approve(former.subject))).toBe('APPROVAL_INVALID');
    expect(await former.give(by('keys-1').approve(former.subject, { policyVersion: 2 }))).toBe('APPROVAL_INVALID');
    expect(await codeOf(approvals.put(request({ recipe: 'seal' })))).toBe('HSM_REFUSED');
    expect(await codeOf(approvals.put(request({ notAfter: at(0) })))).toBe('APPROVAL_EXPIRED');
  });

  it('nobody waits any more for what a former process asked: it is abandoned', async () => {
    const { id, subject } = await asked();
    const next = await started();
    expect(await next.get(Approvals).abandonFormer()).toBe(1);
    expect(await codeOf(next.get(Approvals).approve(undefined, id, by('keys-1').approve(subject)))).toBe('APPROVAL_CLOSED');
    expect(await next.get(Approvals).view(undefined, id)).toMatchObject({ outcome: 'abandoned' });
    expect(await next.get(Approvals).abandonFormer()).toBe(0);
    await next.close();
  });

  it("the owner's leg is met by the owner's own key", async () => {
    const transfer = { recipe: 'transfer', parameters: { from: 'general-1', to: 'diversification-1' } };
    const { id, subject, answer } = await asked(request(transfer));
    expect(await approvals.approve(undefined, id, by('keys-1').approve(subject))).toEqual({ count: 1, roles: { ownerRepresentative: 1 } });
    expect(await approvals.approve(undefined, id, by('audit-1').approve(subject))).toEqual({ count: 0, roles: { ownerRepresentative: 1 } });
    expect(await approvals.approve(undefined, id, by('owner-1').approve(subject))).toEqual({ count: 0, roles: {} });
    expect(await answer).toBe('ok');
  });

  it("the owner's leg is met by a document whose number two have entered; one alone and differing numbers or scans do not count", async () => {
    const paper = { number: '医保密〔2026〕12号', digest: evidence('scan') };
    const { id, subject, answer } = await asked(request({ recipe: 'transfer' }));
    const give = async (approver: string, ownerDocument: typeof paper): Promise<unknown> => (await approvals.approve(undefined, id, by(approver).approve(subject, { ownerDocument }))).roles;
    const open = { ownerRepresentative: 1 };
    expect(await give('keys-1', paper)).toEqual(open);
    expect(await give('audit-1', { ...paper, number: '医保密〔2026〕13号' })).toEqual(open);
    expect(await give('audit-2', { ...paper, digest: evidence('another scan') })).toEqual(open);
    expect(await give('security-1', paper)).toEqual({});
    expect(await answer).toBe('ok');
  });

  it('rows are only added, by the service alone; one that was exchanged by SQL meets no quorum', async () => {
    const { subject, give } = await asked();
    await give(by('keys-1').approve(subject));
    const service = await openDataSource({ url: database.url, role: 'hufu_service' });
    const worker = await openDataSource({ url: database.url, role: 'hufu_worker' });
    for (const table of ['approval_request', 'approval', 'approval_refusal', 'approval_outcome']) {
      for (const sql of [`UPDATE ${table} SET recorded_at = now()`, `DELETE FROM ${table}`]) expect(await codeOf(service.query(sql))).toContain('permission denied');
      expect(await codeOf(worker.query(`SELECT 1 FROM ${table}`))).toContain('permission denied');
      expect(await codeOf(owner.query(`DELETE FROM ${table}`))).toContain('append-only');
    }
    await Promise.all([service.destroy(), worker.destroy()]);
    await owner.query('ALTER TABLE approval DISABLE TRIGGER USER');
    const forged = { ...testApprover('keys-1').approve(subject), approver: 'keys-1' };
    await owner.query(`UPDATE approval SET content = $1`, [JSON.stringify(forged)]);
    expect(await give(by('audit-1').approve(subject))).toBe('APPROVAL_INVALID');
  });
});

describe('a new version of the policy', () => {
  beforeEach(() => open(true));
  afterEach(() => close());

  const draft = (changes: Partial<QuorumPolicy> = {}): Pick<QuorumPolicy, 'approvers' | 'rules' | 'amend'> => {
    const { approvers, rules, amend } = { ...office.policy, ...changes };
    return { approvers, rules, amend };
  };
  const lowered = (): Pick<QuorumPolicy, 'approvers' | 'rules' | 'amend'> => draft({ rules: { ...RULES, generateKey: { count: 1, roles: {} } } });
  const subjectOf = async (id: string): Promise<QuorumPolicy> => (await approvals.view(undefined, id)).subject as QuorumPolicy;
  const added = async (id: string): Promise<string[]> => {
    for (let n = 0; n < 200; n++) {
      const done = (await entries(id)).map(({ kind }) => kind).filter((kind) => kind.startsWith('approvals.policy'));
      if (done.length > 0) return done;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return [];
  };

  it('is signed by the quorum of the one before it, its proposer not among them, and then in force', async () => {
    const { id, version } = await app.get(PolicyChanges).propose('security-1', lowered());
    const policy = await subjectOf(id);
    expect([version, policy.version, policy.previous, subjectDigest(policy)]).toEqual([2, 2, subjectDigest(office.policy), id]);
    expect(await codeOf(approvals.approve('security-1', id, by('security-1').approve(policy)))).toBe('SELF_APPROVAL');
    for (const each of ['keys-1', 'audit-1']) expect((await approvals.approve(each, id, by(each).approve(policy))).roles).toEqual({ securityAdministrator: 1 });
    expect(await approvals.approve('security-2', id, by('security-2').approve(policy))).toEqual({ count: 0, roles: {} });
    expect(await added(id)).toEqual(['approvals.policyAdded']);
    expect((await held.chain()).at(-1)?.policy).toEqual(policy);
    const { subject, give } = await asked(request({ policyVersion: 2 }));
    expect(await give(by('audit-2').approve(subject, { policyVersion: 2 }))).toBe('ok');
  });

  it('is proposed by a security administrator, and names nobody whose key is not registered, nor what nobody could approve', async () => {
    const propose = (by_: string, proposed: object): Promise<string> => codeOf(app.get(PolicyChanges).propose(by_, proposed as never));
    expect(await propose('keys-1', lowered())).toBe('ACCESS_DENIED');
    expect(await propose('security-1', draft({ amend: { count: 9, roles: {} } }))).toBe('POLICY_INVALID');
    expect(await propose('security-1', draft({ approvers: [...office.policy.approvers.filter(({ id }) => id !== 'keys-1'), testApprover('keys-1', { roles: ['keyAdministrator'] }).entry] }))).toBe('CREDENTIAL_REPLACED');
    expect(await propose('security-1', draft({ approvers: [...office.policy.approvers, testApprover('nobody').entry] }))).toBe('OPERATOR_UNKNOWN');
    expect(await propose('security-1', draft({ approvers: office.policy.approvers.map((each) => ({ ...each, roles: [...each.roles, 'auditor'] })) }))).toBe('ACCESS_DENIED');
    expect(await propose('security-1', { ...lowered(), version: 7 })).toBe('REQUEST_INVALID');
    expect(approvals.pending()).toEqual([]);
  });

  it('that a quorum has signed and that did not arrive is handed in by the next process', async () => {
    const away = held.add.bind(held);
    held.add = async () => Promise.reject(new Error('the supervisor is away'));
    const { id } = await app.get(PolicyChanges).propose('security-1', lowered());
    const policy = await subjectOf(id);
    await approvals.submit(id, ['keys-1', 'audit-1', 'security-2'].map((each) => by(each).approve(policy)));
    expect(await added(id)).toEqual(['approvals.policyFailed']);
    held.add = away;
    expect(await app.get(PolicyChanges).settle()).toBe(1);
    expect(await held.chain()).toHaveLength(2);
    expect(await app.get(PolicyChanges).settle()).toBe(0);
  });
});

describe('in rehearsal, without operators', () => {
  beforeAll(() => open(false));
  afterAll(() => close());

  it('the signed policy alone says who approves', async () => {
    const { id, subject, answer, give } = await asked();
    expect(await give(by('keys-1').approve(subject))).toBe('ok');
    expect(await give(by('keys-1').approve(subject))).toBe('APPROVAL_REPEATED');
    await approvals.submit(id, [by('audit-1').approve(subject)]);
    expect(await answer).toBe('ok');
  });

  it('a first version that is not the one of the first operators is refused', async () => {
    await app.get(Initialisation).found(office.founding);
    await held.add.call(held, await (async () => {
      const next: QuorumPolicy = { ...office.policy, version: 2, previous: subjectDigest(office.policy) };
      return { policy: next, approvals: ['security-1', 'security-2', 'audit-1'].map((id) => by(id).approve(next)) };
    })());
    expect(await codeOf(approvals.put(request({ policyVersion: 2 })))).toBe('ok');
    const foreign = approvingOffice(RULES, { count: 3, roles: {} });
    held.chain = async () => [foreign.founding.policy];
    expect(await codeOf(approvals.put(request()))).toBe('POLICY_CHANGED');
  });
});
