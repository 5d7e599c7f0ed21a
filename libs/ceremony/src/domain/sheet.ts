import { groups, spoken } from './digests.js';
import { MODES, type Plan } from './plan.js';
import { CEREMONY_ROLES } from './script.js';
import { type CeremonyState, resultOf } from './state.js';
import { incidentLine } from './subtitles.js';

/**
 * The sheet that is signed in ink, as one page of HTML without script, font or picture from anywhere: every page of every copy carries the
 * number, the copy and the digest that people sign with their keys. A rehearsal says so at the top and in its number.
 */
export function sheetPage(state: CeremonyState, copy: number): string {
  const { plan, transcriptHead } = state;
  if (plan === undefined || transcriptHead === undefined) throw new RangeError('the sheet is printed at sign-off');
  const { sha256, sm3 } = transcriptHead.digests;
  const mark = plan.mode === 'rehearsal' ? `<p class="mark">${MODES.rehearsal.zh} ${MODES.rehearsal.en}</p>` : '';
  const incident = incidentLine(state);
  return [
    '<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>', text(plan.ceremony), '</title><style>', STYLE, '</style>',
    mark, `<h1>${text(state.script.title.zh)} ${text(state.script.title.en)}</h1>`,
    table([
      ['作业编号 Number', plan.ceremony], ['结果 Result', resultOf(state) === 'completed' ? '完成 completed' : '中止 aborted'],
      ...(incident === undefined ? [] : [['事件 Incident', `${incident.zh} ${incident.en}`] as const]),
      ['用途 Purpose', plan.purpose], ['批准文号 Approval', plan.approvalNumber], ['地点 Room', plan.room],
      ['密钥 Key', `${plan.key.label} ${plan.key.usage} ${plan.key.algorithm}`], ['门限 Quorum', `${plan.quorum.needed}/${plan.quorum.custodians}`],
      ...[...state.kcvs].map(([step, kcv]) => [`校验值 KCV ${step} (${plan.key.kcvMethod})`, `${groups(kcv)} ${said(kcv)}`] as const),
      ...plan.devices.map(({ device, serial, firmware }) => [`密码机 HSM ${device}`, `${serial} ${firmware}`] as const),
      ...[...state.components].map(([step, { participant, bag, kcv }]) => [`分量 Component ${step}`, `${participant} · ${bag} · ${groups(kcv)}`] as const),
      ...[...state.bags].map(([step, { act, bag, safe }]) => [`密封袋 Bag ${step}`, `${act === 'seal' ? '封 sealed' : '开 opened'} ${bag} · ${safe}`] as const),
      ...state.recordings.map(({ video, camera, cameraStartedAt }) => [`录像 Video ${video}`, `${camera} ${cameraStartedAt}`] as const),
      ['脚本摘要 Script SHA-256', groups(plan.script.sha256)], ['脚本摘要 Script SM3', groups(plan.script.sm3)],
      ['记录摘要 Transcript SHA-256', groups(sha256)], ['记录摘要 Transcript SM3', groups(sm3)],
    ]),
    '<h2>偏差 Deviations</h2>',
    state.deviations.length === 0 ? '<p>无 none</p>' : `<ol>${state.deviations.map(({ seq, by, text: what }) => `<li value="${seq}">${text(by)}: ${text(what)}</li>`).join('')}</ol>`,
    '<h2>签名 Signatures</h2>', `<table>${signatures(plan, state)}</table>`,
    `<p>读法 Read aloud: 0 洞 1 幺 2 两 3 三 4 四 5 五 6 六 7 拐 8 八 9 勾 · ${[...'ABCDEF'].map((letter) => `${letter} ${spoken(letter)[0]?.zh ?? ''}`).join(' ')}</p>`,
    `<p>${text(plan.ceremony)} · 第 ${copy} 份 copy ${copy} · SHA-256 ${groups(sha256)}</p></html>\n`,
  ].join('');
}

const STYLE = 'body{font:11pt serif;margin:15mm}table{border-collapse:collapse;width:100%}td{border:1px solid #000;padding:3px 6px}.mark{font-size:28pt;border:6px solid #e80;text-align:center}';

function signatures({ participants }: Plan, { attended }: CeremonyState): string {
  return participants
    .filter(({ id }) => attended.has(id))
    .map(({ id, role, department }) => `<tr><td>${CEREMONY_ROLES[role].zh} ${CEREMONY_ROLES[role].en}</td><td>${text(id)} ${text(department)}</td><td width="35%">&nbsp;</td><td width="15%">印 seal</td></tr>`)
    .join('');
}

const said = (hex: string): string => spoken(hex).map(({ zh }) => zh).join(' ');
const table = (rows: readonly (readonly [string, string])[]): string => `<table>${rows.map(([name, value]) => `<tr><td>${text(name)}</td><td>${text(value)}</td></tr>`).join('')}</table>`;
const text = (value: string): string => value.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
