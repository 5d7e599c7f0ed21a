import { AppError, type Bilingual } from '#libs/platform/domain';
import { type Power, type RoleName, roleRule } from './role.js';

/** A role held by one person, under whatever account: `validFrom` inclusive, `validUntil` exclusive, null = open. */
export interface HeldRole {
  readonly role: RoleName;
  readonly validFrom: Date;
  readonly validUntil: Date | null;
  readonly componentSet: string | null;
  readonly component: number | null;
}

export interface ExclusionRules {
  /** How far back the acts go that an auditor judges: who held a judged role within it may not become their judge. */
  readonly lookBackDays: number;
}

interface Exclusion {
  readonly name: string;
  /** Whether `first` falls under the rule's first side and `second` under its second. */
  readonly between: (first: HeldRole, second: HeldRole) => boolean;
  /** `now`: not at one moment. `lookBack`: nor the second within the look-back after the first. `ever`: never both, in any order. */
  readonly memory: 'now' | 'lookBack' | 'ever';
  readonly source: string;
  readonly text: Bilingual;
}

const power = ({ role }: HeldRole): Power => roleRule(role).power;
const powers = (first: Power, second: Power) => (a: HeldRole, b: HeldRole) => power(a) === first && power(b) === second;
const roles = (first: RoleName, second: RoleName) => (a: HeldRole, b: HeldRole) => a.role === first && b.role === second;

/** Which roles exclude which. Every rule holds for the person, over all accounts. */
export const EXCLUSIONS: readonly Exclusion[] = [
  { name: 'system-security', between: powers('system', 'security'), memory: 'now', source: 'GB/T 22239-2019 8.1.5', text: { zh: '三权分立：系统管理与安全管理互斥', en: 'separation of the three powers: system and security exclude each other' } },
  { name: 'system-audit', between: powers('system', 'audit'), memory: 'lookBack', source: 'GB/T 22239-2019 8.1.5; GM/T 0034-2014', text: { zh: '三权分立：系统管理与审计互斥，追溯期内曾任者不得审计', en: 'separation of the three powers: system and audit exclude each other, also over the look-back' } },
  { name: 'security-audit', between: powers('security', 'audit'), memory: 'lookBack', source: 'GB/T 22239-2019 8.1.5; GM/T 0034-2014', text: { zh: '三权分立：安全管理与审计互斥，追溯期内曾任者不得审计', en: 'separation of the three powers: security and audit exclude each other, also over the look-back' } },
  { name: 'key-audit', between: powers('key', 'audit'), memory: 'lookBack', source: 'GB/T 39786-2021 (personnel, grade 3)', text: { zh: '密码安全审计不得由密钥管理、密码操作岗位兼任，追溯期内曾任者亦不得', en: 'nobody audits who manages keys or operates HSMs, or did so within the look-back' } },
  { name: 'business-audit', between: powers('business', 'audit'), memory: 'lookBack', source: 'GM/T 0034-2014', text: { zh: '业务岗位与审计岗位互斥，追溯期内曾任者不得审计', en: 'business and audit exclude each other, also over the look-back' } },
  { name: 'system-key', between: powers('system', 'key'), memory: 'now', source: 'GB/T 39786-2021 (personnel, grade 3)', text: { zh: '系统管理与密钥岗位互斥', en: 'who runs the system works with no keys' } },
  { name: 'security-key', between: powers('security', 'key'), memory: 'now', source: 'GM/T 0034-2014', text: { zh: '安全管理与密钥岗位互斥', en: 'who grants rights works with no keys' } },
  { name: 'owner-system', between: powers('owner', 'system'), memory: 'now', source: 'dual control (PCI PIN 6)', text: { zh: '甲方代表不得兼任系统岗位', en: "the owner's representative holds no post of the operator" } },
  { name: 'owner-security', between: powers('owner', 'security'), memory: 'now', source: 'dual control (PCI PIN 6)', text: { zh: '甲方代表不得兼任安全岗位', en: "the owner's representative holds no post of the operator" } },
  { name: 'owner-key', between: powers('owner', 'key'), memory: 'now', source: 'dual control (PCI PIN 6)', text: { zh: '甲方代表不得兼任密钥岗位', en: "the owner's representative holds no post of the operator" } },
  { name: 'owner-audit', between: powers('owner', 'audit'), memory: 'lookBack', source: 'dual control (PCI PIN 6)', text: { zh: '甲方代表不得兼任审计岗位', en: "the owner's representative holds no post of the operator" } },
  { name: 'certificate-maker-checker', between: roles('certificateOperator', 'certificateAdministrator'), memory: 'now', source: 'GM/T 0034-2014', text: { zh: '经办与审批分离：证书业务', en: 'maker and checker of certificate business are two persons' } },
  { name: 'line-maker-checker', between: roles('lineOperator', 'lineSupervisor'), memory: 'now', source: 'PCI Card Production', text: { zh: '经办与审批分离：生产线', en: 'maker and checker of a card line are two persons' } },
  { name: 'ceremony-custodian', between: roles('ceremonyAdministrator', 'custodian'), memory: 'now', source: 'PCI PIN 6', text: { zh: '主持人不得持有分量', en: 'who leads the ceremony holds no component' } },
  { name: 'witness-custodian', between: roles('witness', 'custodian'), memory: 'now', source: 'PCI PIN 6', text: { zh: '见证人不得持有分量', en: 'a witness holds no component' } },
  { name: 'witness-ceremony', between: roles('witness', 'ceremonyAdministrator'), memory: 'now', source: 'PCI PIN 6', text: { zh: '见证人不得主持作业', en: 'a witness does not lead the ceremony' } },
  {
    name: 'component-component',
    between: (a, b) => a.componentSet !== null && a.componentSet === b.componentSet && a.component !== b.component,
    memory: 'ever',
    source: 'PCI PIN 6, 25',
    text: { zh: '同一密钥的两份分量永不经同一人之手', en: 'no person ever holds two components of one key, at any time' },
  },
];

