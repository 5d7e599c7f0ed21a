import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Test } from '@nestjs/testing';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { FastifyRequest } from 'fastify';
import { DataSource } from 'typeorm';
import { Changes, Initialisation, Operators, ROLE_NAMES, type RoleName, ROLES } from '#libs/access';
import { ERROR_TEXTS, openDataSource, Clock, FixedClock } from '#libs/platform';
import { installChunkQueue } from '#libs/verification';
import { evidence, FIRST_POSTS, founding, identityNumber } from '../builders/founding.js';
import { createTestDatabase, type TestDatabase } from '../env/test-database.js';
import { AppModule } from '../../apps/service/src/app.module.js';
import { ServiceConfig } from '../../apps/service/src/config.js';
import { type HttpApp, httpAdapter } from '../../apps/service/src/http/adapter.js';
import { acceptBinaryBodies } from '../../apps/service/src/http/binary-bodies.js';
import { ROUTE_ROLES, routeName, type RouteRule } from '../../apps/service/src/http/route-roles.js';
import { SignedIn, type SignedInAs } from '../../apps/service/src/http/signed-in.js';

const START = new Date('2026-11-24T08:00:00.000Z');
const DAY = 86_400_000;

/** A header stands for sign-in: the tests say who sends. */
class HeaderSignedIn extends SignedIn {
  override async of(request: FastifyRequest): Promise<SignedInAs | undefined> {
    const header = request.headers['x-operator'];
    return typeof header === 'string' ? { operatorId: header, provenAt: clock.now() } : undefined;
  }
}

interface Door {
  readonly app: HttpApp;
  readonly routes: readonly string[];
}

let folder: string;
let database: TestDatabase;
const clock = new FixedClock(START);

/** The real application on a real database; only time and, when asked for, sign-in are the test's. */
async function open(signedIn: boolean): Promise<Door> {
  const config = ServiceConfig.parse({
    databaseUrl: database.url,
    hsmSocket: join(folder, 'hsm.sock'),
    commandSocket: join(folder, 'command.sock'),
    http: { host: '127.0.0.1', port: 0 },
    evidenceDir: join(folder, 'evidence'),
    pagesDir: 'apps/service/pages',
    profilesDir: 'certs/profiles',
    calendarsDir: 'libs/organisations/calendars',
    access: { nameKeyFile: join(folder, 'name-key') },
  });
  const adapter = httpAdapter();
  const routes: string[] = [];
  adapter.getInstance().addHook('onRoute', ({ method, url }) => void routes.push(...[method].flat().map((each) => routeName(each, url))));
  const building = Test.createTestingModule({ imports: [AppModule.forRoot(config)] }).overrideProvider(Clock).useValue(clock);
  const module = await (signedIn ? building.overrideProvider(SignedIn).useClass(HeaderSignedIn) : building).compile();
  const app = module.createNestApplication<HttpApp>(adapter, { logger: false });
  acceptBinaryBodies(app);
  await app.init();
  await adapter.getInstance().ready();
  return { app, routes: [...new Set(routes)] };
}

let closed: Door;
let door: Door;
let owner: DataSource;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hufu-routes-'));
  writeFileSync(join(folder, 'name-key'), randomBytes(32));
  database = await createTestDatabase();
  await installChunkQueue(database.url);
  owner = await openDataSource({ url: database.url });
  closed = await open(false);
  door = await open(true);
});
afterAll(async () => {
  await closed.app.close();
  await door.app.close();
  await owner.destroy();
  await database.drop();
  rmSync(folder, { recursive: true });
});

/** A path of the route whose parameters are well-formed and name nothing. */
const pathOf = (route: string): string => route.replace(/^\w+ /, '').replaceAll(/:\w+Id/g, () => randomUUID()).replace('*', 'MAA=');
const send = async ({ app }: Door, route: string, operator?: string, path = pathOf(route), payload: object = {}): Promise<{ status: number; body: Record<string, unknown> }> => {
  const [method = 'GET'] = route.split(' ') as ['GET' | 'POST'];
  const response = await app.inject({ method, url: path, headers: { ...(operator === undefined ? {} : { 'x-operator': operator }) }, ...(method === 'POST' ? { payload } : {}) });
  return { status: response.statusCode, body: response.headers['content-type']?.includes('json') === true ? (response.json() as Record<string, unknown>) : {} };
};
const rules = Object.entries(ROUTE_ROLES);
const guarded = rules.filter((entry): entry is [string, Exclude<RouteRule, { public: string }>] => !('public' in entry[1]));

