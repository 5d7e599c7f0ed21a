import { spawnSync } from 'node:child_process';
import { createPublicKey, randomBytes, verify } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { childEnvironment, fromHex, toHex } from '#libs/platform/host';
import { type Approval, type HsmRequest, requireQuorum, signInBytes, subjectDigest, type Ticket, verifySm2 } from '#libs/signature';
import { hsmRequest, hsmTicket, later, newId } from '../builders/authorisations.js';
import { testApprover, testPolicy } from '../builders/quorum.js';
import { SecretSearch } from '../env/secret-search.js';
import { TerminalProcess } from '../env/terminal-process.js';
import { TestUkey } from '../env/test-ukey.js';

const ORIGIN = 'https://approve.hufu.example';
const FOREIGN = 'https://evil.example';

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Readonly<Record<string, unknown>>;
}

/** The agent of dist/ at a terminal, with a token of its own. */
class AgentRig {
  private constructor(
    readonly ukey: TestUkey,
    readonly port: number,
    readonly terminal: TerminalProcess,
    readonly logFile: string,
  ) {}

  /** By the launcher, as an operator does, or `direct`: the agent's process itself. */
  static async start(ukey: TestUkey, { answerSeconds = 30, direct = false }: { answerSeconds?: number; direct?: boolean } = {}): Promise<AgentRig> {
    const port = await freePort();
    const [config, logFile] = [join(ukey.token.dir, `agent-${port}.json`), join(ukey.token.dir, `agent-${port}.log`)];
    writeFileSync(config, JSON.stringify({ port, origins: [ORIGIN], answerSeconds, logFile, driver: { kind: 'pkcs11', module: ukey.token.module, profile: ukey.profile, tokenSerial: ukey.token.serial, environment: ukey.token.environment } }));
    const program = direct ? ['dist/apps/ukey-agent/src/main.js'] : ['dist/apps/cli/src/main.js', 'ukey-agent', '--config', config];
    const environment = direct ? { ...childEnvironment({ HUFU_CONFIG: config }), ...ukey.token.environment } : childEnvironment({ HUFU_HOME: ukey.token.dir });
    const terminal = TerminalProcess.start([process.execPath, '--disable-sigusr1', resolve(program[0] as string), ...program.slice(1)], environment);
    await terminal.until(/agent ready/);
    return new AgentRig(ukey, port, terminal, logFile);
  }

  /** As a page of ORIGIN asks, unless `headers` say otherwise; an empty one is left out. */
  async ask(method: string, path: string, body?: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const all = { host: `127.0.0.1:${this.port}`, origin: ORIGIN, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers };
    const kept = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ''));
    const answer = new Promise<Answer>((settle, reject) => {
      const request = httpRequest({ host: '127.0.0.1', port: this.port, method, path, headers: kept, setHost: false }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
        response.on('end', () => settle({ status: response.statusCode ?? 0, headers: response.headers, body: text === '' ? {} : (JSON.parse(text) as Answer['body']) }));
      });
      request.on('error', reject);
      request.end(body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body));
    });
    // A test that has failed at the terminal awaits it no more.
    answer.catch(() => undefined);
    return answer;
  }

  /** Has the holder say y where asked, and type this PIN. */
  async answer(pin: string, word: string | undefined): Promise<string> {
    let shown = '';
    if (word !== undefined) {
      shown = await this.terminal.until(/anything else = decline: $/);
      this.terminal.type(`${word}\n`);
      if (word !== 'y') return shown;
    }
    shown += await this.terminal.until(/empty = decline）: $/);
    this.terminal.type(`${pin}\n`);
    return shown;
  }
}

async function freePort(): Promise<number> {
  return new Promise((settle) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => settle(port));
    });
  });
}

const approveOrder = (keyDigest: string, subject: HsmRequest | Ticket, terms: object = {}): object => ({
  kind: 'approve',
  keyDigest,
  subject,
  terms: { method: 'ukey', approver: 'wang', nonce: newId(), policyVersion: subject.policyVersion, notAfter: later(10), decision: 'approve', ...terms },
});

