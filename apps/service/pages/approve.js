// @ts-check
import { call, Problem, serviceNow } from './api.js';
import { approvalBytes, approvalChallenge, subjectDigest } from './approval.js';
import { fromHex, sha256, toBase64url, toHex } from './bytes.js';
import { at, attempt, both, choose, does, element, field, inFours, list, say, show, showProblem, site, time } from './page.js';
import { kept } from './proof-key.js';
import { subjectLines, visible } from './subject-lines.js';
import { ukeyKeys, ukeySignature } from './ukey.js';
import { assertion } from './webauthn.js';

/** @typedef {{ count: number, roles: Record<string, number>, ownerDocument?: true }} Need */
/** @typedef {{ method: 'plain' | 'ukey' | 'webauthn', publicKey: string, webauthn: { rpId: string, credentialId: string } | null }} Approver the operator's own entry in the policy */
/** @typedef {{ id: string, subject: any, rule: string, need: Need, missing: Need, approvedBy: string[], notAfter: string, policyVersion: number, mayApprove: boolean, approver: Approver | null }} View */

const PARTS = ['nobody', 'waiting', 'opened'];
const ROWS = 12;

let operator = '';
/** @type {Record<string, import('./api.js').Bilingual>} */
let roleTexts = {};
/** @type {View[]} */
let views = [];
let from = 0;
/** @type {View | undefined} */
let opened;

/** Nothing looks by itself: a page that asked again and again would keep an abandoned session alive. */
async function look() {
  views = await call('GET', '/approvals');
  from = Math.min(from, Math.max(0, Math.floor((views.length - 1) / ROWS) * ROWS));
  showList();
}

function showList() {
  at('nothing').hidden = views.length > 0;
  at('list').hidden = views.length === 0;
  at('rows').replaceChildren(...views.slice(from, from + ROWS).map(row));
  const pages = Math.ceil(views.length / ROWS);
  at('pager').hidden = pages < 2;
  at('page-number').textContent = `${from / ROWS + 1} / ${pages} (${views.length})`;
  at('before').hidden = from === 0;
  at('after').hidden = from + ROWS >= views.length;
  tick();
}

/** @param {View} view */
function row(view) {
  const open = element('button', { type: 'button', 'aria-label': `打开 Open ${act(view.subject)}` }, both({ zh: '打开', en: 'Open' }));
  does(open, () => openView(view.id));
  const state = view.mayApprove ? { zh: '● 待你审批', en: 'yours to decide' } : view.approvedBy.includes(operator) ? { zh: '✓ 你已审批', en: 'you approved' } : { zh: '○ 不由你审批', en: 'not yours' };
  return element(
    'tr',
    {},
    element('td', { class: 'exact' }, act(view.subject)),
    element('td', {}, visible(view.subject.requestedBy ?? view.subject.requester ?? view.subject.line ?? '—')),
    element('td', {}, `${view.approvedBy.length} / ${view.need.count}`),
    element('td', { 'data-deadline': view.notAfter }),
    element('td', {}, both(state)),
    element('td', {}, open),
  );
}

/** @param {any} subject */
const act = (subject) => visible(subject.format === 'hufu/hsm-policy/1' ? `policy ${subject.version}` : `${subject.recipe} ${subject.parameters?.label ?? ''}`.trim());

/** @param {string} id */
async function openView(id) {
  await look();
  const view = views.find((each) => each.id === id);
  if (view === undefined) throw new Problem('NOT_WAITING', { zh: '此项已不在等待：已批准、被拒绝或已过期', en: 'It no longer waits: approved, rejected or over' }, { zh: '在列表中选择其他事项', en: 'Choose another one of the list' });
  // What stands on the screen is what is signed, so the name by which it was asked for must be its own.
  if ((await subjectDigest(view.subject)) !== view.id) throw new Problem('SUBJECT_DIFFERS', { zh: '内容与编号不符', en: 'The content is not what its number says' }, { zh: '不要审批，报告安全管理员', en: 'Do not approve; tell a security administrator' });
  const lines = await subjectLines(view.subject).catch((error) => {
    throw new Problem('SUBJECT_UNKNOWN', { zh: '内容中有本页不能显示的项', en: 'The content says something that this page cannot show' }, { zh: `不要审批；更新版本或报告安全管理员（${visible(String(error.message))}）`, en: 'Do not approve; update the service or tell a security administrator' });
  });
  opened = view;
  list('lines', lines.map(({ name, value }) => [{ zh: visible(name.zh), en: visible(name.en) }, element('span', { class: 'exact' }, visible(value))]));
  showProgress(view);
  for (const id of ['document-number', 'document-scan', 'reason']) field(id).value = '';
  at('document-digest').textContent = '';
  const method = view.approver?.method;
  at('document').hidden = view.need.ownerDocument !== true;
  at('not-yours').hidden = view.mayApprove;
  at('approving').hidden = !view.mayApprove;
  at('approve-webauthn').hidden = method !== 'webauthn';
  at('approve-ukey').hidden = method !== 'ukey';
  at('approve-plain').hidden = method !== 'plain';
  show('opened', PARTS);
  tick();
}

/** @param {View} view */
function showProgress(view) {
  const needed = (/** @type {Need} */ need) => both({ zh: lacking(need, 'zh'), en: lacking(need, 'en') });
  list('progress', [
    [{ zh: '需要', en: 'Needed' }, needed(view.need)],
    [{ zh: '已审批', en: 'Approved by' }, view.approvedBy.length === 0 ? '—' : view.approvedBy.map(visible).join('，')],
    [{ zh: '还缺', en: 'Missing' }, needed(view.missing)],
    [{ zh: '截止', en: 'Deadline' }, element('span', {}, `${time(view.notAfter)} · `, element('span', { 'data-deadline': view.notAfter }))],
  ]);
}

