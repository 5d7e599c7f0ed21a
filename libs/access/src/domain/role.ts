import type { Bilingual } from '#libs/platform/domain';
import type { QualificationKind } from './qualification-kind.js';

/**
 * Whose side a role stands on. System, security and audit are the three powers (三权分立; GB/T 22239-2019 8.1.5 系统管理, 审计管理,
 * 安全管理); `key` works with keys, `business` with cards, certificates and settlement, `owner` is the party whose keys they are.
 */
export type Power = 'system' | 'security' | 'audit' | 'key' | 'business' | 'owner';

interface RoleRule {
  readonly text: Bilingual;
  readonly power: Power;
  /** Touches keys or their components: never without valid vetting, and never without a second person who could step in. */
  readonly keyRole: boolean;
  /** Has to be handed over to a successor before its holder leaves (工作移交). */
  readonly handOver: boolean;
  /** Bound to one component of one key set. */
  readonly component: boolean;
  /** What its holder must have, valid at the moment of use. */
  readonly needs: readonly QualificationKind[];
  readonly duties: readonly Bilingual[];
}

/** Vetting of every post that touches keys or rights: 履历备案, 身份验证, 背景调查, 保密协议. */
const VETTED = ['resumeFiled', 'identityCheck', 'backgroundCheck', 'confidentialityAgreement'] as const;
const KEY_POST = [...VETTED, 'politicalReview', 'skillCheck', 'keyTraining'] as const;

const duty = (zh: string, en: string): Bilingual => ({ zh, en });
const role = (zh: string, en: string, power: Power, rule: Partial<RoleRule> & Pick<RoleRule, 'duties'>): RoleRule => ({
  text: { zh, en },
  power,
  keyRole: false,
  handOver: false,
  component: false,
  needs: [],
  ...rule,
});
const KEY = { keyRole: true, handOver: true, needs: KEY_POST } as const;
const POST = { handOver: true, needs: VETTED } as const;

/** Every role there is: duties, power, whether it is a key role, what its holder must have. */
export const ROLES = {
  systemAdministrator: role('系统管理员', 'system administrator', 'system', { ...POST, duties: [duty('登记人员，提出账号、角色与凭据的变更；运行与配置', 'Registers persons, proposes changes of accounts, roles and credentials; runs and configures')] }),
  systemOperator: role('系统操作员', 'system operator', 'system', { duties: [duty('值守、巡检、处理故障', 'Watches, patrols, handles faults')] }),
  securityAdministrator: role('安全管理员', 'security administrator', 'security', { ...POST, duties: [duty('确认账号、角色、凭据与审查的变更；停用账号，收回角色', 'Confirms changes of accounts, roles, credentials and vetting; suspends accounts, withdraws roles')] }),
  auditAdministrator: role('审计管理员', 'audit administrator', 'audit', { ...POST, duties: [duty('与安全管理员共同确认变更；指派审计员', 'Confirms changes together with a security administrator; appoints auditors')] }),
  auditor: role('安全审计员', 'system auditor', 'audit', { needs: VETTED, duties: [duty('核对日志、权限与作业记录', 'Checks journal, rights and records of work')] }),
  keyAdministrator: role('密钥管理员', 'key administrator', 'key', { ...KEY, duties: [duty('提出并审批密钥的生成、分发、启用与销毁', 'Asks for and approves generation, distribution, activation and destruction of keys')] }),
  custodian: role('分量保管人', 'component custodian', 'key', { ...KEY, component: true, needs: [...KEY_POST, 'appointment'], duties: [duty('保管一份密钥分量，在作业中亲自输入', 'Keeps one component of a key and enters it in person')] }),
  cryptoOperator: role('密码操作员', 'cryptographic operator', 'key', { ...KEY, duties: [duty('操作密码机，执行密钥内容检查', 'Operates HSMs, runs content checks')] }),
  ceremonyAdministrator: role('作业主持人', 'ceremony administrator', 'key', { ...KEY, duties: [duty('主持根密钥生成作业，不持有分量', 'Leads ceremonies and holds no component')] }),
  witness: role('见证人', 'witness', 'business', { needs: VETTED, duties: [duty('见证作业，核对脚本摘要与封袋', 'Witnesses ceremonies, checks script digest and bags')] }),
  certificateAdministrator: role('业务管理员', 'certificate administrator', 'business', { needs: VETTED, duties: [duty('审批证书业务', 'Approves certificate business')] }),
  certificateOperator: role('业务操作员', 'certificate operator', 'business', { duties: [duty('受理证书申请、撤销', 'Takes in requests and revocations')] }),
  lineOperator: role('生产线操作员', 'line operator', 'business', { duties: [duty('个人化与灌装', 'Personalises and injects')] }),
  lineSupervisor: role('生产线主管', 'line supervisor', 'business', { needs: VETTED, duties: [duty('审批批次，批次核对', 'Approves batches, reconciles them')] }),
  settlementAuditor: role('稽核人员', 'settlement auditor', 'business', { duties: [duty('重新验签，处置疑点', 'Re-verifies settlement data, decides findings')] }),
  ownerRepresentative: role('甲方代表', "owner's representative", 'owner', { needs: ['identityCheck'], duties: [duty('代表甲方批准密钥的使用', 'Approves the use of keys for their owner')] }),
} as const satisfies Record<string, RoleRule>;

export type RoleName = keyof typeof ROLES;
export const ROLE_NAMES = Object.keys(ROLES) as [RoleName, ...RoleName[]];

export function roleRule(name: RoleName): RoleRule {
  return ROLES[name];
}