describe('every route × role in one table', () => {
  it('the table names every route of the application, and no other', () => {
    expect([...door.routes].sort()).toEqual(Object.keys(ROUTE_ROLES).sort());
  });

  it('a route that is missing from the table would be seen', async () => {
    const { app, routes } = await open(true);
    expect(routes).toContain('GET /access/forecast');
    expect(routes.filter((route) => route !== 'GET /access/forecast').sort()).not.toEqual(Object.keys(ROUTE_ROLES).sort());
    await app.close();
  });

  it('whoever is not asked for a role has a reason, and no rule is empty', () => {
    for (const [route, rule] of rules) expect([route, ('roles' in rule ? rule.roles.length > 0 : ('public' in rule ? rule.public : rule.signedIn).length > 20)]).toEqual([route, true]);
    expect(rules.filter(([, rule]) => 'public' in rule).map(([route]) => route)).toEqual(['GET /health/live', 'GET /health/ready', 'POST /ocsp', 'GET /ocsp/*', 'POST /enrolments/options', 'POST /enrolments', 'POST /sign-in/challenges', 'POST /sign-in/sessions', 'POST /sign-in/certificate', 'GET /sign-in', 'GET /enrol', 'GET /approve', 'GET /pages/:file']);
  });
});

describe('without a session', () => {
  it.each(guarded.map(([route]) => route))('%s is refused, whatever the request says about itself', async (route) => {
    for (const operator of [undefined, 'system-1', 'admin']) expect(await send(closed, route, operator)).toMatchObject({ status: 401, body: { code: 'NOT_SIGNED_IN', text: ERROR_TEXTS.NOT_SIGNED_IN.text, next: ERROR_TEXTS.NOT_SIGNED_IN.next } });
  });

  it('what is public is served', async () => {
    expect((await send(closed, 'GET /health/live')).status).toBe(200);
    expect((await send(closed, 'GET /health/ready')).status).toBe(503);
    expect((await send(closed, 'GET /ocsp/*')).status).toBe(200);
    expect((await send(closed, 'POST /ocsp')).status).toBe(200);
  });
});