const DAY = 86_400_000;

/** The rule that forbids one person these two, or undefined. A role that ended before it began was never held. */
export function exclusionOf(one: HeldRole, other: HeldRole, { lookBackDays }: ExclusionRules): Exclusion | undefined {
  if (!wasHeld(one) || !wasHeld(other)) return undefined;
  return EXCLUSIONS.find(({ between, memory }) => [[one, other] as const, [other, one] as const].some(([first, second]) => between(first, second) && meets(first, second, memory, lookBackDays)));
}

function meets(first: HeldRole, second: HeldRole, memory: Exclusion['memory'], lookBackDays: number): boolean {
  if (memory === 'ever') return true;
  const remembered = memory === 'lookBack' ? lookBackDays * DAY : 0;
  return first.validFrom.getTime() < end(second) && second.validFrom.getTime() < end(first) + remembered;
}

function wasHeld(held: HeldRole): boolean {
  return held.validFrom.getTime() < end(held);
}

function end({ validUntil }: HeldRole): number {
  return validUntil?.getTime() ?? Number.POSITIVE_INFINITY;
}

/** `history`: every role the person ever held or is to hold, ends included. Throws ROLE_EXCLUDED with the rule and its source. */
export function requireAssignable(history: readonly HeldRole[], next: HeldRole, rules: ExclusionRules): void {
  for (const held of history) {
    const found = exclusionOf(held, next, rules);
    if (found === undefined) continue;
    const [mine, other] = [roleRule(next.role).text, roleRule(held.role).text];
    throw new AppError('ROLE_EXCLUDED', { roleZh: mine.zh, roleEn: mine.en, otherZh: other.zh, otherEn: other.en, ruleZh: found.text.zh, ruleEn: found.text.en, source: found.source });
  }
}
