import { hash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Test } from '@nestjs/testing';
import type { Browser } from 'playwright-core';
import type { DataSource } from 'typeorm';
import { type CodeRequest, type FirstOperator, type Founding, Initialisation, ROLES, type RoleName } from '#libs/access';
import { POLICY_RULES } from '#libs/hsm';
import { childEnvironment, fromHex, openDataSource, toHex } from '#libs/platform';
import { type Approval, type QuorumPolicy, type SignedPolicy, subjectDigest } from '#libs/signature';
import { installChunkQueue } from '#libs/verification';
import { AppModule } from '../../../apps/service/src/app.module.js';
import { COMMANDS } from '../../../apps/service/src/commands/index.js';
import { CommandServer } from '../../../apps/service/src/commands/command-server.js';
import { ServiceConfig } from '../../../apps/service/src/config.js';
import { type HttpApp, httpAdapter } from '../../../apps/service/src/http/adapter.js';
import { openListeners } from '../../../apps/service/src/http/listeners.js';
import { BrowserPerson, startBrowser } from '../../builders/browser.js';
import { evidence, identityNumber } from '../../builders/founding.js';
import { simulatedPair } from '../../builders/hsm-sim.js';
import { FAR } from '../../builders/quorum.js';
import { SignedInClient } from '../../builders/signed-in-client.js';
import { startRunningJournal, type RunningJournal } from '../../env/running-journal.js';
import { createTestDatabase, type TestDatabase } from '../../env/test-database.js';
import { startTestHsm, type TestHsm } from '../../env/test-hsm.js';
import { TerminalProcess } from '../../env/terminal-process.js';
import { TestUkey } from '../../env/test-ukey.js';
import { SoftUkey } from './sign-in.js';

/** Where the page looks for the agent (apps/service/src/http/pages.controller.ts). */
const AGENT_PORT = 17_317;
/** Of Chromium's virtual authenticators. */
const CHROMIUM = '01020304-0506-0708-0102-030405060708';
const PASSPHRASE = 'tiger-halves-meet-27';
const PROMPTS = { decision: /approve, reject or skip: $/, passphrase: /口令 \/ passphrase: $/, fresh: /characters: $/, again: /again: $/, yes: /anything else = decline: $/, pin: /empty = decline）: $/ };

/** `browser` by a security key, `ukey` by an SM2 token behind its agent, `terminal` by `hufu approve`; `asker` asks and approves nothing. */
export const PEOPLE = { browser: 'keys-1', ukey: 'keys-2', terminal: 'keys-3', asker: 'keys-4' } as const;
export type Way = Exclude<keyof typeof PEOPLE, 'asker'>;

const OTHERS: readonly (readonly [operatorId: string, role: RoleName])[] = [
  ['system-1', 'systemAdministrator'],
  ['security-1', 'securityAdministrator'],
  ['security-2', 'securityAdministrator'],
  ['audit-1', 'auditAdministrator'],
  ['audit-2', 'auditAdministrator'],
];

interface Material {
  readonly keyDigest: string;
  readonly publicKey: Uint8Array;
  readonly webauthn: QuorumPolicy['approvers'][number]['webauthn'];
}

/**
 * The whole of it: the service at its doors, a supervisor with two devices of hsm-sim, a journal that runs, three people who approve in three
 * ways, and the founding that brought them there. Nothing in it is a double.
 */
export class ThreeWays {
  private constructor(
    readonly folder: string,
    readonly database: TestDatabase,
    readonly owner: DataSource,
    readonly journal: RunningJournal,
    readonly app: HttpApp,
    readonly port: number,
    readonly browser: Browser,
    readonly agent: TerminalProcess,
    readonly ukey: TestUkey,
    private readonly closeListeners: () => Promise<void>,
  ) {}

  hsm!: TestHsm;
  policy!: SignedPolicy;
  readonly persons = new Map<Way, BrowserPerson>();
  asker!: SignedInClient;

