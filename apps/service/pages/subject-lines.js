// @ts-check
import { subjectDigest } from './approval.js';

/** @typedef {{ name: { zh: string, en: string }, value: string }} Line */
/** @typedef {{ count: number, roles: Record<string, number>, ownerDocument?: true }} Need */

/**
 * What each kind of subject may say. One that says more would be signed with something that is not on the screen.
 * @type {Record<string, readonly string[]>}
 */
const FIELDS = {
  'hufu/request/1': ['format', 'requestId', 'requester', 'requestedBy', 'recipe', 'devices', 'keys', 'parameters', 'policyVersion', 'createdAt', 'notAfter'],
  'hufu/ticket/1': ['format', 'ticketId', 'line', 'requestedBy', 'recipe', 'keys', 'count', 'notBefore', 'notAfter', 'policyVersion'],
  'hufu/hsm-policy/1': ['format', 'version', 'previous', 'approvers', 'rules', 'amend'],
};
const APPROVER = ['id', 'person', 'roles', 'algorithm', 'publicKey', 'notAfter', 'method', 'webauthn'];
const WEBAUTHN = ['rpId', 'origins', 'credentialId', 'aaguid'];
const NEED = ['count', 'roles', 'ownerDocument'];

/** @type {(zh: string, en: string, value: string) => Line} */
const line = (zh, en, value) => ({ name: { zh, en }, value });
/** @type {(zh: string, en: string, values: readonly string[]) => Line[]} */
const list = (zh, en, values) => values.map((value, n) => line(`${zh} ${n + 1}/${values.length}`, `${en} ${n + 1}/${values.length}`, value));
/** @type {(zh: string, en: string, value: string | undefined) => Line[]} */
const optional = (zh, en, value) => (value === undefined ? [] : [line(zh, en, value)]);

/**
 * Everything that a subject says, line by line, as the approver's terminal says it; the digest at the end is what two people read to
 * each other. Throws a RangeError on a subject of another kind or with more than this page shows.
 * @param {any} subject
 * @returns {Promise<Line[]>}
 */
export async function subjectLines(subject) {
  const fields = FIELDS[subject.format];
  if (fields === undefined) throw new RangeError(`unknown format ${subject.format}`);
  requireFields(subject, fields);
  const digest = list('摘要', 'digest', (await subjectDigest(subject)).match(/.{16}/g) ?? []);
  const kinds = { 'hufu/request/1': requestLines, 'hufu/ticket/1': ticketLines, 'hufu/hsm-policy/1': policyLines };
  return [...kinds[/** @type {keyof typeof kinds} */ (subject.format)](subject), ...digest];
}

/**
 * In the order in which they are signed (RFC 8785), so that two screens show them alike.
 * @param {Record<string, any>} members
 */
const sorted = (members) => Object.entries(members).sort(([a], [b]) => (a < b ? -1 : 1));

/** @param {any} request */
function requestLines(request) {
  for (const device of request.devices) requireFields(device, ['device', 'tokenSerial']);
  return [
    line('事项', 'act', `${request.recipe} (${request.format})`),
    line('请求号', 'request', request.requestId),
    line('发起', 'asked by', request.requester),
    ...optional('发起人', 'for the operator', request.requestedBy),
    ...list('密码机', 'device', request.devices.map((/** @type {any} */ { device, tokenSerial }) => `${device} ${tokenSerial}`)),
    ...list('密钥', 'key', request.keys),
    ...sorted(request.parameters).flatMap(([name, value]) => (typeof value === 'string' ? [line(`参数 ${name}`, `parameter ${name}`, value)] : list(`参数 ${name}`, `parameter ${name}`, value))),
    ...until(request.createdAt, request.notAfter, request.policyVersion),
  ];
}

/** @param {any} ticket */
function ticketLines(ticket) {
  return [
    line('事项', 'act', `${ticket.recipe} (${ticket.format})`),
    line('批次票据', 'batch ticket', ticket.ticketId),
    line('次数', 'operations', String(ticket.count)),
    line('生产线', 'for the line', ticket.line),
    ...optional('发起人', 'for the operator', ticket.requestedBy),
    ...list('密钥', 'key', ticket.keys),
    ...until(ticket.notBefore, ticket.notAfter, ticket.policyVersion),
  ];
}

/** @param {any} policy */
function policyLines(policy) {
  return [
    line('事项', 'act', `policy (${policy.format})`),
    line('策略版本', 'policy version', String(policy.version)),
    line('前一版本', 'version before', policy.previous ?? '-'),
    ...policy.approvers.flatMap(approverLines),
    ...sorted(policy.rules).map(([rule, each]) => line(`规则 ${rule}`, `rule ${rule}`, need(each))),
    line('规则 amend', 'rule amend', need(policy.amend)),
  ];
}

/**
 * @param {any} approver
 * @returns {Line[]}
 */
function approverLines(approver) {
  const { id, person, roles, method, algorithm, notAfter, publicKey, webauthn } = approver;
  requireFields(approver, APPROVER);
  if (webauthn !== undefined) requireFields(webauthn, WEBAUTHN);
  return [
    line(`审批人 ${id}`, `approver ${id}`, [person, roles.join('+'), method ?? 'plain', algorithm, notAfter].join(' ')),
    ...list(`公钥 ${id}`, `public key ${id}`, publicKey.match(/.{1,64}/g) ?? []),
    ...(webauthn === undefined ? [] : [line(`凭据 ${id}`, `credential ${id}`, [webauthn.rpId, ...webauthn.origins, webauthn.aaguid, webauthn.credentialId].join(' '))]),
  ];
}

/** @param {any} rule */
function need(rule) {
  requireFields(rule, NEED);
  const { count, roles, ownerDocument } = /** @type {Need} */ (rule);
  return [`${count}`, ...sorted(roles).map(([role, least]) => `${least} × ${role}`), ...(ownerDocument === true ? ['ownerDocument'] : [])].join(', ');
}

/** @type {(from: string, to: string, policyVersion: number) => Line[]} */
const until = (from, to, policyVersion) => [line('自', 'from', from), line('至', 'until', to), line('策略版本', 'policy version', String(policyVersion))];

/** @type {(object: object, fields: readonly string[]) => void} */
function requireFields(object, fields) {
  const unknown = Object.keys(object).find((name) => !fields.includes(name));
  if (unknown !== undefined) throw new RangeError(`unknown field ${unknown}`);
}

/**
 * Characters that would move, hide or turn round others on a screen, in a form that does not: `\u{202E}`.
 * @param {string} text
 */
export function visible(text) {
  return text.replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu, (letter) => `\\u{${letter.codePointAt(0)?.toString(16).toUpperCase()}}`);
}