/** Counts every deadline on the page down. */
function tick() {
  for (const cell of document.querySelectorAll('[data-deadline]')) {
    const left = Math.floor((Date.parse(cell.getAttribute('data-deadline') ?? '') - serviceNow()) / 1000);
    cell.textContent = left <= 0 ? '✗ 已过期 over' : `${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')}`;
  }
}

/** @returns {Promise<{ number: string, digest: string } | undefined>} */
async function ownerDocument() {
  const number = field('document-number').value.trim();
  const scan = field('document-scan').files?.[0];
  if (at('document').hidden || (number === '' && scan === undefined)) return undefined;
  if (number === '' || scan === undefined) throw new Problem('DOCUMENT_HALF', { zh: '批件须同时有文号和扫描件', en: 'A document has a number and a scan, both' }, { zh: '补齐，或两者都清空', en: 'Add what is missing, or clear both' });
  return { number, digest: await scanDigest(scan) };
}

/** @param {Blob} scan */
const scanDigest = async (scan) => toHex(await sha256(await scan.arrayBuffer()));

/**
 * @param {View} view
 * @param {'ukey' | 'webauthn'} method
 * @returns {Promise<import('./approval.js').Terms>}
 */
async function terms({ notAfter, policyVersion }, method) {
  const document = await ownerDocument();
  return {
    approver: operator,
    nonce: toHex(crypto.getRandomValues(new Uint8Array(16))),
    policyVersion,
    notAfter,
    decision: 'approve',
    method,
    ...(document === undefined ? {} : { ownerDocument: document }),
  };
}

/** @type {Record<'webauthn' | 'ukey', (view: View) => Promise<object>>} */
const APPROVALS = {
  webauthn: async (view) => {
    const chosen = await terms(view, 'webauthn');
    const challenge = await approvalChallenge(await approvalBytes(view.subject, chosen));
    const { rpId = location.hostname, credentialId = '' } = view.approver?.webauthn ?? {};
    const made = await assertion({ challenge, rpId, credentialIds: [toBase64url(fromHex(credentialId))] });
    return { ...chosen, authenticatorData: toHex(made.authenticatorData), clientDataJson: toHex(made.clientDataJson), signature: toHex(made.signature) };
  },
  ukey: async (view) => {
    const chosen = await terms(view, 'ukey');
    const keys = await ukeyKeys();
    const own = keys.filter(({ publicKey }) => publicKey === view.approver?.publicKey);
    const { keyDigest } = await choose(own.length === 0 ? keys : own, ({ label, tokenSerial, algorithm }) => `${label} · ${tokenSerial} · ${algorithm}`);
    return (await ukeySignature({ kind: 'approve', subject: view.subject, terms: chosen, keyDigest })).approval;
  },
};

/**
 * @param {Need} missing
 * @param {'zh' | 'en'} language
 */
const lacking = ({ count, roles }, language) => [`${count} ${{ zh: '人', en: 'person(s)' }[language]}`, ...Object.entries(roles).map(([role, least]) => `${least} × ${roleTexts[role]?.[language] ?? role}`)].join(language === 'zh' ? '，' : ', ');

/** @param {'webauthn' | 'ukey'} method */
async function approve(method) {
  if (opened === undefined) return;
  const { id } = opened;
  const { missing } = await call('POST', `/approvals/${id}`, { approval: await APPROVALS[method](opened) });
  await back();
  const done = missing.count === 0 && Object.keys(missing.roles).length === 0;
  say(done ? { zh: '已审批；人数已足，操作执行', en: 'Approved; the quorum is there and the act goes ahead' } : { zh: `已审批；还缺 ${lacking(missing, 'zh')}`, en: `Approved; still missing ${lacking(missing, 'en')}` });
}

async function reject() {
  const reason = field('reason').value.trim();
  if (reason === '') {
    field('reason').focus();
    throw new Problem('REASON_MISSING', { zh: '未填拒绝理由', en: 'No reason was given' }, { zh: '填写理由；它会记入日志', en: 'Give one; it goes into the journal' });
  }
  await call('POST', `/approvals/${opened?.id}/refusals`, { reason });
  await back();
  say({ zh: '已拒绝', en: 'Rejected' });
}

async function back() {
  opened = undefined;
  await look();
  show('waiting', PARTS);
}

async function start() {
  at('here').textContent = location.host;
  at('to-sign-in').setAttribute('href', '/sign-in');
  if ((await kept()) === undefined) return show('nobody', PARTS);
  try {
    operator = (await call('GET', '/sign-in/session')).operatorId;
  } catch (error) {
    if (!(error instanceof Problem) || error.code === 'UNREACHABLE') throw error;
    show('nobody', PARTS);
    return showProblem(error);
  }
  roleTexts = (await site()).roles;
  at('as-whom').textContent = operator;
  await back();
}

does(at('refresh'), look);
does(at('close'), back);
does(at('approve-webauthn'), () => approve('webauthn'));
does(at('approve-ukey'), () => approve('ukey'));
does(at('reject'), reject);
field('document-scan').addEventListener('change', () => {
  const scan = field('document-scan').files?.[0];
  void attempt(async () => void (at('document-digest').textContent = scan === undefined ? '' : inFours(await scanDigest(scan))));
});
for (const [id, step] of /** @type {const} */ ([['before', -ROWS], ['after', ROWS]])) {
  at(id).addEventListener('click', () => {
    from += step;
    showList();
  });
}
document.addEventListener('keydown', ({ key }) => {
  if (key === 'Escape' && opened !== undefined && !(/** @type {HTMLDialogElement} */ (at('choice')).open)) void attempt(back);
});
setInterval(tick, 1000);
void attempt(start);