  static async open(): Promise<ThreeWays> {
    const folder = mkdtempSync(join(tmpdir(), 'hufu-three-ways-'));
    writeFileSync(join(folder, 'name-key'), randomBytes(32));
    const database = await createTestDatabase();
    await installChunkQueue(database.url);
    const journal = await startRunningJournal(database.url);
    const owner = await openDataSource({ url: database.url });
    const config = ServiceConfig.parse({
      databaseUrl: database.url,
      hsmSocket: join(folder, 'hsm', 'run', 'service.sock'),
      commandSocket: join(folder, 'command.sock'),
      http: { host: '127.0.0.1', port: 0 },
      pagesDir: 'apps/service/pages',
      evidenceDir: join(folder, 'evidence'),
      profilesDir: 'certs/profiles',
      calendarsDir: 'libs/organisations/calendars',
      access: { nameKeyFile: join(folder, 'name-key'), signIn: { authenticators: [{ aaguid: CHROMIUM, name: 'Chromium' }] } },
    });
    const module = await Test.createTestingModule({ imports: [AppModule.forRoot(config)] }).compile();
    const app = module.createNestApplication<HttpApp>(httpAdapter(config.http), { logger: false });
    const closeListeners = await openListeners(app, config.http);
    const port = Number(new URL(await app.getUrl()).port);
    await app.get(CommandServer).listen(config.commandSocket);
    app.get(CommandServer).open();
    const ukey = await TestUkey.make('hsm-sim', 'sm2');
    const agentConfig = join(ukey.token.dir, 'agent.json');
    writeFileSync(agentConfig, JSON.stringify({ port: AGENT_PORT, origins: [originOf(port, 'approve')], answerSeconds: 60, logFile: join(ukey.token.dir, 'agent.log'), driver: { kind: 'pkcs11', module: ukey.token.module, profile: ukey.profile, tokenSerial: ukey.token.serial } }));
    const agent = TerminalProcess.start([process.execPath, '--disable-sigusr1', resolve('dist/apps/ukey-agent/src/main.js')], { ...childEnvironment({ HUFU_CONFIG: agentConfig }), ...ukey.token.environment });
    await agent.until(/agent ready/);
    const rig = new ThreeWays(folder, database, owner, journal, app, port, await startBrowser(), agent, ukey, closeListeners);
    await rig.found();
    return rig;
  }

