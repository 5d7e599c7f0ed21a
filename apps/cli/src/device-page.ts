import { type FleetDevice, NOT_ENFORCED, type VendorProfile } from '#libs/hsm';
import type { Bilingual } from '#libs/platform/domain';
import { DEVICE_STATES, type Finding, finding } from './doctor-checks.js';

const ALGORITHMS = ['3des2', 'aes128', 'sm4'] as const;
const SIGNING = ['p256', 'rsa2048', 'sm2'] as const;
const CERTIFICATE_NOTE_DAYS = 90;
const DAY_MS = 86_400_000;
const HISTORY_SHOWN = 5;

/** `inside`: the device does it. `missing`: its profile claims it and the probe did not find it. `no`: refused by name. */
export type Ability = 'inside' | 'missing' | 'no';

export interface DevicePage {
  readonly device: FleetDevice;
  readonly title: Bilingual;
  readonly simulator: boolean;
  /** Recipe → algorithm → ability; `sign` and `transfer` stand among the recipes. */
  readonly capabilities: Readonly<Record<string, Readonly<Record<string, Ability>>>>;
  readonly notEnforced: readonly ({ readonly name: string } & Bilingual)[];
  readonly certificateDaysLeft: number | null;
  readonly findings: readonly Finding[];
}

/** What a device can do inside, what it does not enforce, how it is, and what is on record. */
export function devicePage(device: FleetDevice, profile: VendorProfile | undefined, now: Date): DevicePage {
  const certificate = device.record.productCertificate;
  const certificateDaysLeft = certificate === undefined ? null : Math.floor((new Date(certificate.validUntil).getTime() - now.getTime()) / DAY_MS);
  return {
    device,
    title: profile?.title ?? { zh: device.profile, en: device.profile },
    simulator: profile?.simulator ?? false,
    capabilities: profile === undefined ? {} : capabilitiesOf(profile, device.record.missing),
    notEnforced: (profile?.notEnforced ?? []).map((name) => ({ name, ...NOT_ENFORCED[name] })),
    certificateDaysLeft,
    findings: findingsOf(device, profile, certificateDaysLeft),
  };
}

function capabilitiesOf(profile: VendorProfile, missing: readonly string[]): Record<string, Record<string, Ability>> {
  const ability = (name: string, claimed: boolean): Ability => (!claimed ? 'no' : missing.includes(name) ? 'missing' : 'inside');
  const row = (recipe: string, algorithms: readonly string[], claimed: readonly string[]): [string, Record<string, Ability>] => [
    recipe,
    Object.fromEntries(algorithms.map((algorithm) => [algorithm, ability(`${recipe} (${algorithm})`, claimed.includes(algorithm))])),
  ];
  return Object.fromEntries([
    ...RECIPES.map((recipe) => row(recipe, ALGORITHMS, profile.recipes[recipe] ?? [])),
    row('sign', SIGNING, profile.signing),
    ['transfer', { root: ability('transfer', profile.transfer) }],
    ['escrow', { root: ability('escrow', profile.escrow) }],
  ]);
}

const RECIPES = ['checkValues', 'fingerprints', 'protectForCard', 'commandMacs', 'authenticateToCard', 'purchaseMacs', 'tacs'] as const;

function findingsOf({ device, state, reason, figures, record, profile: profileName }: FleetDevice, profile: VendorProfile | undefined, daysLeft: number | null): Finding[] {
  const said = DEVICE_STATES[state as keyof typeof DEVICE_STATES] ?? { verdict: 'bad' as const, zh: state, en: state };
  const why = reason === '' ? '' : ` (${reason})`;
  const findings = [finding(said.verdict, `${said.zh}${why}`, `${said.en}${why}`)];
  if (profile === undefined) findings.push(finding('bad', `没有厂商型号文件 ${profileName}`, `there is no vendor profile ${profileName}`));
  if (figures.breaker !== 'closed') findings.push(finding('bad', '熔断：暂不派发请求', 'breaker open: it gets no requests'));
  if (figures.knownAnswerAgeSeconds < 0) findings.push(finding('note', '尚无正确的标准答案', 'no right known answer yet'));
  if (record.missing.length > 0) findings.push(finding('bad', `型号声明但设备没有：${record.missing.join('、')}；对这些操作一律拒绝`, `claimed by its profile and not found in ${device}: ${record.missing.join(', ')}; refused by name`));
  if (daysLeft !== null && daysLeft <= CERTIFICATE_NOTE_DAYS) {
    findings.push(
      daysLeft < 0
        ? finding('bad', `产品认证证书已过期 ${-daysLeft} 天`, `the product certificate ended ${-daysLeft} days ago`)
        : finding('note', `产品认证证书剩余 ${daysLeft} 天`, `the product certificate ends in ${daysLeft} days`),
    );
  }
  return findings;
}