describe.each([
  ['softhsm', 'p256', 'p256Sha256'],
  ['hsm-sim', 'sm2', 'sm2Sm3'],
] as const)('the UKey agent with %s', (profile, algorithm, policyAlgorithm) => {
  let rig: AgentRig;
  beforeAll(async () => {
    rig = await AgentRig.start(await TestUkey.make(profile, algorithm));
  });
  afterAll(async () => {
    await rig.terminal.stop();
    rig.ukey.remove();
  });

  const policyOf = () => testPolicy([{ ...testApprover('wang'), entry: { ...testApprover('wang').entry, algorithm: policyAlgorithm, method: 'ukey', publicKey: toHex(rig.ukey.publicKey) } }], {});
  const counts = (subject: object, approval: unknown): void => requireQuorum(subject, [approval as Approval], { policy: policyOf(), need: { count: 1, roles: {} }, requester: 'service', now: new Date() });

  it('shows its keys to a listed page', async () => {
    const { status, headers, body } = await rig.ask('GET', '/keys');
    expect([status, headers['access-control-allow-origin'], headers['vary']]).toEqual([200, ORIGIN, 'Origin']);
    expect(body).toContainEqual({ keyDigest: rig.ukey.keyDigest, algorithm: policyAlgorithm, publicKey: toHex(rig.ukey.publicKey), label: expect.stringContaining('approver'), tokenSerial: rig.ukey.token.serial });
  });

  it('signs in: the signature is over the origin that asked and the challenge', async () => {
    const challenge = randomBytes(32);
    const asked = rig.ask('POST', '/signatures', { kind: 'signIn', challenge: challenge.toString('base64url'), keyDigest: rig.ukey.keyDigest });
    expect(await rig.answer(rig.ukey.token.pin, undefined)).toContain(ORIGIN);
    const { status, body } = await asked;
    expect([status, body['origin'], body['keyDigest']]).toEqual([200, ORIGIN, rig.ukey.keyDigest]);
    const spki = Buffer.from(rig.ukey.publicKey);
    const signature = fromHex(String(body['signature']));
    const good = (bytes: Uint8Array): boolean => (algorithm === 'sm2' ? verifySm2(spki, bytes, signature) : verify('sha256', bytes, createPublicKey({ key: spki, format: 'der', type: 'spki' }), signature));
    expect([good(signInBytes(ORIGIN, challenge)), good(signInBytes(FOREIGN, challenge)), good(challenge)]).toEqual([true, false, false]);
  });

  it('approves what it has shown on its own terminal, and the quorum counts it', async () => {
    const request = hsmRequest({ parameters: { label: 'root/shown-line' } });
    const asked = rig.ask('POST', '/signatures', approveOrder(rig.ukey.keyDigest, request, { ownerDocument: { number: '人社〔2026〕7号', digest: 'A'.repeat(64) } }));
    const shown = await rig.answer(rig.ukey.token.pin, 'y');
    for (const text of [request.requestId, 'root/shown-line', 'wang', ORIGIN, '人社〔2026〕7号', ...(subjectDigest(request).match(/.{16}/g) ?? [])]) expect(shown).toContain(text);
    const { status, body } = await asked;
    expect([status, (body['approval'] as Approval).method]).toEqual([200, 'ukey']);
    counts(request, body['approval']);
  });

  it('signs what it shows: a subject that the page altered does not count for the one that the page displays', async () => {
    const [displayed, sent] = [hsmTicket({ count: 100 }), hsmTicket({ count: 100_000 })];
    const asked = rig.ask('POST', '/signatures', approveOrder(rig.ukey.keyDigest, { ...displayed, count: sent.count }));
    expect(await rig.answer(rig.ukey.token.pin, 'y')).toContain('100000');
    const { body } = await asked;
    expect(() => counts(displayed, body['approval'])).toThrow(expect.objectContaining({ code: 'APPROVAL_INVALID' }));
    counts({ ...displayed, count: sent.count }, body['approval']);
  });
});

