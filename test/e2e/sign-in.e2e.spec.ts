import { generateKeyPairSync, hash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type ChangeContent, Changes, Operators } from '#libs/access';
import { ERROR_TEXTS, type ErrorCode } from '#libs/platform';
import { Pki } from '#libs/pki';
import { AUTHENTICATOR_FLAGS, type Misbehaviour, SoftAuthenticator } from '../builders/authenticator.js';
import { makeRequest } from '../builders/certificate-request.js';
import { identityNumber } from '../builders/founding.js';
import { foundScheme } from '../builders/pki-scheme.js';
import { type Answer, type SignedInClient, proofKeyPair } from '../builders/signed-in-client.js';
import { APPROVE, CERTIFICATE, CONSOLE, type FoundedRig, foundSignInRig, MINUTE, openSignInRig, type SignInRig, SoftUkey } from './rigs/sign-in.js';

const HOUR = 60 * MINUTE;
const codeOf = ({ body }: Answer): unknown => body['code'];

/** Refused with this code, in both languages, with a next step, and with no cookie. */
function expectRefused(answer: Answer, code: ErrorCode): void {
  expect(answer.body).toMatchObject({ code, next: expect.objectContaining({ zh: expect.any(String), en: expect.any(String) }), status: ERROR_TEXTS[code].status });
  expect(answer.status).toBe(ERROR_TEXTS[code].status);
  expect(answer.cookie).toBeUndefined();
}

let rig: FoundedRig;
let empty: SignInRig;
beforeAll(async () => {
  empty = await openSignInRig();
});
afterAll(() => empty.close());

const device = (operatorId: string): SoftAuthenticator => rig.devices[operatorId] as SoftAuthenticator;
async function signedIn(operatorId: string, authenticator = device(operatorId)): Promise<SignedInClient> {
  const browser = rig.client();
  const answer = await browser.signIn(operatorId, authenticator);
  expect([operatorId, answer.status, answer.body['code']]).toEqual([operatorId, 201, undefined]);
  return browser;
}
const session = (browser: SignedInClient, ...proof: [] | [Parameters<SignedInClient['send']>[3]]): Promise<Answer> => browser.send('GET', '/sign-in/session', undefined, ...proof);
const lastRefusal = async (operatorId: string): Promise<Record<string, unknown> | undefined> => (await rig.entries('signIn.refused', operatorId)).at(-1);
const count = async (table: string): Promise<number> => ((await rig.owner.query(`SELECT count(*)::int AS n FROM ${table}`)) as { n: number }[])[0]?.n ?? 0;

async function changed(personId: string, content: ChangeContent): Promise<void> {
  const changes = rig.apps[0].get(Changes);
  const changeId = await changes.propose('system-1', personId, content);
  for (const operatorId of ['security-1', 'audit-1']) await changes.confirm(operatorId, changeId);
}
const personOf = async (operatorId: string): Promise<string> => ((await rig.owner.query('SELECT person_id FROM operator WHERE operator_id = $1', [operatorId])) as { person_id: string }[])[0]?.person_id ?? '';
const signInCredential = async (operatorId: string): Promise<string> =>
  ((await rig.owner.query(`SELECT credential_id FROM operator_credential WHERE operator_id = $1 AND purpose = 'signIn' ORDER BY recorded_at DESC LIMIT 1`, [operatorId])) as { credential_id: string }[])[0]?.credential_id ?? '';

/** A code for an account, asked for by a system administrator who has just signed in. */
async function codeFor(operatorId: string, method: 'webauthn' | 'ukey' | 'certificate' = 'webauthn'): Promise<string> {
  const administrator = await signedIn('system-1');
  const { status, body } = await administrator.send('POST', `/access/persons/${await personOf(operatorId)}/enrolment-codes`, { operatorId, purpose: 'signIn', method });
  expect([status, body['code']]).toEqual([201, expect.stringMatching(/^[0-9A-Z]{4}-/)]);
  return String(body['code']);
}

/** A person who may do nothing, with an authenticator in force. */
async function hired(operatorId: string): Promise<SoftAuthenticator> {
  const personId = await rig.apps[0].get(Operators).registerPerson('system-1', { identityNumber: identityNumber(operatorId), name: `甄${operatorId}`, department: '科', region: '110105' });
  await changed(personId, { kind: 'operator.add', operatorId });
  const enrolled = await rig.enrolled(await codeFor(operatorId));
  await changed(personId, { kind: 'credential.set', act: 'add', operatorId, method: 'webauthn', purpose: 'signIn', keyDigest: enrolled.keyDigest, validUntil: '2030-01-01T00:00:00.000Z', replaces: null });
  rig.after(HOUR);
  return enrolled;
}

