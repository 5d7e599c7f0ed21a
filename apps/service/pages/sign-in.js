// @ts-check
import { call, Problem } from './api.js';
import { fromBase64url } from './bytes.js';
import { at, attempt, both, choose, does, element, field, list, say, show, showProblem, site, time } from './page.js';
import { forget, keep, kept, makeProofKey, publicJwk } from './proof-key.js';
import { ukeyKeys, ukeySignature } from './ukey.js';
import { assertion, assertionAsText } from './webauthn.js';

const PARTS = ['signed-out', 'signed-in'];
const NOTICES_A_PAGE = 10;

const EVENTS = /** @type {Record<string, import('./api.js').Bilingual>} */ ({
  proposed: { zh: '提出了对你账号的变更', en: 'a change of your account was proposed' },
  confirmed: { zh: '对你账号的变更已确认', en: 'a change of your account was confirmed' },
  refused: { zh: '对你账号的变更被拒绝', en: 'a change of your account was refused' },
  signInLocked: { zh: '登录因多次失败被锁定', en: 'sign-in was locked after failures' },
  authenticatorCloned: { zh: '安全密钥疑被复制，已停用', en: 'a security key may have been cloned and is blocked' },
});

/**
 * How the two ways of proving answer a challenge.
 * @type {Record<'webauthn' | 'ukey', (challenge: any) => Promise<object>>}
 */
const ANSWERS = {
  webauthn: async ({ challenge, rpId, credentialIds }) => ({ webauthn: assertionAsText(await assertion({ challenge: fromBase64url(challenge), rpId, credentialIds })) }),
  ukey: async ({ challenge }) => {
    const { keyDigest } = await choose(await ukeyKeys(), ({ label, tokenSerial, algorithm }) => `${label} · ${tokenSerial} · ${algorithm}`);
    const { origin, signature } = await ukeySignature({ kind: 'signIn', challenge, keyDigest });
    return { ukey: { keyDigest, origin, signature } };
  },
};

/**
 * @param {'webauthn' | 'ukey'} method
 * @param {'signIn' | 'stepUp'} purpose
 * @param {string} operatorId
 */
async function answered(method, purpose, operatorId) {
  const challenge = await call('POST', '/sign-in/challenges', { operatorId, method, purpose });
  return { challengeId: challenge.challengeId, ...(await ANSWERS[method](challenge)) };
}

/** @param {'webauthn' | 'ukey'} method */
async function signIn(method) {
  const operatorId = field('account').value.trim();
  if (operatorId === '') {
    field('account').focus();
    throw new Problem('ACCOUNT_MISSING', { zh: '未填账号', en: 'No account was given' }, { zh: '填写账号', en: 'Type your account' });
  }
  const answer = await answered(method, 'signIn', operatorId);
  await open('/sign-in/sessions', answer);
}

/**
 * @param {string} path
 * @param {object} answer
 */
async function open(path, answer) {
  const key = await makeProofKey();
  const { tokenDigest } = await call('POST', path, { ...answer, proofKey: await publicJwk(key) }, key);
  await keep({ key, tokenDigest });
  await look();
  say({ zh: '登录成功', en: 'Signed in' });
}

let operator = '';

async function look() {
  if ((await kept()) === undefined) return show('signed-out', PARTS);
  try {
    const session = await call('GET', '/sign-in/session');
    operator = session.operatorId;
    const { roles } = await site();
    list('session', [
      [{ zh: '账号', en: 'Account' }, element('strong', {}, session.operatorId)],
      [{ zh: '角色', en: 'Roles' }, element('span', {}, ...session.roles.flatMap((/** @type {string} */ role, /** @type {number} */ n) => [n === 0 ? '' : '；', both(roles[role] ?? { zh: role, en: role })]))],
      [{ zh: '登录时间', en: 'Signed in at' }, time(session.signedInAt)],
      [{ zh: '上次验证', en: 'Proven at' }, time(session.provenAt)],
      [{ zh: '结束时间', en: 'Ends at' }, time(session.expiresAt)],
    ]);
    show('signed-in', PARTS);
    await lookAtNotices();
  } catch (error) {
    if (!(error instanceof Problem) || error.code === 'UNREACHABLE') throw error;
    show('signed-out', PARTS);
    showProblem(error);
  }
}

/** @type {any[]} */
let notices = [];
let noticesFrom = 0;

async function lookAtNotices() {
  notices = await call('GET', '/access/notices');
  noticesFrom = 0;
  showNotices();
}

function showNotices() {
  at('no-notices').hidden = notices.length > 0;
  at('notices').hidden = notices.length === 0;
  const shown = notices.slice(noticesFrom, noticesFrom + NOTICES_A_PAGE);
  at('notice-rows').replaceChildren(
    ...shown.map(({ recordedAt, event, changeId }) => element('tr', {}, element('td', {}, time(recordedAt)), element('td', {}, both(EVENTS[event] ?? { zh: event, en: event })), element('td', { class: 'exact' }, changeId ?? '—'))),
  );
  const pages = Math.ceil(notices.length / NOTICES_A_PAGE);
  at('notice-page').textContent = pages < 2 ? '' : `${noticesFrom / NOTICES_A_PAGE + 1} / ${pages}`;
  at('notices-before').hidden = noticesFrom === 0;
  at('notices-after').hidden = noticesFrom + NOTICES_A_PAGE >= notices.length;
}

/** @param {'webauthn' | 'ukey'} method */
async function prove(method) {
  await call('POST', '/sign-in/proofs', await answered(method, 'stepUp', operator));
  await look();
  say({ zh: '已再次验证', en: 'Proven again' });
}

async function signOut() {
  await call('DELETE', '/sign-in/session').catch(async (error) => {
    // It had ended before.
    if ((await kept()) !== undefined) throw error;
  });
  await forget();
  show('signed-out', PARTS);
  field('account').focus();
  say({ zh: '已退出登录', en: 'Signed out' });
}

async function start() {
  at('here').textContent = location.host;
  const { approve, console: consoleSite, clientCertificates } = await site();
  at('to-approve').setAttribute('href', `${approve}/approve`);
  at('to-enrol').setAttribute('href', location.origin === clientCertificates ? `${consoleSite}/enrol` : '/enrol');
  at('by-certificate').hidden = location.origin !== clientCertificates;
  at('to-certificate').hidden = clientCertificates === null || location.origin === clientCertificates || location.origin === approve;
  if (clientCertificates !== null) at('to-certificate').setAttribute('href', `${clientCertificates}/sign-in`);
  await look();
}

at('sign-in').addEventListener('submit', (event) => event.preventDefault());
does(at('by-webauthn'), () => signIn('webauthn'));
does(at('by-ukey'), () => signIn('ukey'));
does(at('by-certificate'), () => open('/sign-in/certificate', {}));
does(at('prove-webauthn'), () => prove('webauthn'));
does(at('prove-ukey'), () => prove('ukey'));
does(at('sign-out'), signOut);
for (const [id, step] of /** @type {const} */ ([['notices-before', -NOTICES_A_PAGE], ['notices-after', NOTICES_A_PAGE]])) {
  at(id).addEventListener('click', () => {
    noticesFrom += step;
    showNotices();
  });
}
void attempt(start);