describe('the UKey agent refuses', () => {
  let rig: AgentRig;
  let order: object;
  let signIn: object;
  beforeAll(async () => {
    rig = await AgentRig.start(await TestUkey.make('softhsm', 'p256'));
    order = approveOrder(rig.ukey.keyDigest, hsmRequest({}));
    signIn = { kind: 'signIn', challenge: randomBytes(32).toString('base64url'), keyDigest: rig.ukey.keyDigest };
  });
  afterAll(async () => {
    await rig.terminal.stop();
    rig.ukey.remove();
  });
  // Nothing that is refused was ever shown to the holder.
  let before = '';
  const refused = async (status: number, code: string, answer: Promise<Answer>): Promise<Answer> => {
    before = rig.terminal.shown;
    const got = await answer;
    expect([got.status, got.body['code']]).toEqual([status, code]);
    return got;
  };
  afterEach(() => {
    if (before !== '') expect(rig.terminal.shown.slice(before.length)).not.toMatch(/PIN/);
    before = '';
  });

  it('a page of a foreign origin, which learns nothing', async () => {
    for (const origin of [FOREIGN, `${ORIGIN}.evil.example`, ORIGIN.toUpperCase(), `${ORIGIN}:8443`, 'null']) {
      for (const [method, path, body] of [['GET', '/keys', undefined], ['POST', '/signatures', signIn], ['OPTIONS', '/signatures', undefined]] as const) {
        const { headers } = await refused(403, 'UKEY_ORIGIN_REFUSED', rig.ask(method, path, body, { origin }));
        expect(headers['access-control-allow-origin']).toBeUndefined();
      }
    }
  });

  it('who sends no origin', async () => {
    await refused(403, 'UKEY_ORIGIN_REFUSED', rig.ask('GET', '/keys', undefined, { origin: '' }));
    await refused(403, 'UKEY_ORIGIN_REFUSED', rig.ask('POST', '/signatures', order, { origin: '' }));
  });

  it('a foreign host name that leads here (DNS rebinding)', async () => {
    for (const host of [`evil.example:${rig.port}`, 'evil.example', '127.0.0.1', `127.0.0.1.evil.example:${rig.port}`, `[::1]:${rig.port}`]) {
      await refused(421, 'UKEY_HOST_REFUSED', rig.ask('POST', '/signatures', signIn, { host }));
    }
    expect((await rig.ask('GET', '/keys', undefined, { host: `localhost:${rig.port}` })).status).toBe(200);
  });

  it('what a form could send without asking first, and what is too large', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonp', '']) {
      await refused(400, 'REQUEST_INVALID', rig.ask('POST', '/signatures', JSON.stringify(signIn), { 'content-type': type }));
    }
    await refused(400, 'REQUEST_INVALID', rig.ask('POST', '/signatures', JSON.stringify({ ...signIn, more: 'x'.repeat(65_536) })));
  });

  it('malformed orders, foreign kinds, bytes to sign, another method and another subject', async () => {
    const terms = (changes: object): object => approveOrder(rig.ukey.keyDigest, hsmRequest({}), changes);
    const bad: readonly (readonly [string, unknown])[] = [
      ['REQUEST_INVALID', 'no JSON'],
      ['REQUEST_INVALID', { ...signIn, kind: 'sign', bytes: '00' }],
      ['REQUEST_INVALID', { ...signIn, challenge: 'short' }],
      ['REQUEST_INVALID', { ...signIn, origin: ORIGIN }],
      ['REQUEST_INVALID', { ...signIn, keyDigest: 'x' }],
      ['REQUEST_INVALID', terms({ method: 'plain' })],
      ['REQUEST_INVALID', terms({ decision: 'reject' })],
      ['REQUEST_INVALID', terms({ approver: 'a\nb' })],
      ['APPROVAL_INVALID', terms({ policyVersion: 2 })],
      ['APPROVAL_EXPIRED', terms({ notAfter: later(-1) })],
      ['APPROVAL_EXPIRED', approveOrder(rig.ukey.keyDigest, hsmRequest({ notAfter: later(-1) }))],
      ['SUBJECT_MALFORMED', approveOrder(rig.ukey.keyDigest, { ...hsmRequest({}), more: 1 } as HsmRequest)],
      ['SUBJECT_MALFORMED', approveOrder(rig.ukey.keyDigest, { format: 'hufu/sign-in/v1' } as unknown as HsmRequest, { policyVersion: 1 })],
      ['UKEY_KEY_UNKNOWN', { ...signIn, keyDigest: '0'.repeat(64) }],
    ];
    for (const [code, body] of bad) {
      const { body: answer } = await rig.ask('POST', '/signatures', body);
      expect([JSON.stringify(body).slice(0, 60), answer['code']]).toEqual([JSON.stringify(body).slice(0, 60), code]);
    }
    expect(rig.terminal.shown).not.toMatch(/PIN（/);
  });

  it('a second question while one waits, and takes the first back when its page has gone', async () => {
    const first = rig.ask('POST', '/signatures', signIn);
    await rig.terminal.until(/empty = decline）: $/);
    expect((await rig.ask('POST', '/signatures', signIn)).body['code']).toBe('UKEY_BUSY');
    rig.terminal.type('\n');
    expect((await first).body['code']).toBe('UKEY_DECLINED');
    const gone = new AbortController();
    const left = fetch(`http://127.0.0.1:${rig.port}/signatures`, { method: 'POST', headers: { origin: ORIGIN, 'content-type': 'application/json' }, body: JSON.stringify(signIn), signal: gone.signal });
    await rig.terminal.until(/empty = decline）: $/);
    gone.abort();
    await expect(left).rejects.toThrow();
    await rig.terminal.until(/not signed/);
  });

  it('to sign when the holder does not say y, even with the right PIN typed behind it', async () => {
    const asked = rig.ask('POST', '/signatures', order);
    await rig.answer('', `n`);
    rig.terminal.type(`${rig.ukey.token.pin}\n`);
    expect(await asked).toMatchObject({ status: 403, body: { code: 'UKEY_DECLINED' } });
    expect(rig.terminal.shown).not.toContain(rig.ukey.token.pin);
  });

  it('to sign with a wrong PIN, and names it', async () => {
    const asked = rig.ask('POST', '/signatures', signIn);
    await rig.answer('00000000', undefined);
    expect(await asked).toMatchObject({ status: 403, body: { code: 'UKEY_PIN_REFUSED', details: { ckr: 'CKR_PIN_INCORRECT' } } });
  });

  it('answers that were typed before the question stood there', async () => {
    rig.terminal.type(`y\n${rig.ukey.token.pin}\n`);
    await new Promise((settle) => setTimeout(settle, 300));
    const asked = rig.ask('POST', '/signatures', order);
    await rig.answer('', 'n');
    expect((await asked).body['code']).toBe('UKEY_DECLINED');
  });

  it('lets a page of a public address ask first (Private Network Access)', async () => {
    const { status, headers } = await rig.ask('OPTIONS', '/signatures', undefined, { 'access-control-request-method': 'POST', 'access-control-request-private-network': 'true' });
    expect([status, headers['access-control-allow-private-network'], headers['access-control-allow-origin'], headers['access-control-allow-headers']]).toEqual([204, 'true', ORIGIN, 'content-type']);
  });
});