describe('before the initialisation', () => {
  it('there is no default account: whoever asks to sign in is refused', async () => {
    for (const name of ['admin', 'root', 'system', 'system-1', 'hufu']) {
      const browser = empty.client();
      expectRefused(await browser.signIn(name, new SoftAuthenticator()), 'SIGN_IN_REFUSED');
      expectRefused(await session(browser), 'NOT_SIGNED_IN');
    }
    expect(await empty.entries('signIn.refused', 'signIn')).toHaveLength(5);
    expect(await empty.entries('signIn.opened')).toEqual([]);
  });

  it('a code of the local door is used once, lives an hour, and is not guessed', async () => {
    const wanted = { operatorId: 'spare-1', purpose: 'approve', method: 'webauthn' } as const;
    const code = await empty.firstCode(wanted);
    await empty.enrolled(code);
    const page = empty.client();
    expectRefused(await page.send('POST', '/enrolments/options', { code }, null), 'ENROLMENT_CODE_INVALID');
    const late = await empty.firstCode(wanted);
    empty.after(HOUR);
    expectRefused(await page.send('POST', '/enrolments/options', { code: late }, null), 'ENROLMENT_CODE_INVALID');
    for (const guess of ['', 'x', late.replace(/.$/, late.endsWith('0') ? '4' : '0'), 'ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZW']) expectRefused(await page.send('POST', '/enrolments/options', { code: guess }, null), 'ENROLMENT_CODE_INVALID');
    const stored = JSON.stringify(await empty.owner.query('SELECT * FROM enrolment_code'));
    expect(stored).not.toContain(code);
    expect(JSON.stringify(await empty.entries('signIn.enrolmentCode'))).not.toContain(code);
  });

  it('a code that two use at once enrols one key', async () => {
    const code = await empty.firstCode({ operatorId: 'spare-2', purpose: 'signIn', method: 'webauthn' });
    const page = empty.client();
    const { challenge } = (await page.send('POST', '/enrolments/options', { code }, null)).body as { challenge: string };
    const sent = [0, 1].map(() => page.send('POST', '/enrolments', { code, webauthn: new SoftAuthenticator().create({ challenge, rpId: 'hufu.test', origin: CONSOLE }) }, null));
    expect((await Promise.all(sent)).map(({ status, body }) => body['code'] ?? status).sort()).toEqual([201, 'ENROLMENT_CODE_INVALID']);
    expect(await empty.entries('signIn.enrolled', 'spare-2')).toHaveLength(1);
  });

  it('a key is enrolled once, by whatever code', async () => {
    const own = await empty.enrolled(await empty.firstCode({ operatorId: 'spare-4', purpose: 'signIn', method: 'webauthn' }));
    const code = await empty.firstCode({ operatorId: 'spare-5', purpose: 'signIn', method: 'webauthn' });
    const page = empty.client();
    const { challenge } = (await page.send('POST', '/enrolments/options', { code }, null)).body as { challenge: string };
    expectRefused(await page.send('POST', '/enrolments', { code, webauthn: own.create({ challenge, rpId: 'hufu.test', origin: CONSOLE }) }, null), 'CREDENTIAL_TAKEN');
    expect(await empty.entries('signIn.enrolmentRefused', 'spare-5')).toMatchObject([{ reason: 'CREDENTIAL_TAKEN' }]);
    await empty.enrolled(code);
  });

  it('a key that whoever enrols it does not hold is refused', async () => {
    const code = await empty.firstCode({ operatorId: 'spare-6', purpose: 'signIn', method: 'ukey' });
    const page = empty.client();
    const challenge = String((await page.send('POST', '/enrolments/options', { code }, null)).body['challenge']);
    const [own, other] = [new SoftUkey('p256Sha256'), new SoftUkey('p256Sha256')];
    const enrol = (signature: string, algorithm = 'p256Sha256', publicKey = own.spki.toString('hex')): Promise<Answer> => page.send('POST', '/enrolments', { code, key: { publicKey, algorithm, signature } }, null);
    expectRefused(await enrol(other.sign(CONSOLE, challenge)), 'ENROLMENT_REFUSED');
    expectRefused(await enrol(own.sign('https://hufu.example', challenge)), 'ENROLMENT_REFUSED');
    expectRefused(await enrol(own.sign(CONSOLE, Buffer.alloc(32).toString('base64url'))), 'ENROLMENT_REFUSED');
    expectRefused(await enrol(own.sign(CONSOLE, challenge), 'sm2Sm3'), 'ENROLMENT_REFUSED');
    expectRefused(await enrol(own.sign(CONSOLE, challenge), 'p256Sha256', '00'), 'ENROLMENT_REFUSED');
    expect((await enrol(own.sign('enrolment', challenge))).status).toBe(201);
  });

  it('an enrolment of the wrong kind, or for a foreign origin, is refused, named in the journal, and leaves the code', async () => {
    const code = await empty.firstCode({ operatorId: 'spare-3', purpose: 'approve', method: 'webauthn' });
    const page = empty.client();
    const { body: options } = await page.send('POST', '/enrolments/options', { code }, null);
    expect(options).toMatchObject({ purpose: 'approve', rp: { id: 'approve.hufu.test' }, attestation: 'direct', pubKeyCredParams: [{ alg: -7 }], authenticatorSelection: { userVerification: 'required' } });
    const ukey = new SoftUkey('p256Sha256');
    const challenge = String(options['challenge']);
    expectRefused(await page.send('POST', '/enrolments', { code, key: { publicKey: ukey.spki.toString('hex'), algorithm: 'p256Sha256', signature: ukey.sign(CONSOLE, challenge) } }, null), 'ENROLMENT_REFUSED');
    const made = new SoftAuthenticator().create({ challenge, rpId: 'approve.hufu.test', origin: CONSOLE });
    expectRefused(await page.send('POST', '/enrolments', { code, webauthn: made }, null), 'ENROLMENT_REFUSED');
    expect((await empty.entries('signIn.enrolmentRefused', 'spare-3')).map(({ reason }) => reason)).toEqual(['the code is for webauthn', expect.stringContaining('origin')]);
    await empty.enrolled(code);
  });
});

