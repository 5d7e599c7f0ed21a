import type { Bilingual } from '#libs/platform/domain';
import { type HsmRequest, subjectDigest, type Ticket } from './approval.js';
import type { QuorumPolicy } from './quorum-policy.js';

/** One line of what an approver is shown before signing: a name in both languages and a value as it will be signed. */
export interface SubjectLine {
  readonly name: Bilingual;
  readonly value: string;
}

const line = (zh: string, en: string, value: string): SubjectLine => ({ name: { zh, en }, value });
const list = (zh: string, en: string, values: readonly string[]): SubjectLine[] => values.map((value, n) => line(`${zh} ${n + 1}/${values.length}`, `${en} ${n + 1}/${values.length}`, value));
/** In the order in which they are signed (RFC 8785), so that two screens show them alike. */
const sorted = <T>(members: Readonly<Record<string, T>>): [string, T][] => Object.entries(members).sort(([a], [b]) => (a < b ? -1 : 1));
const optional = (zh: string, en: string, value: string | undefined): SubjectLine[] => (value === undefined ? [] : [line(zh, en, value)]);

/**
 * Everything that a subject says, line by line: nothing that is signed is left out, and nothing is shown that is not signed. The digest
 * at the end is what two people read to each other when they look at different screens.
 */
export function subjectLines(subject: HsmRequest | Ticket | QuorumPolicy): SubjectLine[] {
  const digest = list('摘要', 'digest', subjectDigest(subject).match(/.{16}/g) ?? []);
  if (subject.format === 'hufu/request/1') return [...requestLines(subject), ...digest];
  return [...(subject.format === 'hufu/ticket/1' ? ticketLines(subject) : policyLines(subject)), ...digest];
}

function requestLines(request: HsmRequest): SubjectLine[] {
  return [
    line('事项', 'act', `${request.recipe} (${request.format})`),
    line('请求号', 'request', request.requestId),
    line('发起', 'asked by', request.requester),
    ...optional('发起人', 'for the operator', request.requestedBy),
    ...list('密码机', 'device', request.devices.map(({ device, tokenSerial }) => `${device} ${tokenSerial}`)),
    ...list('密钥', 'key', request.keys),
    ...sorted(request.parameters).flatMap(([name, value]) => (typeof value === 'string' ? [line(`参数 ${name}`, `parameter ${name}`, value)] : list(`参数 ${name}`, `parameter ${name}`, value))),
    ...until(request.createdAt, request.notAfter, request.policyVersion),
  ];
}

function ticketLines(ticket: Ticket): SubjectLine[] {
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

function policyLines(policy: QuorumPolicy): SubjectLine[] {
  const need = ({ count, roles, ownerDocument }: QuorumPolicy['amend']): string => [`${count}`, ...sorted(roles).map(([role, least]) => `${least} × ${role}`), ...(ownerDocument === true ? ['ownerDocument'] : [])].join(', ');
  return [
    line('事项', 'act', `policy (${policy.format})`),
    line('策略版本', 'policy version', String(policy.version)),
    line('前一版本', 'version before', policy.previous ?? '-'),
    ...policy.approvers.flatMap((approver) => [
      line(`审批人 ${approver.id}`, `approver ${approver.id}`, [approver.person, approver.roles.join('+'), approver.method ?? 'plain', approver.algorithm, approver.notAfter].join(' ')),
      ...list(`公钥 ${approver.id}`, `public key ${approver.id}`, approver.publicKey.match(/.{1,64}/g) ?? []),
      ...(approver.webauthn === undefined ? [] : [line(`凭据 ${approver.id}`, `credential ${approver.id}`, [approver.webauthn.rpId, ...approver.webauthn.origins, approver.webauthn.aaguid, approver.webauthn.credentialId].join(' '))]),
    ]),
    ...sorted(policy.rules).map(([rule, each]) => line(`规则 ${rule}`, `rule ${rule}`, need(each))),
    line('规则 amend', 'rule amend', need(policy.amend)),
  ];
}

function until(from: string, to: string, policyVersion: number): SubjectLine[] {
  return [line('自', 'from', from), line('至', 'until', to), line('策略版本', 'policy version', String(policyVersion))];
}