describe('the UKey agent', () => {
  it('waits no longer than it was told', async () => {
    const rig = await AgentRig.start(await TestUkey.make('softhsm', 'p256'), { answerSeconds: 2 });
    const answer = await rig.ask('POST', '/signatures', { kind: 'enrol', challenge: randomBytes(32).toString('base64url'), keyDigest: rig.ukey.keyDigest });
    expect([answer.status, answer.body['code']]).toEqual([403, 'TERMINAL_UNANSWERED']);
    await rig.terminal.stop();
    rig.ukey.remove();
  });

  it('does not start without a terminal, on another address or for a page in clear', async () => {
    const ukey = await TestUkey.make('softhsm', 'p256');
    const config = { port: await freePort(), origins: [ORIGIN], driver: { kind: 'pkcs11', module: ukey.token.module, profile: 'softhsm' } };
    const file = join(ukey.token.dir, 'bad.json');
    for (const [changes, said] of [[{ address: '0.0.0.0' }, /CONFIG_INVALID.*address/s], [{ origins: ['http://hufu.example'] }, /CONFIG_INVALID.*origin/s], [{ origins: [] }, /CONFIG_INVALID/]] as const) {
      writeFileSync(file, JSON.stringify({ ...config, ...changes }));
      const terminal = TerminalProcess.start([process.execPath, resolve('dist/apps/ukey-agent/src/main.js')], childEnvironment({ HUFU_CONFIG: file }));
      expect(await terminal.ended).toBe(1);
      expect(terminal.shown).toMatch(said);
    }
    writeFileSync(file, JSON.stringify(config));
    const piped = spawnSync(process.execPath, [resolve('dist/apps/ukey-agent/src/main.js')], { input: `y\n${ukey.token.pin}\n`, env: childEnvironment({ HUFU_CONFIG: file }), encoding: 'utf8' });
    expect([piped.status, piped.stderr]).toEqual([1, expect.stringContaining('TERMINAL_NEEDED')]);
    ukey.remove();
  });

  it('keeps the PIN out of its memory, log, environment, arguments and terminal once it has answered', async () => {
    const rig = await AgentRig.start(await TestUkey.make('softhsm', 'p256'), { direct: true });
    const { pin } = rig.ukey.token;
    const pid = rig.terminal.pid;
    const search = new SecretSearch([['pin', Buffer.from(pin)]]);
    for (let n = 0; n < 3; n++) {
      const asked = rig.ask('POST', '/signatures', n === 1 ? { kind: 'signIn', challenge: randomBytes(32).toString('base64url'), keyDigest: rig.ukey.keyDigest } : approveOrder(rig.ukey.keyDigest, hsmRequest({})));
      await rig.answer(pin, n === 1 ? undefined : 'y');
      expect((await asked).status).toBe(200);
    }
    expect(search.inProcess(pid, new Set())).toEqual([]);
    // What is looked for could be found: what the page said is there.
    expect(new SecretSearch([['origin', Buffer.from(ORIGIN)]]).inProcess(pid, new Set())).not.toEqual([]);
    for (const file of [rig.logFile, `/proc/${pid}/environ`, `/proc/${pid}/cmdline`]) expect(search.inFile(file)).toEqual([]);
    expect(readFileSync(rig.logFile, 'utf8')).toContain('"event":"answered"');
    expect(rig.terminal.shown).not.toContain(pin);
    await rig.terminal.stop();
    rig.ukey.remove();
  });
});
