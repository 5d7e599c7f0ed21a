import { hash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { NestFactory } from '@nestjs/core';
import type { Browser } from 'playwright-core';
import { type CodeRequest, Initialisation, Origins } from '#libs/access';
import { childEnvironment, toHex } from '#libs/platform/host';
import { openDataSource } from '#libs/platform';
import type { QuorumPolicy } from '#libs/signature';
import { installChunkQueue } from '#libs/verification';
import { AppModule } from '../../../apps/service/src/app.module.js';
import { COMMANDS } from '../../../apps/service/src/commands/index.js';
import { ServiceConfig } from '../../../apps/service/src/config.js';
import { type HttpApp, httpAdapter } from '../../../apps/service/src/http/adapter.js';
import { acceptBinaryBodies } from '../../../apps/service/src/http/binary-bodies.js';
import { openListeners } from '../../../apps/service/src/http/listeners.js';
import { BrowserPerson, type SecurityKey, startBrowser } from '../../builders/browser.js';
import { FIRST_POSTS, founding } from '../../builders/founding.js';
import { FAR, signPolicy, testApprover, testPolicy } from '../../builders/quorum.js';
import { startRunningJournal } from '../../env/running-journal.js';
import { createTestDatabase } from '../../env/test-database.js';
import { startTestHsm, testDevices } from '../../env/test-hsm.js';
import { TerminalProcess } from '../../env/terminal-process.js';
import { TestUkey } from '../../env/test-ukey.js';

/** What Chromium's virtual authenticators say that they are. */
const CHROMIUM_MODEL = '01020304-0506-0708-0102-030405060708';
const POSTS = [...FIRST_POSTS, { operatorId: 'owner-1', roles: ['ownerRepresentative'] as const }];

export interface Officer {
  readonly operatorId: string;
  readonly person: BrowserPerson;
  readonly key: SecurityKey;
}

export interface Office {
  readonly app: HttpApp;
  readonly browser: Browser;
  readonly console: string;
  readonly approve: string;
  /** Signs in and approves by a security key. */
  readonly wang: Officer;
  /** Signs in by a security key, approves by a UKey. */
  readonly li: Officer;
  /** Shows a question of the UKey agent, and types there. */
  readonly agent: TerminalProcess;
  readonly ukey: TestUkey;
  entries(kind: string): Promise<Record<string, unknown>[]>;
  close(): Promise<void>;
}

/**
 * A scheme at its beginning, with nothing put in anything's place: the service over HTTP, PostgreSQL, a supervisor with a SoftHSM token,
 * a UKey agent at a terminal with a token of its own, and two persons at browsers who enrol, sign in and approve on the pages.
 */
export async function openOffice(rules: QuorumPolicy['rules']): Promise<Office> {
  const ends: (() => unknown)[] = [];
  const close = async (): Promise<void> => {
    for (const end of ends.splice(0).reverse()) await end();
  };
  try {
    return { ...(await openParts(rules, (end) => void ends.push(end))), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** `endWith` is told how to end each part, in the order in which they began. */
async function openParts(rules: QuorumPolicy['rules'], endWith: (end: () => unknown) => void): Promise<Omit<Office, 'close'>> {
  const folder = mkdtempSync(join(tmpdir(), 'hufu-office-'));
  endWith(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'name-key'), randomBytes(32));
  const database = await createTestDatabase();
  endWith(() => database.drop());
  await installChunkQueue(database.url);
  const journal = await startRunningJournal(database.url);
  endWith(() => journal.stop());
  const owner = await openDataSource({ url: database.url });
  endWith(() => owner.destroy());
  const ukeyAgentPort = await freePort();
  const config = ServiceConfig.parse({
    databaseUrl: database.url,
    hsmSocket: join(folder, 'run', 'service.sock'),
    commandSocket: join(folder, 'command.sock'),
    http: { host: '127.0.0.1', port: 0, ukeyAgentPort },
    pagesDir: 'apps/service/pages',
    evidenceDir: join(folder, 'evidence'),
    profilesDir: 'certs/profiles',
    calendarsDir: 'libs/organisations/calendars',
    access: { nameKeyFile: join(folder, 'name-key'), signIn: { authenticators: [{ aaguid: CHROMIUM_MODEL, name: 'Chromium' }] } },
  });
  const app = await NestFactory.create<HttpApp>(AppModule.forRoot(config), httpAdapter(config.http), { logger: false, abortOnError: false });
  endWith(() => app.close());
  acceptBinaryBodies(app);
  const closeListeners = await openListeners(app, config.http);
  endWith(() => closeListeners());
  const sites = { console: app.get(Origins).console(), approve: app.get(Origins).approve() };
  const ukey = await TestUkey.make('softhsm', 'p256');
  endWith(() => ukey.remove());
  const agent = await startAgent(ukey, ukeyAgentPort, [sites.console, sites.approve]);
  endWith(() => agent.stop());
  const browser = await startBrowser();
  endWith(() => browser.close());
  const officer = async (operatorId: string): Promise<Officer> => {
    const person = await BrowserPerson.sitDown(browser);
    return { operatorId, person, key: await person.insertSecurityKey() };
  };
  const [wang, li] = [await officer('keys-1'), await officer('keys-2')];
  const codeFor = async (wanted: CodeRequest): Promise<string> => ((await COMMANDS['access.enrolmentCode']?.run(app, wanted, () => undefined)) as { code: string }).code;
  const enrolled = async ({ operatorId, person }: Officer, purpose: 'signIn' | 'approve', method: 'webauthn' | 'ukey'): Promise<string> => {
    const { page } = person;
    await page.goto(`${purpose === 'approve' ? sites.approve : sites.console}/enrol`);
    await page.fill('#code', await codeFor({ operatorId, purpose, method }));
    await page.keyboard.press('Enter');
    await page.click('#create');
    if (method === 'ukey') await typePin(agent, ukey);
    await page.waitForSelector('#made:not([hidden])');
    await person.picture(`enrolled-${purpose}-${method}`);
    return (await page.innerText('#digest')).replaceAll(/\s/g, '');
  };
  const digests = {
    'keys-1': { signIn: await enrolled(wang, 'signIn', 'webauthn'), approve: await enrolled(wang, 'approve', 'webauthn') },
    'keys-2': { signIn: await enrolled(li, 'signIn', 'webauthn'), approve: await enrolled(li, 'approve', 'ukey') },
  };

  const [credential] = (await wang.key.credentials()).filter(({ rpId }) => rpId === new URL(sites.approve).hostname);
  if (credential === undefined) throw new Error('no approval credential in the security key');
  const plain = POSTS.filter(({ operatorId }) => operatorId !== 'system-1' && !(operatorId in digests)).map(({ operatorId, roles }) => testApprover(operatorId, { roles: [...roles] }));
  const byKey = testApprover('keys-1', { roles: ['keyAdministrator'], method: 'webauthn', publicKey: toHex(credential.publicKey), webauthn: { rpId: new URL(sites.approve).hostname, origins: [sites.approve], credentialId: credential.credentialId, aaguid: CHROMIUM_MODEL.replaceAll('-', '') } });
  const byUkey = testApprover('keys-2', { roles: ['keyAdministrator'], method: 'ukey', publicKey: toHex(ukey.publicKey) });
  const policy = signPolicy(testPolicy([...plain, byKey, byUkey], rules, { amend: { count: plain.length, roles: {} } }), plain);
  const keyOf = new Map([...plain, byKey, byUkey].map(({ entry }) => [entry.id, entry]));
  const first = founding(POSTS);
  await app.get(Initialisation).found({
    policy,
    operators: first.operators.map((operator) => {
      const [entry, enrolment] = [keyOf.get(operator.operatorId), digests[operator.operatorId as keyof typeof digests]];
      return {
        ...operator,
        ...(entry === undefined ? {} : { credential: { method: entry.method ?? ('plain' as const), keyDigest: hash('sha256', Buffer.from(entry.publicKey, 'hex'), 'hex').toUpperCase(), validUntil: FAR } }),
        ...(enrolment === undefined ? {} : { signIn: { method: 'webauthn' as const, keyDigest: enrolment.signIn, validUntil: FAR } }),
      };
    }),
  });
  const supervisor = await startTestHsm({ dir: folder, policy, devices: (dir) => testDevices(dir).slice(0, 1) });
  endWith(() => supervisor.stop({ keep: true }));

  return {
    ...{ app, browser, ...sites, wang, li, agent, ukey },
    entries: async (kind) => {
      const rows: { body: Buffer }[] = await owner.query('SELECT body FROM journal_stage WHERE kind = $1 ORDER BY recorded_at', [kind]);
      return rows.map(({ body }) => (JSON.parse(body.toString('utf8')) as { data: Record<string, unknown> }).data);
    },
  };
}

/** As the holder does at the agent's own terminal; `word` where it shows something and asks. */
export async function typePin(agent: TerminalProcess, { token }: TestUkey, word?: string): Promise<string> {
  let shown = '';
  if (word !== undefined) {
    shown = await agent.until(/anything else = decline: $/);
    agent.type(`${word}\n`);
  }
  shown += await agent.until(/empty = decline）: $/);
  agent.type(`${token.pin}\n`);
  return shown;
}

async function startAgent({ token, profile }: TestUkey, port: number, origins: readonly string[]): Promise<TerminalProcess> {
  const configFile = join(token.dir, 'agent.json');
  writeFileSync(configFile, JSON.stringify({ port, origins, logFile: join(token.dir, 'agent.log'), driver: { kind: 'pkcs11', module: token.module, profile, tokenSerial: token.serial } }));
  const terminal = TerminalProcess.start([process.execPath, '--disable-sigusr1', resolve('dist/apps/ukey-agent/src/main.js')], { ...childEnvironment({ HUFU_CONFIG: configFile }), ...token.environment });
  await terminal.until(/agent ready/);
  return terminal;
}

async function freePort(): Promise<number> {
  return new Promise((settle) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => settle(port));
    });
  });
}