describe('route × role × region', () => {
  /** One operator per role, in region 1101; two of them are administrators from the beginning. */
  const accounts = new Map<RoleName, string>();
  const inside = '110105';
  const outside = '310101';

  beforeAll(async () => {
    const regional = FIRST_POSTS.map((post) => ({ ...post, regions: ['1101', '31'] }));
    await door.app.get(Initialisation).found(founding([...regional, { operatorId: 'system-east', roles: ['systemAdministrator'], regions: ['31'] }]));
    const [operators, changes] = [door.app.get(Operators), door.app.get(Changes)];
    const change = async (personId: string, content: Parameters<Changes['propose']>[2]): Promise<void> => {
      const changeId = await changes.propose('system-1', personId, content);
      for (const account of ['security-1', 'audit-1']) await changes.confirm(account, changeId);
    };
    const persons = new Map<RoleName, string>();
    for (const role of ROLE_NAMES) {
      const operatorId = `only-${role.toLowerCase()}`;
      const personId = await operators.registerPerson('system-1', { identityNumber: identityNumber(role), name: '甄某', department: '测试科', region: inside });
      await change(personId, { kind: 'operator.add', operatorId });
      for (const qualification of ROLES[role].needs) await change(personId, { kind: 'qualification.add', qualification, validUntil: '2030-01-01T00:00:00.000Z', evidenceDigest: evidence(`${role} ${qualification}`) });
      accounts.set(role, operatorId);
      persons.set(role, personId);
    }
    clock.set(new Date(START.getTime() + DAY));
    for (const [role, personId] of persons) {
      const component = ROLES[role].component ? { componentSet: 'root', component: 1 } : { componentSet: null, component: null };
      await change(personId, { kind: 'role.assign', operatorId: accounts.get(role) ?? '', role, regions: ['1101'], validUntil: null, ...component });
    }
    clock.set(new Date(START.getTime() + 2 * DAY));
    await operators.registerPerson('system-1', { identityNumber: identityNumber('far'), name: '甄远', department: '外地', region: outside });
  });

  it.each(guarded)('%s: the roles of the table pass, every other is refused by rule and journalled', async (route, rule) => {
    const refusals = async (): Promise<number> => Number(((await owner.query(`SELECT count(*) AS n FROM journal_stage WHERE kind = 'access.denied'`)) as { n: string }[])[0]?.n);
    for (const role of ROLE_NAMES) {
      const before = await refusals();
      const { status, body } = await send(door, route, accounts.get(role));
      const may = 'signedIn' in rule || rule.roles.includes(role);
      // Past the guard the empty request finds nothing to act on: 200 for a list, else refused for what it says, not for who sends it.
      const refusedByGuard = status === 403 && body['code'] === 'ACCESS_DENIED' && JSON.stringify(body).includes(route);
      expect([route, role, refusedByGuard]).toEqual([route, role, !may]);
      if (may) expect([route, role, [200, 400, 404].includes(status)]).toEqual([route, role, true]);
      else expect(body).toMatchObject({ text: { zh: expect.stringContaining('仅限'), en: expect.stringContaining(route) }, next: ERROR_TEXTS.ACCESS_DENIED.next });
      expect([route, role, (await refusals()) - before]).toEqual([route, role, may ? 0 : 1]);
    }
  });

  it('each role sees its own region, and a wider scope sees more', async () => {
    const regionsFor = async (operator: string): Promise<string[]> => [...new Set(((await send(door, 'GET /access/operators', operator)).body as unknown as { region: string }[]).map(({ region }) => region))].sort();
    for (const role of ['systemAdministrator', 'securityAdministrator', 'auditAdministrator', 'auditor'] as const) expect([role, await regionsFor(accounts.get(role) ?? '')]).toEqual([role, ['110101', inside]]);
    expect(await regionsFor('system-east')).toEqual([outside]);
    expect(await regionsFor('security-1')).toEqual(['110101', inside, outside]);
  });

  it('acts on a person of another region are refused for every role that may act at all', async () => {
    const personOf = async (region: string): Promise<string> => ((await owner.query('SELECT person_id FROM person WHERE region = $1 ORDER BY person_id LIMIT 1', [region])) as { person_id: string }[])[0]?.person_id ?? '';
    const add = (operatorId: string): object => ({ kind: 'operator.add', operatorId });
    const propose = 'POST /access/persons/:personId/changes';
    const propositions = [
      ['system-east', inside, 'OUT_OF_SCOPE'],
      ['system-east', outside, undefined],
      [accounts.get('systemAdministrator') ?? '', outside, 'OUT_OF_SCOPE'],
      [accounts.get('systemAdministrator') ?? '', inside, undefined],
    ] as const;
    for (const [n, [operator, region, code]] of propositions.entries()) {
      const { body } = await send(door, propose, operator, `/access/persons/${await personOf(region)}/changes`, add(`account-${n}`));
      expect([operator, region, body['code']]).toEqual([operator, region, code]);
    }
    const changeId = await door.app.get(Changes).propose('system-1', await personOf(outside), { kind: 'operator.add', operatorId: 'account-far' });
    for (const role of ['securityAdministrator', 'auditAdministrator'] as const) {
      const { status, body } = await send(door, 'POST /access/changes/:changeId/confirmations', accounts.get(role), `/access/changes/${changeId}/confirmations`);
      expect([role, status, body['code']]).toEqual([role, 403, 'OUT_OF_SCOPE']);
    }
  });

  it('a role that was withdrawn, an account that was suspended and one that does not exist are refused at once', async () => {
    const route = 'GET /access/operators';
    const [auditor, operators] = [accounts.get('auditor') ?? '', door.app.get(Operators)];
    expect((await send(door, route, auditor)).status).toBe(200);
    await operators.suspend('security-1', auditor);
    expect(await send(door, route, auditor)).toMatchObject({ status: 403, body: { code: 'OPERATOR_INACTIVE' } });
    expect(await send(door, route, 'nobody')).toMatchObject({ status: 404, body: { code: 'OPERATOR_UNKNOWN' } });
    const [row] = (await owner.query(`SELECT person_id, assignment_id FROM role_assignment WHERE operator_id = $1`, [accounts.get('auditAdministrator')])) as { person_id: string; assignment_id: string }[];
    await operators.withdraw('security-1', { personId: row?.person_id ?? '', rowId: row?.assignment_id ?? '', reason: 'test' });
    expect(await send(door, route, accounts.get('auditAdministrator'))).toMatchObject({ status: 403, body: { code: 'ACCESS_DENIED' } });
  });

  it('bad input is refused by field, and an unknown path finds nothing', async () => {
    const route = 'POST /access/persons';
    const person = { identityNumber: identityNumber('new'), name: '甄新', department: '科', region: inside };
    for (const planted of [{ ...person, region: '11' }, { ...person, extra: 1 }, { ...person, identityNumber: '1' }, {}]) expect(await send(door, route, 'system-1', '/access/persons', planted)).toMatchObject({ status: 400, body: { code: 'REQUEST_INVALID' } });
    expect(await send(door, route, 'system-1', '/access/persons', person)).toMatchObject({ status: 201, body: { personId: expect.any(String) } });
    expect((await send(door, 'GET /access/x', 'system-1', '/access/x')).status).toBe(404);
  });
});