describe('after the initialisation', () => {
  beforeAll(async () => {
    rig = await foundSignInRig(empty);
  });

  it('the local door gives no codes any more', async () => {
    await expect(rig.firstCode({ operatorId: 'system-1', purpose: 'signIn', method: 'webauthn' })).rejects.toMatchObject({ code: 'OPERATORS_EXIST' });
  });

  it('an authenticator opens a session: a cookie for this host alone, which the database does not hold', async () => {
    const browser = rig.client();
    const answer = await browser.signIn('system-1', device('system-1'));
    expect(answer).toMatchObject({ status: 201, body: { operatorId: 'system-1', roles: ['systemAdministrator'], idleSeconds: 900, expiresAt: new Date(rig.clock.now().getTime() + 8 * HOUR).toISOString() } });
    expect(answer.cookie).toMatch(/^__Host-hufu-session=[A-Za-z0-9_-]{43}; Path=\/; HttpOnly; SameSite=Strict; Secure$/);
    expect(answer.body['tokenDigest']).toBe(hash('sha256', browser.cookie ?? '', 'base64url'));
    expect(JSON.stringify(answer.body)).not.toContain(browser.cookie);
    expect(await session(browser)).toMatchObject({ status: 200, body: { operatorId: 'system-1', roles: ['systemAdministrator'], signedInAt: rig.clock.now().toISOString() } });
    expect((await browser.send('GET', '/access/operators?limit=5')).status).toBe(200);
    expect(codeOf(await browser.send('GET', '/access/forecast'))).toBe('ACCESS_DENIED');
    for (const table of ['operator_session', 'session_request_proof', 'journal_stage']) expect(JSON.stringify(await rig.owner.query(`SELECT * FROM ${table}`))).not.toContain(browser.cookie);
    expect((await rig.entries('signIn.opened', 'system-1')).at(-1)).toMatchObject({ method: 'webauthn', source: browser.place.source });
    expect(await browser.send('DELETE', '/sign-in/session')).toMatchObject({ status: 204, cookie: expect.stringContaining('Max-Age=0') });
    expectRefused(await session(browser), 'SESSION_ENDED');
    expect((await rig.entries('signIn.ended', 'system-1')).at(-1)).toMatchObject({ reason: 'signedOut' });
  });

  it('the approve origin is another place of the same sign-in', async () => {
    const browser = rig.client({}, APPROVE);
    expect((await browser.signIn('security-1', device('security-1'))).status).toBe(201);
    expect((await session(browser)).status).toBe(200);
  });

  it.each(['sm2', 'p256'] as const)('a UKey signs in by %s, from an origin of this service, with its own key', async (curve) => {
    const [operatorId, ukey] = [curve === 'sm2' ? 'keys-1' : 'keys-2', rig.ukeys[curve]];
    const attempt = async (origin: string, keyDigest = ukey.keyDigest, signer = ukey, signed = origin): Promise<Answer> => {
      const browser = rig.client();
      const { challengeId, challenge } = await browser.challenge(operatorId, 'ukey');
      const answer = await browser.openSession({ challengeId, ukey: { keyDigest, origin, signature: signer.sign(signed, challenge) } });
      if (answer.status === 201) expect((await session(browser)).body).toMatchObject({ operatorId, roles: ['keyAdministrator'] });
      return answer;
    };
    expect((await attempt(CONSOLE)).status).toBe(201);
    expectRefused(await attempt('https://hufu.example'), 'SIGN_IN_ORIGIN_FOREIGN');
    expectRefused(await attempt(CONSOLE, ukey.keyDigest, ukey, 'https://hufu.example'), 'SIGN_IN_REFUSED');
    expectRefused(await attempt(CONSOLE, ukey.keyDigest, new SoftUkey(ukey.algorithm)), 'SIGN_IN_REFUSED');
    expectRefused(await attempt(CONSOLE, rig.ukeys[curve === 'sm2' ? 'p256' : 'sm2'].keyDigest), 'SIGN_IN_REFUSED');
    expect((await rig.entries('signIn.refused', operatorId)).map(({ reason }) => reason)).toEqual(['origin', 'signature', 'signature', 'credential']);
    rig.after(20 * MINUTE);
  });

  it('unknown accounts look like known ones', async () => {
    const ask = (operatorId: string, method: string, from = rig.client()): Promise<Answer> => from.send('POST', '/sign-in/challenges', { operatorId, method, purpose: 'signIn' }, null);
    const shape = ({ status, body }: Answer): unknown => [status, Object.entries(body).map(([name, value]) => [name, typeof value, Array.isArray(value) ? value.length : 0])];
    for (const method of ['webauthn', 'ukey']) {
      const known = await ask('audit-1', method);
      for (const unknown of ['nobody-1', 'nobody-2', 'keys-1']) expect(shape(await ask(unknown, method))).toEqual(shape(known));
    }
    const ids = async (operatorId: string, app = rig.apps[0]): Promise<unknown> => (await ask(operatorId, 'webauthn', rig.client({}, CONSOLE, app))).body['credentialIds'];
    // The same at every asking, in every process; another for another name.
    expect(await ids('nobody-1')).toEqual(await ids('nobody-1', rig.apps[1]));
    expect(await ids('nobody-1')).not.toEqual(await ids('nobody-2'));
    const refused = async (operatorId: string): Promise<Answer> => rig.client().signIn(operatorId, new SoftAuthenticator());
    const [stranger, owner] = [await refused('nobody-1'), await refused('audit-2')];
    expectRefused(stranger, 'SIGN_IN_REFUSED');
    expect(owner).toEqual(stranger);
  });

  it('a challenge is answered once, in whatever process, within two minutes, for its purpose', async () => {
    const [browser, page] = [rig.client(), { origin: CONSOLE, rpId: 'hufu.test' }];
    const asked = await browser.challenge('audit-1', 'webauthn');
    const webauthn = device('audit-1').get({ ...asked, ...page });
    expect((await browser.openSession({ challengeId: asked.challengeId, webauthn })).status).toBe(201);
    expectRefused(await rig.client().openSession({ challengeId: asked.challengeId, webauthn }), 'SIGN_IN_REFUSED');
    expectRefused(await rig.client({}, CONSOLE, rig.apps[1]).openSession({ challengeId: asked.challengeId, webauthn }), 'SIGN_IN_REFUSED');
    const late = await browser.challenge('audit-1', 'webauthn');
    rig.after(2 * MINUTE);
    expectRefused(await rig.client().openSession({ challengeId: late.challengeId, webauthn: device('audit-1').get({ ...late, ...page }) }), 'SIGN_IN_REFUSED');
    const stepUp = await browser.challenge('audit-1', 'webauthn', 'stepUp');
    expectRefused(await rig.client().openSession({ challengeId: stepUp.challengeId, webauthn: device('audit-1').get({ ...stepUp, ...page }) }), 'SIGN_IN_REFUSED');
    // Somebody else's challenge, well signed by one's own key.
    const other = await browser.challenge('audit-2', 'webauthn');
    expectRefused(await rig.client().openSession({ challengeId: other.challengeId, webauthn: device('audit-1').get({ ...other, ...page }) }), 'SIGN_IN_REFUSED');
    rig.after(20 * MINUTE);
  });

  it('an assertion made for a foreign origin is refused', async () => {
    const before = await count('operator_session');
    const answer = await rig.client().signIn('security-2', device('security-2'), { origin: 'https://hufu.example' });
    expectRefused(answer, 'SIGN_IN_ORIGIN_FOREIGN');
    expect(await lastRefusal('security-2')).toMatchObject({ reason: 'origin', proven: true });
    // Who has not the key is not told what was wrong.
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    expectRefused(await rig.client().signIn('security-2', device('security-2'), { origin: 'https://hufu.example', key: privateKey }), 'SIGN_IN_REFUSED');
    expect(await lastRefusal('security-2')).toMatchObject({ reason: 'origin', proven: false });
    expect(await count('operator_session')).toBe(before);
    rig.after(20 * MINUTE);
  });

  it.each<[string, Misbehaviour, ErrorCode, string]>([
    ['without verification of the person', { flags: AUTHENTICATOR_FLAGS.present }, 'AUTHENTICATOR_UNFIT', 'unfit'],
    ['without a person', { flags: AUTHENTICATOR_FLAGS.verified }, 'AUTHENTICATOR_UNFIT', 'unfit'],
    ['for another relying party', { rpId: 'approve.hufu.test' }, 'AUTHENTICATOR_UNFIT', 'unfit'],
    ['inside a foreign page', { crossOrigin: true }, 'AUTHENTICATOR_UNFIT', 'unfit'],
    ['over another challenge', { challenge: Buffer.alloc(32).toString('base64url') }, 'SIGN_IN_REFUSED', 'challenge'],
    ['with another key', { key: generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey }, 'SIGN_IN_REFUSED', 'signature'],
  ])('an assertion %s is refused', async (_what, wrong, code, reason) => {
    expectRefused(await rig.client().signIn('audit-2', device('audit-2'), wrong), code);
    expect(await lastRefusal('audit-2')).toMatchObject({ reason });
    rig.after(20 * MINUTE);
  });

  it('a stolen session cookie without its proof key is refused', async () => {
    const browser = await signedIn('security-1');
    const thief = browser.thief();
    expectRefused(await session(thief), 'PROOF_INVALID');
    expectRefused(await session(thief, null), 'PROOF_INVALID');
    // With the owner's public key in the header, signed by the thief's own.
    expectRefused(await session(thief, { key: browser.key, signer: thief.key.privateKey }), 'PROOF_INVALID');
    expect((await rig.entries('signIn.refused', 'security-1')).slice(-3).map(({ reason, status }) => [reason, status])).toEqual([['session', 'key'], ['session', 'missing'], ['session', 'signature']]);
    // It harms nobody: the owner goes on, and is not locked out.
    for (let n = 0; n < 6; n++) await session(thief);
    expect((await session(browser)).status).toBe(200);
    await signedIn('security-1');
  });

  it('a captured proof is not taken twice, nor by another process, path, method or session', async () => {
    const browser = await signedIn('security-1');
    const proof = browser.proof('GET', '/sign-in/session');
    expect((await session(browser, proof)).status).toBe(200);
    expectRefused(await session(browser, proof), 'PROOF_INVALID');
    expectRefused(await session(browser.thief(rig.apps[1]), proof), 'PROOF_INVALID');
    expect((await rig.entries('signIn.refused', 'security-1')).at(-1)).toMatchObject({ status: 'replay' });
    expectRefused(await browser.send('GET', '/access/notices', undefined, browser.proof('GET', '/sign-in/session')), 'PROOF_INVALID');
    expectRefused(await browser.send('GET', '/access/notices', undefined, browser.proof('POST', '/access/notices')), 'PROOF_INVALID');
    const second = rig.client();
    await second.signIn('security-1', device('security-1'));
    expectRefused(await session(browser, { ath: hash('sha256', second.cookie ?? '', 'base64url') }), 'PROOF_INVALID');
    rig.after(2 * MINUTE);
    expectRefused(await session(browser, proof), 'PROOF_INVALID');
    // Two at the same moment, in two processes: one is taken.
    const raced = browser.proof('GET', '/sign-in/session');
    const twin = browser.thief(rig.apps[1]);
    expect((await Promise.all([session(browser, raced), session(twin, raced)])).map(({ status }) => status).sort()).toEqual([200, 401]);
  });

  it('a session is bound to the key that its opening proved', async () => {
    const browser = rig.client();
    const asked = await browser.challenge('security-1', 'webauthn');
    const webauthn = device('security-1').get({ ...asked, origin: CONSOLE });
    const other = proofKeyPair();
    expectRefused(await browser.send('POST', '/sign-in/sessions', { challengeId: asked.challengeId, webauthn, proofKey: other.jwk }), 'SIGN_IN_REFUSED');
    expect(await lastRefusal('security-1')).toMatchObject({ reason: 'proof' });
    const again = await browser.challenge('security-1', 'webauthn');
    expectRefused(await browser.openSession({ challengeId: again.challengeId, webauthn: device('security-1').get({ ...again, origin: CONSOLE }) }, undefined, null), 'SIGN_IN_REFUSED');
    rig.after(20 * MINUTE);
  });

  it('two cookies, a cut one and a token of no session are nobody', async () => {
    const browser = await signedIn('security-1');
    const token = browser.cookie ?? '';
    for (const cookie of [`${token}; __Host-hufu-session=${token}`, token.slice(1), 'A'.repeat(43), '']) {
      browser.cookie = cookie;
      expectRefused(await session(browser), 'NOT_SIGNED_IN');
    }
  });

  it('an idle session ends', async () => {
    const browser = await signedIn('security-1');
    for (let n = 0; n < 4; n++) {
      rig.after(10 * MINUTE);
      expect((await session(browser)).status).toBe(200);
    }
    rig.after(15 * MINUTE);
    expectRefused(await session(browser), 'SESSION_ENDED');
    expectRefused(await session(browser), 'SESSION_ENDED');
    expect((await rig.entries('signIn.ended', 'security-1')).filter(({ reason }) => reason === 'idle')).toHaveLength(1);
  });

  it('a session that is used all the time ends after eight hours', async () => {
    const browser = await signedIn('security-1');
    for (let n = 0; n < 47; n++) {
      rig.after(10 * MINUTE);
      expect((await session(browser)).status).toBe(200);
    }
    rig.after(10 * MINUTE);
    expectRefused(await session(browser), 'SESSION_ENDED');
    expect((await rig.entries('signIn.ended', 'security-1')).at(-1)).toMatchObject({ reason: 'expired' });
    // What was used is not kept once its time is over.
    expect(await count('session_request_proof')).toBeLessThan(40);
  });

  it('step-up is asked for where the route wants a fresh proof', async () => {
    const browser = await signedIn('security-1');
    const suspend = (): Promise<Answer> => browser.send('POST', '/access/operators/nobody/suspensions');
    expect(codeOf(await suspend())).toBe('OPERATOR_UNKNOWN');
    rig.after(5 * MINUTE + 1);
    expectRefused(await suspend(), 'STEP_UP_REQUIRED');
    expect((await browser.send('GET', '/access/operators')).status).toBe(200);
    // Another account's authenticator proves nothing here.
    const foreign = await browser.challenge('security-2', 'webauthn', 'stepUp');
    expectRefused(await browser.send('POST', '/sign-in/proofs', { challengeId: foreign.challengeId, webauthn: device('security-2').get({ ...foreign, origin: CONSOLE }) }), 'SIGN_IN_REFUSED');
    expectRefused(await suspend(), 'STEP_UP_REQUIRED');
    expect((await browser.stepUp('security-1', device('security-1'))).status).toBe(204);
    expect(codeOf(await suspend())).toBe('OPERATOR_UNKNOWN');
    expect((await session(browser)).body).toMatchObject({ provenAt: rig.clock.now().toISOString() });
    expect((await rig.entries('signIn.proven', 'security-1')).at(-1)).toMatchObject({ method: 'webauthn' });
    // Who has not the role is told that, not asked for a proof.
    const auditor = await signedIn('audit-1');
    rig.after(6 * MINUTE);
    expect(codeOf(await auditor.send('DELETE', '/access/operators/nobody/sign-in-lock'))).toBe('ACCESS_DENIED');
    rig.after(20 * MINUTE);
  });

  describe('with people who come and go', () => {
    let personal: SoftAuthenticator;
    beforeAll(async () => {
      personal = await hired('person-1');
    });

    it('an enrolled key gives no right until a change names it, and then after the delay', async () => {
      const personId = await personOf('person-1');
      const second = await rig.enrolled(await codeFor('person-1'));
      expectRefused(await rig.client().signIn('person-1', second), 'CREDENTIAL_NOT_IN_FORCE');
      await changed(personId, { kind: 'credential.set', act: 'add', operatorId: 'person-1', method: 'webauthn', purpose: 'signIn', keyDigest: second.keyDigest, validUntil: '2030-01-01T00:00:00.000Z', replaces: null });
      expectRefused(await rig.client().signIn('person-1', second), 'CREDENTIAL_NOT_IN_FORCE');
      rig.after(HOUR);
      await signedIn('person-1', second);
      const foreign = await rig.enrolled(await codeFor('person-1'));
      await expect(changed(await personOf('system-1'), { kind: 'credential.set', act: 'add', operatorId: 'system-1', method: 'webauthn', purpose: 'signIn', keyDigest: foreign.keyDigest, validUntil: '2030-01-01T00:00:00.000Z', replaces: null })).rejects.toMatchObject({ code: 'CREDENTIAL_FOREIGN' });
    });

    it('a replaced credential is refused', async () => {
      const personId = await personOf('person-1');
      const replaces = await signInCredential('person-1');
      const [held] = (await rig.owner.query('SELECT key_digest FROM operator_credential WHERE credential_id = $1', [replaces])) as { key_digest: string }[];
      expect(held?.key_digest).not.toBe(personal.keyDigest);
      const newest = await rig.enrolled(await codeFor('person-1'));
      const first = ((await rig.owner.query('SELECT credential_id FROM operator_credential WHERE key_digest = $1', [personal.keyDigest])) as { credential_id: string }[])[0]?.credential_id ?? '';
      const browser = await signedIn('person-1', personal);
      await changed(personId, { kind: 'credential.set', act: 'reset', operatorId: 'person-1', method: 'webauthn', purpose: 'signIn', keyDigest: newest.keyDigest, validUntil: '2030-01-01T00:00:00.000Z', replaces: first });
      // At once: the open session, and the next sign-in.
      expectRefused(await session(browser), 'CREDENTIAL_NOT_IN_FORCE');
      expect((await rig.entries('access.denied', 'person-1')).at(-1)).toMatchObject({ code: 'CREDENTIAL_NOT_IN_FORCE' });
      expectRefused(await rig.client().signIn('person-1', personal), 'CREDENTIAL_NOT_IN_FORCE');
      expect(await lastRefusal('person-1')).toMatchObject({ reason: 'notInForce', proven: true });
      rig.after(HOUR);
      await signedIn('person-1', newest);
    });

    it('a cloned authenticator is refused and blocked', async () => {
      const original = await hired('person-2');
      const browser = await signedIn('person-2', original);
      await signedIn('person-2', original);
      const answer = await rig.client().signIn('person-2', original, { signCount: 1 });
      expectRefused(answer, 'AUTHENTICATOR_CLONED');
      expect((await rig.entries('signIn.authenticatorCloned', 'person-2')).at(-1)).toMatchObject({ keyDigest: original.keyDigest, last: 2, signCount: 1 });
      // Nobody knows which of the two is the owner's: neither serves, however far its count is, and the open session ends.
      expectRefused(await session(browser), 'CREDENTIAL_NOT_IN_FORCE');
      expectRefused(await rig.client().signIn('person-2', original, { signCount: 100 }), 'CREDENTIAL_NOT_IN_FORCE');
      expect(await lastRefusal('person-2')).toMatchObject({ reason: 'notInForce' });
      const notices = await rig.apps[0].get(Changes).notices('person-2');
      expect(notices[0]).toMatchObject({ event: 'authenticatorCloned', changeId: null });
      // The way back is a change.
      const next = await rig.enrolled(await codeFor('person-2'));
      await changed(await personOf('person-2'), { kind: 'credential.set', act: 'reset', operatorId: 'person-2', method: 'webauthn', purpose: 'signIn', keyDigest: next.keyDigest, validUntil: '2030-01-01T00:00:00.000Z', replaces: await signInCredential('person-2') });
      rig.after(HOUR);
      await signedIn('person-2', next);
    });

    it('an authenticator that does not count is no clone', async () => {
      const plain = await hired('person-3');
      for (let n = 0; n < 3; n++) {
        plain.signCount = -1;
        await signedIn('person-3', plain);
      }
      plain.signCount = 4;
      await signedIn('person-3', plain);
      expectRefused(await rig.client().signIn('person-3', plain, { signCount: 0 }), 'AUTHENTICATOR_CLONED');
    });

    it('five failures lock the account, and time opens it', async () => {
      const own = await hired('person-4');
      const open = await signedIn('person-4', own);
      const fail = (): Promise<Answer> => rig.client().signIn('person-4', own, { key: generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey });
      for (let n = 0; n < 4; n++) expectRefused(await fail(), 'SIGN_IN_REFUSED');
      await signedIn('person-4', own);
      expectRefused(await fail(), 'SIGN_IN_REFUSED');
      const lockedAt = rig.clock.now();
      const until = new Date(lockedAt.getTime() + 15 * MINUTE).toISOString();
      // The owner is told; who has not the key hears what everybody hears; what happens meanwhile does not make it longer.
      expect(await rig.client().signIn('person-4', own)).toMatchObject({ status: 403, body: { code: 'SIGN_IN_LOCKED', text: { en: expect.stringContaining(until) } } });
      for (let n = 0; n < 6; n++) {
        rig.after(MINUTE);
        expectRefused(await fail(), 'SIGN_IN_REFUSED');
      }
      expect(await rig.entries('signIn.locked', 'person-4')).toEqual([{ until }]);
      expect((await session(open)).status).toBe(200);
      expect((await rig.apps[0].get(Changes).notices('person-4'))[0]).toMatchObject({ event: 'signInLocked', changeId: null });
      rig.clock.set(new Date(lockedAt.getTime() + 15 * MINUTE - 1));
      expect(codeOf(await rig.client().signIn('person-4', own))).toBe('SIGN_IN_LOCKED');
      rig.after(1);
      await signedIn('person-4', own);
      // Failures before the lock are paid for.
      expectRefused(await fail(), 'SIGN_IN_REFUSED');
      await signedIn('person-4', own);
    });

    it('a security administrator unlocks, and nobody else', async () => {
      const own = await hired('person-5');
      for (let n = 0; n < 5; n++) await rig.client().signIn('person-5', own, { challenge: Buffer.alloc(32).toString('base64url') });
      expect(codeOf(await rig.client().signIn('person-5', own))).toBe('SIGN_IN_LOCKED');
      const path = '/access/operators/person-5/sign-in-lock';
      expect(codeOf(await (await signedIn('system-1')).send('DELETE', path))).toBe('ACCESS_DENIED');
      const security = await signedIn('security-1');
      expect((await security.send('DELETE', path)).status).toBe(204);
      expect(codeOf(await security.send('DELETE', path))).toBe('NOT_FOUND');
      expect(await rig.entries('signIn.unlocked', 'person-5')).toEqual([{ by: 'security-1' }]);
      await signedIn('person-5', own);
    });

    it("a suspended operator's session is refused at once", async () => {
      const own = await hired('person-6');
      const browser = await signedIn('person-6', own);
      expect((await session(browser)).status).toBe(200);
      const security = await signedIn('security-1');
      expect((await security.send('POST', '/access/operators/person-6/suspensions')).status).toBe(204);
      expectRefused(await session(browser), 'OPERATOR_INACTIVE');
      expectRefused(await rig.client().signIn('person-6', own), 'OPERATOR_INACTIVE');
      expectRefused(await rig.client().signIn('person-6', own, { key: generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey }), 'SIGN_IN_REFUSED');
    });

    it('an administrator ends every session of an account', async () => {
      const own = await hired('person-7');
      const browsers = [await signedIn('person-7', own), await signedIn('person-7', own)];
      expect((await browsers[0]?.send('DELETE', '/access/operators/person-7/sessions'))?.body['code']).toBe('ACCESS_DENIED');
      expect(await (await signedIn('audit-1')).send('DELETE', '/access/operators/person-7/sessions')).toMatchObject({ status: 200, body: { ended: 2 } });
      for (const browser of browsers) expectRefused(await session(browser), 'SESSION_ENDED');
      expect((await rig.entries('signIn.ended', 'person-7')).map(({ reason, by }) => [reason, by])).toEqual([['revoked', 'audit-1'], ['revoked', 'audit-1']]);
      await signedIn('person-7', own);
    });

    it('the credential that approves signs nobody in', async () => {
      await hired('person-10');
      const administrator = await signedIn('system-1');
      const personId = await personOf('person-10');
      const { body } = await administrator.send('POST', `/access/persons/${personId}/enrolment-codes`, { operatorId: 'person-10', purpose: 'approve', method: 'webauthn' });
      const approving = await rig.enrolled(String(body['code']));
      await changed(personId, { kind: 'credential.set', act: 'add', operatorId: 'person-10', method: 'webauthn', purpose: 'approve', keyDigest: approving.keyDigest, validUntil: '2030-01-01T00:00:00.000Z', replaces: null });
      rig.after(HOUR);
      // As its own relying party would have it sign, and as that of sign-in.
      for (const rpId of ['approve.hufu.test', 'hufu.test']) expectRefused(await rig.client({}, APPROVE).signIn('person-10', approving, { rpId }), 'SIGN_IN_REFUSED');
      expect(await lastRefusal('person-10')).toMatchObject({ reason: 'credential' });
    });

    it('the owner asks for a code of the own account, and for no other', async () => {
      const own = await hired('person-8');
      const browser = await signedIn('person-8', own);
      const ask = async (of: string, operatorId: string): Promise<Answer> => browser.send('POST', `/access/persons/${await personOf(of)}/enrolment-codes`, { operatorId, purpose: 'approve', method: 'webauthn' });
      expect((await ask('person-8', 'person-8')).status).toBe(201);
      expect(codeOf(await ask('person-7', 'person-7'))).toBe('ACCESS_DENIED');
      expect(codeOf(await ask('person-8', 'person-7'))).toBe('OPERATOR_UNKNOWN');
    });
  });

  describe('by client certificate', () => {
    let certificate: Uint8Array;
    let foreign: Uint8Array;
    const browserWith = (der?: Uint8Array): SignedInClient => rig.client(der === undefined ? {} : { 'x-client-certificate': Buffer.from(der).toString('base64') }, CERTIFICATE);
    const open = (browser: SignedInClient): Promise<Answer> => browser.openSession({}, '/sign-in/certificate');

    beforeAll(async () => {
      await foundScheme({ app: rig.modules[0], clock: rig.clock, database: rig.database, close: async () => undefined });
      const operatorId = 'person-9';
      const personId = await rig.apps[0].get(Operators).registerPerson('system-1', { identityNumber: identityNumber(operatorId), name: '甄九', department: '科', region: '110105' });
      await changed(personId, { kind: 'operator.add', operatorId });
      const pair = makeRequest('p256');
      await changed(personId, { kind: 'credential.set', act: 'add', operatorId, method: 'certificate', purpose: 'signIn', keyDigest: hash('sha256', pair.publicKey, 'hex').toUpperCase(), validUntil: '2028-01-01T00:00:00.000Z', replaces: null });
      rig.after(HOUR);
      const enrol = async (csr: Buffer, id: string): Promise<Uint8Array> => {
        const [result] = await rig.apps[0].get(Pki).enrol('issuing', [{ profile: 'card', csr, subject: { country: 'CN', commonName: `持卡人 ${id}` }, notBefore: new Date('2026-01-01T00:00:00Z'), notAfter: new Date('2029-01-01T00:00:00Z'), holder: { kind: 'card', id } }]);
        if (result?.ok !== true) throw new Error(JSON.stringify(result));
        return result.certificate;
      };
      certificate = await enrol(pair.csr, '123456788');
      foreign = await enrol(makeRequest('p256').csr, 'A12345674');
    });

    it('the registered key signs in, over its connection alone', async () => {
      const browser = browserWith(certificate);
      expect(await open(browser)).toMatchObject({ status: 201, body: { operatorId: 'person-9' } });
      expect((await session(browser)).status).toBe(200);
      const elsewhere = browserWith(foreign).thief();
      const moved = Object.assign(rig.client({}, CERTIFICATE), { cookie: browser.cookie, key: browser.key });
      for (const other of [moved, Object.assign(elsewhere, { cookie: browser.cookie, key: browser.key })]) expectRefused(await session(other, { ath: hash('sha256', browser.cookie ?? '', 'base64url') }), 'PROOF_INVALID');
      expect(await lastRefusal('person-9')).toMatchObject({ reason: 'session', status: 'certificate' });
      expectRefused(await open(browserWith()), 'SIGN_IN_REFUSED');
      expectRefused(await open(browserWith(foreign)), 'SIGN_IN_REFUSED');
    });

    it('a revoked client certificate is refused, and its open session with it', async () => {
      const browser = browserWith(certificate);
      expect((await open(browser)).status).toBe(201);
      const serial = ((await rig.owner.query(`SELECT serial FROM certificate WHERE certificate = $1`, [Buffer.from(certificate)])) as { serial: string }[])[0]?.serial ?? '';
      await rig.apps[0].get(Pki).revoke({ issuer: 'issuing', serial, reason: 'keyCompromise', effectiveAt: rig.clock.now(), invalidityAt: undefined });
      expect(await session(browser)).toMatchObject({ status: 403, body: { code: 'CERTIFICATE_NOT_GOOD', text: { en: expect.stringContaining('revoked') } } });
      expectRefused(await open(browserWith(certificate)), 'CERTIFICATE_NOT_GOOD');
      expect(await lastRefusal('person-9')).toMatchObject({ reason: 'certificate', status: 'revoked' });
    });
  });

  it('thirty failures within a minute from one address are enough, and others go on', async () => {
    rig.after(20 * MINUTE);
    const browser = rig.client();
    for (let n = 0; n < 30; n++) expect((await browser.send('POST', '/enrolments/options', { code: `guess-${n}` }, null)).status).toBe(403);
    const before = await count('journal_stage');
    for (const [path, payload] of [['/enrolments/options', { code: 'x' }], ['/sign-in/challenges', { operatorId: 'audit-1', method: 'webauthn', purpose: 'signIn' }], ['/sign-in/certificate', { proofKey: browser.key.jwk }]] as const) expectRefused(await browser.send('POST', path, payload), 'SIGN_IN_THROTTLED');
    expect(await count('journal_stage')).toBe(before);
    await signedIn('audit-1');
    rig.after(MINUTE);
    expect((await browser.send('POST', '/enrolments/options', { code: 'x' }, null)).status).toBe(403);
  });

  it('a session that somebody wrote into the database opens nothing', async () => {
    const browser = await signedIn('audit-1');
    const forged = browser.thief();
    forged.cookie = 'B'.repeat(43);
    const digest = hash('sha256', forged.cookie, 'hex').toUpperCase();
    // As the service's own role could: a row beside an entry that is there already.
    await rig.owner.query('SET session_replication_role = replica');
    await rig.owner.query(
      `INSERT INTO operator_session SELECT gen_random_uuid(), $1, operator_id, credential_id, proof_key, certificate_digest, signed_in_at, expires_at, entry_id FROM operator_session ORDER BY signed_in_at DESC LIMIT 1`,
      [digest],
    );
    await rig.owner.query('INSERT INTO operator_session_use SELECT session_id, $2 FROM operator_session WHERE token_digest = $1', [digest, rig.clock.now()]);
    await rig.owner.query('SET session_replication_role = origin');
    expect(codeOf(await session(forged, { key: browser.key, ath: hash('sha256', forged.cookie, 'base64url') }))).toBe('ACCESS_ROW_ALTERED');
    expect((await session(browser)).status).toBe(200);
  });

  it('a step-up that somebody wrote into the database opens nothing', async () => {
    const [browser, other] = [await signedIn('audit-1'), await signedIn('audit-2')];
    await other.stepUp('audit-2', device('audit-2'));
    rig.after(6 * MINUTE);
    const [entry] = (await rig.owner.query(`SELECT id FROM journal_stage WHERE kind = 'signIn.proven' AND subject = 'audit-2' ORDER BY recorded_at DESC LIMIT 1`)) as { id: string }[];
    const suspend = (): Promise<Answer> => browser.send('POST', '/access/operators/nobody/suspensions');
    expect(codeOf(await suspend())).toBe('STEP_UP_REQUIRED');
    await rig.owner.query('SET session_replication_role = replica');
    await rig.owner.query('INSERT INTO operator_session_proof SELECT session_id, $1, $2 FROM operator_session WHERE token_digest = $3', [rig.clock.now(), entry?.id, hash('sha256', browser.cookie ?? '', 'hex').toUpperCase()]);
    await rig.owner.query('SET session_replication_role = origin');
    expect(codeOf(await suspend())).toBe('ACCESS_ROW_ALTERED');
  });

  it('a credential whose origins were changed by SQL signs nobody in', async () => {
    const holder = device('audit-2');
    await rig.owner.query('SET session_replication_role = replica');
    await rig.owner.query(`UPDATE credential_material SET origins = origins || '{https://hufu.example}' WHERE key_digest = $1`, [holder.keyDigest]);
    expectRefused(await rig.client().signIn('audit-2', holder, { origin: 'https://hufu.example' }), 'SIGN_IN_REFUSED');
    expect(await lastRefusal('audit-2')).toMatchObject({ reason: 'altered' });
    await rig.owner.query(`UPDATE credential_material SET origins = array_remove(origins, 'https://hufu.example') WHERE key_digest = $1`, [holder.keyDigest]);
    await rig.owner.query('SET session_replication_role = origin');
    await signedIn('audit-2');
  });

  it('what gives or takes anything is append-only and names its entry', async () => {
    for (const table of ['enrolment_code', 'credential_material', 'credential_count', 'credential_block', 'operator_session', 'operator_session_proof', 'operator_session_end', 'sign_in_failure', 'sign_in_lock', 'sign_in_unlock']) {
      expect([table, await rig.owner.query(`SELECT 1 FROM pg_trigger WHERE tgrelid = $1::regclass AND tgname = 'journal_entry_required'`, [table])]).toEqual([table, [{ '?column?': 1 }]]);
      await expect(rig.owner.query(`DELETE FROM ${table}`)).rejects.toThrow(/append-only|append only/i);
    }
  });

  it('bad input is refused by field', async () => {
    const browser = await signedIn('audit-1');
    const asked = { operatorId: 'audit-1', method: 'webauthn', purpose: 'signIn' };
    const possession = { challengeId: '00000000-0000-4000-8000-000000000000', proofKey: browser.key.jwk };
    for (const [path, payload] of [
      ['/sign-in/challenges', { ...asked, extra: 1 }],
      ['/sign-in/challenges', { ...asked, operatorId: 'A'.repeat(40) }],
      ['/sign-in/challenges', { ...asked, method: 'certificate' }],
      ['/sign-in/sessions', possession],
      ['/sign-in/sessions', { ...possession, ukey: { keyDigest: 'x', origin: CONSOLE, signature: '00' } }],
      ['/sign-in/sessions', { ...possession, webauthn: { credentialId: '+', authenticatorData: 'AA', clientDataJson: 'AA', signature: 'AA' } }],
      ['/sign-in/certificate', { proofKey: { ...browser.key.jwk, d: 'A'.repeat(43) } }],
      ['/sign-in/proofs', {}],
      ['/enrolments', { code: 'x' }],
      ['/enrolments/options', { code: 'x'.repeat(65) }],
    ] as const) {
      const answer = await browser.send('POST', path, payload);
      expect([path, answer.status, codeOf(answer)]).toEqual([path, 400, 'REQUEST_INVALID']);
    }
  });
});
