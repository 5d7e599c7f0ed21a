// @ts-check
import { call } from './api.js';
import { at, attempt, choose, does, element, field, inFours, list, show, site } from './page.js';
import { ukeyKeys, ukeySignature } from './ukey.js';
import { createCredential } from './webauthn.js';

const PARTS = ['ask', 'make', 'made'];

const PURPOSES = /** @type {Record<string, import('./api.js').Bilingual>} */ ({ signIn: { zh: '登录', en: 'signing in' }, approve: { zh: '审批', en: 'approving' } });
const METHODS = /** @type {Record<string, import('./api.js').Bilingual>} */ ({
  webauthn: { zh: '安全密钥', en: 'security key' },
  ukey: { zh: 'UKey', en: 'UKey' },
  certificate: { zh: '客户端证书', en: 'client certificate' },
  plain: { zh: '终端密钥文件', en: 'key file at a terminal' },
});

/** Ways that have no part in this page, and where they are. */
const ELSEWHERE = /** @type {Record<string, string>} */ ({ plain: './hufu approve keygen', certificate: './hufu help' });

/** @type {any} */
let options;

/** @type {Record<string, () => Promise<object>>} */
const MAKERS = {
  webauthn: async () => ({ webauthn: await createCredential(options) }),
  ukey: async () => {
    const { keyDigest, publicKey, algorithm } = await choose(await ukeyKeys(), ({ label, tokenSerial, algorithm }) => `${label} · ${tokenSerial} · ${algorithm}`);
    const { signature } = await ukeySignature({ kind: 'enrol', challenge: options.challenge, keyDigest });
    return { key: { publicKey, algorithm, signature } };
  },
};

async function begin() {
  options = await call('POST', '/enrolments/options', { code: code() });
  list('options', what());
  const { approve } = await site();
  const elsewhere = options.purpose === 'approve' && location.origin !== approve;
  at('other-site').hidden = !elsewhere;
  at('to-other-site').setAttribute('href', `${approve}/enrol`);
  at('to-other-site').textContent = `${approve}/enrol`;
  at('at-terminal').hidden = ELSEWHERE[options.method] === undefined;
  at('terminal-hint').textContent = ELSEWHERE[options.method] ?? '';
  at('create').hidden = elsewhere || MAKERS[options.method] === undefined;
  show('make', PARTS);
}

/** As it was printed, in whatever case and groups. */
const code = () => field('code').value.trim().toUpperCase();

/** @returns {(readonly [import('./api.js').Bilingual, string | Node])[]} */
const what = () => [
  [{ zh: '账号', en: 'Account' }, element('strong', {}, options.operatorId)],
  [{ zh: '用途', en: 'For' }, text(PURPOSES[options.purpose], options.purpose)],
  [{ zh: '方式', en: 'By' }, text(METHODS[options.method], options.method)],
];

/** @type {(known: import('./api.js').Bilingual | undefined, otherwise: string) => string} */
const text = (known, otherwise) => (known === undefined ? otherwise : known.zh === known.en ? known.zh : `${known.zh} ${known.en}`);

async function create() {
  const maker = MAKERS[options.method];
  if (maker === undefined) return;
  const { keyDigest } = await call('POST', '/enrolments', { code: code(), ...(await maker()) });
  at('digest').textContent = inFours(keyDigest);
  list('made-what', what());
  field('code').value = '';
  show('made', PARTS);
}

async function start() {
  at('here').textContent = location.host;
  const { approve } = await site();
  at('to-approve').setAttribute('href', `${approve}/approve`);
  field('code').focus();
}

at('code-form').addEventListener('submit', (event) => event.preventDefault());
does(at('begin'), begin);
does(at('create'), create);
at('back').addEventListener('click', () => show('ask', PARTS));
void attempt(start);
