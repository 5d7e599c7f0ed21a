import { randomBytes } from 'node:crypto';
import { createWriteStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Test } from '@nestjs/testing';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { FastifyRequest } from 'fastify';
import type { DataSource } from 'typeorm';
import { Initialisation, type PendingApproval } from '#libs/access';
import { POLICY_RULES } from '#libs/hsm';
import { exportFile, verifyFile } from '#libs/journal';
import { openDataSource } from '#libs/platform';
import { type Approval, type HsmRequest, type QuorumPolicy, subjectDigest } from '#libs/signature';
import { installChunkQueue } from '#libs/verification';
import { AppModule } from '../../apps/service/src/app.module.js';
import { ServiceConfig } from '../../apps/service/src/config.js';
import { type HttpApp, httpAdapter } from '../../apps/service/src/http/adapter.js';
import { SignedIn, type SignedInAs } from '../../apps/service/src/http/signed-in.js';
import { approvingOffice, type ApprovingOffice } from '../builders/approving-office.js';
import { createTestDatabase, type TestDatabase } from '../env/test-database.js';
import { type RunningJournal, startRunningJournal } from '../env/running-journal.js';
import { startTestHsm, type TestHsm } from '../env/test-hsm.js';

/** A header stands for sign-in: the tests say who sends. */
class HeaderSignedIn extends SignedIn {
  override async of(request: FastifyRequest): Promise<SignedInAs | undefined> {
    const header = request.headers['x-operator'];
    return typeof header === 'string' ? { operatorId: header, provenAt: new Date() } : undefined;
  }
}

const GENERAL = 'general-1';
const RULES: QuorumPolicy['rules'] = Object.fromEntries(POLICY_RULES.map((rule) => [rule, { count: 2, roles: { keyAdministrator: 1 } }]));

let folder: string;
let database: TestDatabase;
let owner: DataSource;
let rig: TestHsm;
let log: RunningJournal;
let app: HttpApp;
let office: ApprovingOffice;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hufu-approvals-'));
  writeFileSync(join(folder, 'name-key'), randomBytes(32));
  office = approvingOffice(RULES, { count: 3, roles: { securityAdministrator: 1 } });
  rig = await startTestHsm({ policy: office.founding.policy });
  database = await createTestDatabase();
  await installChunkQueue(database.url);
  owner = await openDataSource({ url: database.url });
  log = await startRunningJournal(database.url);
  const config = ServiceConfig.parse({
    databaseUrl: database.url,
    hsmSocket: join(rig.socketDir, 'service.sock'),
    commandSocket: join(folder, 'command.sock'),
    http: { host: '127.0.0.1', port: 0 },
    evidenceDir: join(folder, 'evidence'),
    pagesDir: 'apps/service/pages',
    profilesDir: 'certs/profiles',
    calendarsDir: 'libs/organisations/calendars',
    access: { nameKeyFile: join(folder, 'name-key') },
  });
  const module = await Test.createTestingModule({ imports: [AppModule.forRoot(config)] }).overrideProvider(SignedIn).useClass(HeaderSignedIn).compile();
  app = module.createNestApplication<HttpApp>(httpAdapter(), { logger: false });
  await app.init();
  await app.getHttpAdapter().getInstance().ready();
  await app.get(Initialisation).found(office.founding);
});
afterAll(async () => {
  await app.close();
  await log.stop();
  await rig.stop();
  await owner.destroy();
  await database.drop();
  rmSync(folder, { recursive: true });
});

async function send(method: 'GET' | 'POST', operator: string, url: string, payload?: object): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await app.inject({ method, url, headers: { 'x-operator': operator }, ...(payload === undefined ? {} : { payload }) });
  return { status: response.statusCode, body: response.body === '' ? {} : (response.json() as Record<string, unknown>) };
}