  async close(): Promise<void> {
    await this.browser.close();
    await this.agent.stop();
    this.ukey.remove();
    await this.closeListeners();
    await this.app.get(CommandServer).close();
    await this.app.close();
    await this.hsm.stop();
    await this.journal.stop();
    await this.owner.destroy();
    await this.database.drop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  origin(site: 'console' | 'approve'): string {
    return originOf(this.port, site);
  }

  /** One act waits: the person of this way approves it. */
  approve(way: Way): Promise<void> {
    return { browser: () => this.byBrowser(), ukey: () => this.byUkey(), terminal: () => this.byTerminal() }[way]();
  }

  private async byBrowser(): Promise<void> {
    const page = await this.opened('browser');
    await page.click('#approve-webauthn');
    await page.waitForSelector('#status:not([hidden])');
    await this.persons.get('browser')?.picture('three-ways-approved');
  }

  private async byUkey(): Promise<void> {
    const page = await this.opened('ukey');
    await page.click('#approve-ukey');
    await this.answerAgent('y');
    await page.waitForSelector('#status:not([hidden])');
  }

  private async byTerminal(): Promise<void> {
    const terminal = this.hufuApprove('--as', PEOPLE.terminal, '--key', this.at('terminal.pem'), '--submit-to', this.at('command.sock'));
    await this.sign(terminal);
  }

  /** The only act that waits, opened on the page by the person of this way. */
  private async opened(way: 'browser' | 'ukey'): Promise<BrowserPerson['page']> {
    const person = this.persons.get(way);
    if (person === undefined) throw new Error(way);
    await person.page.goto(`${this.origin('approve')}/approve`);
    await person.page.click('#rows button');
    await person.page.waitForSelector('#opened:not([hidden])');
    await person.picture(`three-ways-${way}`);
    return person.page;
  }

  private async answerAgent(word: 'y' | undefined): Promise<void> {
    if (word !== undefined) {
      await this.agent.until(PROMPTS.yes);
      this.agent.type(`${word}\n`);
    }
    await this.agent.until(PROMPTS.pin);
    this.agent.type(`${this.ukey.token.pin}\n`);
  }

  private hufuApprove(...args: string[]): TerminalProcess {
    return TerminalProcess.start([process.execPath, '--disable-sigusr1', resolve('dist/apps/cli/src/main.js'), 'approve', ...args], childEnvironment({ HUFU_HOME: this.folder }));
  }

  private async sign(terminal: TerminalProcess): Promise<void> {
    await terminal.until(PROMPTS.decision);
    terminal.type('approve\n');
    await terminal.until(PROMPTS.passphrase);
    terminal.type(`${PASSPHRASE}\n`);
    if ((await terminal.ended) !== 0) throw new Error(terminal.shown);
  }

  private at(name: string): string {
    return join(this.folder, name);
  }

  private async code(wanted: CodeRequest): Promise<string> {
    return ((await COMMANDS['access.enrolmentCode']?.run(this.app, wanted, () => undefined)) as { code: string }).code;
  }

  /** Makes a credential on the page of its site; returns the digest that the person reads out. */
  private async enrol({ page }: BrowserPerson, site: 'console' | 'approve', wanted: CodeRequest): Promise<string> {
    await page.goto(`${this.origin(site)}/enrol`);
    await page.fill('#code', await this.code(wanted));
    await page.click('#begin');
    await page.click('#create');
    if (wanted.method === 'ukey') {
      // The simulated token has a pair of its own beside the person's.
      await page.click('#choices button:has-text("approver")');
      await this.answerAgent(undefined);
    }
    await page.waitForSelector('#made:not([hidden])');
    return (await page.textContent('#digest'))?.replace(/\s/g, '') ?? '';
  }

  private async material(keyDigest: string): Promise<Material> {
    const [row] = (await this.owner.query('SELECT public_key, rp_id, origins, webauthn_id, aaguid FROM credential_material WHERE key_digest = $1', [keyDigest])) as { public_key: Buffer; rp_id: string | null; origins: string[]; webauthn_id: Buffer; aaguid: string }[];
    if (row === undefined) throw new Error(`${keyDigest} was not enrolled`);
    return { keyDigest, publicKey: row.public_key, webauthn: row.rp_id === null ? undefined : { rpId: row.rp_id, origins: row.origins, credentialId: toHex(row.webauthn_id), aaguid: row.aaguid } };
  }

  /** Codes, keys, the policy signed by its first approvers, the first operators, the devices: in the order of a real beginning. */
  private async found(): Promise<void> {
    const signIn: Record<string, string> = {};
    for (const way of ['browser', 'ukey'] as const) {
      const person = await BrowserPerson.sitDown(this.browser);
      await person.insertSecurityKey();
      this.persons.set(way, person);
      signIn[PEOPLE[way]] = await this.enrol(person, 'console', { operatorId: PEOPLE[way], purpose: 'signIn', method: 'webauthn' });
    }
    const byBrowser = await this.material(await this.enrol(this.person('browser'), 'approve', { operatorId: PEOPLE.browser, purpose: 'approve', method: 'webauthn' }));
    const byUkey = await this.material(await this.enrol(this.person('ukey'), 'approve', { operatorId: PEOPLE.ukey, purpose: 'approve', method: 'ukey' }));
    const byTerminal = await this.terminalKey();
    const asking = new SoftUkey('p256Sha256');
    await this.enrolAsker(asking);

    const need = { count: 2, roles: { keyAdministrator: 1 } };
    const approver = (id: string, { publicKey, webauthn }: Material, more: object): QuorumPolicy['approvers'][number] => ({
      id, person: `${id}-person`, roles: ['keyAdministrator'], algorithm: 'p256Sha256', publicKey: toHex(publicKey), notAfter: FAR, ...(webauthn === undefined ? {} : { webauthn }), ...more,
    });
    const policy: QuorumPolicy = {
      format: 'hufu/hsm-policy/1',
      version: 1,
      previous: null,
      approvers: [approver(PEOPLE.browser, byBrowser, { method: 'webauthn' }), approver(PEOPLE.ukey, byUkey, { method: 'ukey', algorithm: 'sm2Sm3' }), approver(PEOPLE.terminal, byTerminal, { method: 'plain' })],
      rules: Object.fromEntries(POLICY_RULES.map((rule) => [rule, need])),
      amend: need,
    };
    this.policy = { policy, approvals: [await this.policyByUkey(policy), await this.policyByTerminal(policy)] };

    const operator = (operatorId: string, role: RoleName, credential: Omit<FirstOperator['credential'], 'validUntil'>, signInKey: Omit<FirstOperator['signIn'], 'validUntil'>): FirstOperator => ({
      operatorId,
      identityNumber: identityNumber(operatorId),
      name: `甄${operatorId}`,
      department: '密钥管理科',
      region: '110101',
      qualifications: ROLES[role].needs.map((kind) => ({ kind, validFrom: '2026-01-01T00:00:00.000Z', validUntil: FAR, evidenceDigest: evidence(`${operatorId} ${kind}`) })),
      roles: [{ role, regions: ['11'] }],
      credential: { ...credential, validUntil: FAR },
      signIn: { ...signInKey, validUntil: FAR },
    });
    const elsewhere = (operatorId: string, what: string): { method: 'ukey'; keyDigest: string } => ({ method: 'ukey', keyDigest: evidence(`${what} of ${operatorId}`) });
    const founding: Founding = {
      operators: [
        ...OTHERS.map(([operatorId, role]) => operator(operatorId, role, elsewhere(operatorId, 'approving'), elsewhere(operatorId, 'sign-in'))),
        operator(PEOPLE.browser, 'keyAdministrator', { method: 'webauthn', keyDigest: byBrowser.keyDigest }, { method: 'webauthn', keyDigest: signIn[PEOPLE.browser] ?? '' }),
        operator(PEOPLE.ukey, 'keyAdministrator', { method: 'ukey', keyDigest: byUkey.keyDigest }, { method: 'webauthn', keyDigest: signIn[PEOPLE.ukey] ?? '' }),
        operator(PEOPLE.terminal, 'keyAdministrator', { method: 'plain', keyDigest: byTerminal.keyDigest }, elsewhere(PEOPLE.terminal, 'sign-in')),
        operator(PEOPLE.asker, 'keyAdministrator', elsewhere(PEOPLE.asker, 'approving'), { method: 'ukey', keyDigest: asking.keyDigest }),
      ],
      policy: this.policy,
    };
    await this.app.get(Initialisation).found(founding);
    mkdirSync(this.at('hsm'), { mode: 0o700 });
    this.hsm = await startTestHsm({ dir: this.at('hsm'), devices: simulatedPair, policy: this.policy });
    for (const way of ['browser', 'ukey'] as const) await this.signIn(way);
    await this.signInAsker(asking);
  }

  private person(way: Way): BrowserPerson {
    return this.persons.get(way) as BrowserPerson;
  }

  private async signIn(way: 'browser' | 'ukey'): Promise<void> {
    const { page } = this.person(way);
    await page.goto(`${this.origin('approve')}/sign-in`);
    await page.fill('#account', PEOPLE[way]);
    await page.click('#by-webauthn');
    await page.waitForSelector('#signed-in:not([hidden])');
  }

  private async enrolAsker(ukey: SoftUkey): Promise<void> {
    const page = this.client();
    const code = await this.code({ operatorId: PEOPLE.asker, purpose: 'signIn', method: 'ukey' });
    const { challenge } = (await page.send('POST', '/enrolments/options', { code }, null)).body as { challenge: string };
    const { status, body } = await page.send('POST', '/enrolments', { code, key: { publicKey: toHex(ukey.spki), algorithm: ukey.algorithm, signature: ukey.sign('enrolment', challenge) } }, null);
    if (status !== 201) throw new Error(JSON.stringify(body));
  }

  private async signInAsker(ukey: SoftUkey): Promise<void> {
    this.asker = this.client();
    const { challengeId, challenge } = await this.asker.challenge(PEOPLE.asker, 'ukey');
    const origin = this.origin('console');
    const { status, body } = await this.asker.openSession({ challengeId, ukey: { keyDigest: ukey.keyDigest, origin, signature: ukey.sign(origin, challenge) } });
    if (status !== 201) throw new Error(JSON.stringify(body));
  }

  private client(): SignedInClient {
    return new SignedInClient(this.app, { origin: this.origin('console'), rpId: 'hufu.localhost', source: '127.0.0.1', now: () => new Date() });
  }

  private async terminalKey(): Promise<Material> {
    const keygen = this.hufuApprove('keygen', '--as', PEOPLE.terminal, '--out', this.at('terminal.pem'));
    await keygen.until(PROMPTS.fresh);
    keygen.type(`${PASSPHRASE}\n`);
    await keygen.until(PROMPTS.again);
    keygen.type(`${PASSPHRASE}\n`);
    if ((await keygen.ended) !== 0) throw new Error(keygen.shown);
    const publicKey = fromHex(/public key {2}([0-9A-F]+)/.exec(keygen.shown)?.[1] ?? '');
    return { publicKey, keyDigest: hash('sha256', publicKey, 'hex').toUpperCase(), webauthn: undefined };
  }

  /** As a page of the approvals' site would ask the agent. */
  private async policyByUkey(policy: QuorumPolicy): Promise<Approval> {
    const terms = { method: 'ukey', approver: PEOPLE.ukey, nonce: toHex(randomBytes(16)), policyVersion: 1, notAfter: new Date(Date.now() + 600_000).toISOString(), decision: 'approve' };
    const asked = fetch(`http://127.0.0.1:${AGENT_PORT}/signatures`, {
      method: 'POST',
      headers: { origin: this.origin('approve'), 'content-type': 'application/json' },
      body: JSON.stringify({ kind: 'approve', subject: policy, terms, keyDigest: this.ukey.keyDigest }),
    });
    await this.answerAgent('y');
    return ((await (await asked).json()) as { approval: Approval }).approval;
  }

  private async policyByTerminal(policy: QuorumPolicy): Promise<Approval> {
    writeFileSync(this.at('policy.json'), JSON.stringify({ format: 'hufu/approval-request/1', subject: policy }));
    await this.sign(this.hufuApprove('--as', PEOPLE.terminal, '--key', this.at('terminal.pem'), '--in', this.at('policy.json'), '--out', this.at('policy-approval.json')));
    return (JSON.parse(readFileSync(this.at('policy-approval.json'), 'utf8')) as { approval: Approval }).approval;
  }

  get policyDigest(): string {
    return subjectDigest(this.policy.policy);
  }
}

function originOf(port: number, site: 'console' | 'approve'): string {
  return `http://${site === 'approve' ? 'approve.' : ''}hufu.localhost:${port}`;
}
