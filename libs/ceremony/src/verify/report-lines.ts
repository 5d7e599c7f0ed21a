import type { Bilingual } from '#libs/platform/domain';
import { groups } from '../domain/digests.js';
import { MODES } from '../domain/plan.js';
import { resultOf } from '../domain/state.js';
import { incidentLine } from '../domain/subtitles.js';
import { BUNDLE_FAULTS } from './fault.js';
import type { VerifiedCeremony } from './verify-bundle.js';

const RESULTS = { completed: { zh: '完成', en: 'completed' }, aborted: { zh: '中止', en: 'aborted' } } as const;

/** What a verification prints. The last line is the verdict. */
export function ceremonyLines({ state, events, fault }: VerifiedCeremony): Bilingual[] {
  const { plan, last } = state ?? {};
  const lines: Bilingual[] = [];
  if (state !== undefined && plan !== undefined && last !== undefined) {
    const incident = incidentLine(state);
    lines.push(
      { zh: `作业 ${plan.ceremony}（${MODES[plan.mode].zh}）：${state.script.title.zh}`, en: `ceremony ${plan.ceremony} (${MODES[plan.mode].en}): ${state.script.title.en}` },
      { zh: `事件 ${events}，在场 ${state.attended.size} 人，偏差 ${state.deviations.length}`, en: `${events} events, ${state.attended.size} people, ${state.deviations.length} deviations` },
      { zh: `审批名单第 ${plan.policyVersion} 版`, en: `version ${plan.policyVersion} of the approver list` },
      { zh: `脚本摘要 ${groups(plan.script.sha256)}`, en: `script ${plan.script.name} version ${plan.script.version}` },
      ...[...state.kcvs].map(([step, kcv]) => ({ zh: `校验值 ${step} ${groups(kcv)}`, en: `check value of ${step}` })),
      ...(incident === undefined ? [] : [{ zh: `事件单 ${incident.zh}`, en: `incident ${incident.en}` }]),
      { zh: `记录摘要 ${groups(last.digests.sha256)}`, en: 'digest of the transcript' },
    );
  }
  if (fault === undefined && state !== undefined) return [...lines, { zh: `核验通过：${RESULTS[resultOf(state)].zh}`, en: `verified: ${RESULTS[resultOf(state)].en}` }];
  const { kind, at, detail } = fault as NonNullable<typeof fault>;
  return [...lines, { zh: `${at}：${BUNDLE_FAULTS[kind].zh}（${detail.zh}）`, en: `${at}: ${BUNDLE_FAULTS[kind].en} (${detail.en})` }];
}