async function until<T>(what: () => Promise<T | undefined>): Promise<T> {
  const end = performance.now() + 20_000;
  for (;;) {
    const found = await what();
    if (found !== undefined) return found;
    if (performance.now() > end) throw new Error('waited too long');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** What waits under this rule, as this operator sees it. */
const waiting = (rule: string, operator = 'audit-1'): Promise<PendingApproval> =>
  until(async () => ((await send('GET', operator, '/approvals')).body as unknown as PendingApproval[]).find((each) => each.rule === rule));
const approve = (operator: string, { id, subject }: PendingApproval, says: object = {}): Promise<{ status: number; body: Record<string, unknown> }> => {
  const version = 'policyVersion' in subject ? subject.policyVersion : subject.version - 1;
  return send('POST', operator, `/approvals/${id}`, { approval: office.approvers[operator]?.approve(subject, { policyVersion: version, ...says }) as Approval });
};
const newKey = (label: string): object => ({ label, keyClass: 'dataRoot', algorithm: '3des2', device: GENERAL });
const keyWhen = (label: string, states: readonly string[]): Promise<Record<string, unknown>> =>
  until(async () => {
    const { body } = await send('GET', 'keys-1', `/keys/${encodeURIComponent(label)}`);
    return states.includes(String(body['state'])) ? body : undefined;
  });

describe('a root that an operator asks for', () => {
  it('is made when two others have signed; who asked stands in what they sign, and does not approve it', async () => {
    expect(await send('POST', 'keys-1', '/keys', newKey('desk/root'))).toEqual({ status: 202, body: { label: 'desk/root' } });
    const asked = await waiting('generateKey');
    const subject = asked.subject as HsmRequest;
    expect([subject.requestedBy, subject.parameters['label'], asked.requestedBy]).toEqual(['keys-1', 'desk/root', 'keys-1']);
    expect(await approve('keys-1', asked)).toMatchObject({ status: 403, body: { code: 'SELF_APPROVAL' } });
    expect(await send('POST', 'audit-1', `/approvals/${asked.id}`, { approval: office.approvers['audit-2']?.approve(subject) as Approval })).toMatchObject({ status: 403, body: { code: 'APPROVAL_INVALID' } });
    expect(await approve('audit-1', asked)).toEqual({ status: 200, body: { missing: { count: 1, roles: { keyAdministrator: 1 } } } });
    expect((await send('GET', 'keys-1', '/keys/desk%2Froot')).body).toMatchObject({ state: 'planned', failure: null });
    expect(await approve('keys-2', asked)).toEqual({ status: 200, body: { missing: { count: 0, roles: {} } } });
    expect(await keyWhen('desk/root', ['preActive'])).toMatchObject({ kcv: expect.stringMatching(/^[0-9A-F]{6}$/), copies: [{ device: GENERAL, state: 'present' }], failure: null });
    expect((await send('GET', 'keys-1', '/keys')).body).toMatchObject([{ label: 'desk/root', state: 'preActive' }]);
    expect(await send('POST', 'keys-1', '/keys', newKey('desk/root'))).toMatchObject({ status: 409, body: { code: 'KEY_LABEL_TAKEN' } });
  });

  it('is not made when one of them refuses: the intent is closed at once, and its record says why', async () => {
    await send('POST', 'keys-1', '/keys', newKey('desk/refused'));
    const asked = await waiting('generateKey');
    expect((await send('POST', 'audit-2', `/approvals/${asked.id}/refusals`, { reason: 'not now' })).status).toBe(204);
    expect(await keyWhen('desk/refused', ['aborted'])).toMatchObject({ copies: [{ state: 'aborted' }] });
    const { body } = await until(async () => {
      const answer = await send('GET', 'keys-1', '/keys/desk%2Frefused');
      return answer.body['failure'] === null ? undefined : answer;
    });
    expect(body['failure']).toMatchObject({ code: 'APPROVAL_REFUSED', reason: expect.stringContaining('not now') });
    expect((await rig.hsm.inventory(GENERAL)).filter(({ keyId }) => keyId === body['keyId'])).toEqual([]);
  });
});

describe('a journal that no anchor takes', () => {
  it('keeps what a quorum has signed from being done, and says so', async () => {
    await send('POST', 'keys-1', '/keys', newKey('desk/unanchored'));
    const asked = await waiting('generateKey');
    log.anchor.beforePush = () => {
      throw new Error('the anchor is away');
    };
    for (const operator of ['audit-1', 'keys-2']) expect((await approve(operator, asked)).status).toBe(200);
    const key = await keyWhen('desk/unanchored', ['aborted']);
    const failure = await until(async () => (await send('GET', 'keys-1', '/keys/desk%2Funanchored')).body['failure'] ?? undefined);
    expect(failure).toMatchObject({ code: 'JOURNAL_STALE' });
    expect((await rig.hsm.inventory(GENERAL)).filter(({ keyId }) => keyId === key['keyId'])).toEqual([]);
    log.anchor.beforePush = () => undefined;
  });
});

describe('stopping', () => {
  it('one person stops a rule at once; a quorum starts it again', async () => {
    expect((await send('POST', 'security-1', '/stops', { rule: 'generateKey', reason: 'a custodian is missing' })).status).toBe(204);
    expect(await rig.hsm.fleet()).toMatchObject({ stopped: ['generateKey'] });
    await send('POST', 'keys-1', '/keys', newKey('desk/stopped'));
    await keyWhen('desk/stopped', ['aborted']);
    const failure = await until(async () => (await send('GET', 'keys-1', '/keys/desk%2Fstopped')).body['failure'] ?? undefined);
    expect(failure).toMatchObject({ code: 'RULE_STOPPED' });
    expect(await send('POST', 'keys-1', '/starts', { rule: 'generateKey' })).toEqual({ status: 202, body: { rule: 'generateKey' } });
    const asked = await waiting('start');
    expect((asked.subject as HsmRequest).parameters).toEqual({ rule: 'generateKey' });
    for (const operator of ['audit-1', 'keys-2']) expect((await approve(operator, asked)).status).toBe(200);
    await until(async () => ((await rig.hsm.fleet()).stopped.length === 0 ? true : undefined));
    const kinds: { kind: string }[] = await owner.query(`SELECT kind FROM journal_stage WHERE subject = 'generateKey' AND kind LIKE 'keys.st%' ORDER BY xid, id`);
    expect(kinds.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['keys.stop', 'keys.startIntent']));
    for (const rule of ['start', 'devices', 'x'.repeat(65)]) expect(await send('POST', 'keys-1', '/stops', { rule, reason: 'no' })).toMatchObject({ status: 400, body: { code: 'REQUEST_INVALID' } });
  });
});

describe('the next version of the policy', () => {
  it('is signed by the quorum of the one in force and kept by the supervisor; what was asked before it is void', async () => {
    await send('POST', 'keys-1', '/keys', newKey('desk/before'));
    const before = await waiting('generateKey');
    const { approvers, amend } = office.policy;
    const lowered = { approvers, amend, rules: { ...RULES, generateKey: { count: 1, roles: {} } } };
    expect((await send('POST', 'keys-1', '/policies', lowered)).status).toBe(403);
    const { status, body } = await send('POST', 'security-1', '/policies', lowered);
    expect([status, body['version']]).toEqual([202, 2]);
    const asked = await waiting('amend');
    expect([asked.id, subjectDigest(asked.subject)]).toEqual([body['id'], body['id']]);
    for (const operator of ['audit-1', 'audit-2', 'security-2']) expect((await approve(operator, asked)).status).toBe(200);
    await until(async () => ((await rig.hsm.policyChain()).length === 2 ? true : undefined));
    expect(await approve('audit-1', before)).toMatchObject({ status: 403, body: { code: 'APPROVAL_INVALID' } });
    await send('POST', 'audit-1', `/approvals/${before.id}/refusals`, { reason: 'of the former policy' });
    await keyWhen('desk/before', ['aborted']);
    await send('POST', 'keys-1', '/keys', newKey('desk/after'));
    const after = await until(async () => ((await send('GET', 'audit-1', '/approvals')).body as unknown as PendingApproval[]).find((each) => each.policyVersion === 2));
    expect((await approve('audit-1', after)).body).toEqual({ missing: { count: 0, roles: {} } });
    await keyWhen('desk/after', ['preActive']);
  });
});

describe('a stranger', () => {
  it('finds every approved act signed by its quorum, from the export and the log key alone', async () => {
    await until(async () => (((await owner.query('SELECT count(*)::int AS n FROM journal_stage s WHERE NOT EXISTS (SELECT 1 FROM journal_entry e WHERE e.stage_id = s.id)')) as { n: number }[])[0]?.n === 0 ? true : undefined));
    const file = join(folder, 'journal.hufu');
    await pipeline(Readable.from(exportFile(owner, new Date())), createWriteStream(file));
    const found = verifyFile(file, { publicKey: log.key.spki });
    expect([found.fault, found.firstPolicy]).toEqual([undefined, subjectDigest(office.policy)]);
    expect(found.approved).toBeGreaterThanOrEqual(4);
  });
});