const SIGNS: Readonly<Record<Ability, string>> = { inside: '✓', missing: '✗', no: '—' };
const VERDICTS: Readonly<Record<Finding['verdict'], string>> = { ok: '✓', note: '·', bad: '✗' };

/** The page as lines for a terminal, zh / en. */
export function renderDevicePage(page: DevicePage): string[] {
  const { figures, counters, record, group, profile, device } = page.device;
  const certificate = record.productCertificate;
  const simulator = page.simulator ? '，仅供测试 / simulator: tests only' : '';
  const errors = Object.entries(counters.errors).map(([ckr, count]) => `${ckr} ${count}`).join(', ');
  return [
    `■ ${device} — ${page.title.zh} / ${page.title.en} (${profile}, ${group})${simulator}`,
    ...page.findings.map(({ verdict, text }) => `  ${VERDICTS[verdict]} ${text.zh} / ${text.en}`),
    '  能力 capability（✓ 在设备内完成 inside，✗ 声明而未找到 claimed but missing，— 拒绝 refused）',
    ...Object.entries(page.capabilities).map(([recipe, row]) => `    ${recipe.padEnd(20)}${Object.entries(row).map(([algorithm, ability]) => `${SIGNS[ability]} ${algorithm.padEnd(9)}`).join('')}`.trimEnd()),
    '  设备自身不强制 not enforced by the device',
    ...(page.notEnforced.length === 0 ? ['    —'] : page.notEnforced.map(({ zh, en }) => `    · ${zh} / ${en}`)),
    '  运行 figures',
    `    会话 sessions ${figures.sessionsOpen}，登录 logins ${figures.loginEpoch}，排队 queued ${figures.queued}，熔断 breaker ${figures.breaker}，标准答案 known answer ${figures.knownAnswerAgeSeconds < 0 ? '—' : `${figures.knownAnswerAgeSeconds.toFixed(0)} s`}`,
    `    请求 requests ${counters.requests}，失败 failures ${counters.failures}，重启 restarts ${counters.agentRestarts}，隔离 quarantines ${counters.quarantines}，p50 ${figures.latencyMs.p50.toFixed(1)} ms，p99 ${figures.latencyMs.p99.toFixed(1)} ms`,
    ...(errors === '' ? [] : [`    错误 errors ${errors}`]),
    '  档案 record',
    `    序列号 serial ${record.serial || '—'}，标签 label ${record.label || '—'}，${record.manufacturer || '—'} ${record.model}，固件 firmware ${record.firmware || '—'}，机房 site ${record.site || '—'}`,
    `    模块摘要 moduleSha256 ${record.moduleSha256 || '—'}`,
    `    产品认证 certificate ${certificate === undefined ? '—' : `${certificate.number}，至 until ${certificate.validUntil}（${page.certificateDaysLeft} 天 days）`}，快照 snapshot ${record.snapshotDigest.slice(0, 16) || '—'} ${record.snapshotChangedAt}`,
    ...record.history.slice(-HISTORY_SHOWN).map((line) => `    ${shownNote(line)}`),
    '',
  ];
}

/** A line of the history: when, what, who, note. */
function shownNote(line: string): string {
  try {
    const { at, step, by, note } = JSON.parse(line) as { at: string; step: string; by: string; note: string };
    return `${at} ${step} ${by}${note === '' ? '' : `: ${note}`}`;
  } catch {
    // A line that a power cut tore.
    return line;
  }
}
