import { z } from 'zod';
import { AppError, type Bilingual, type JsonValue } from '#libs/platform/domain';
import { type Digests, digestsOf } from './digests.js';

/** What a ceremony may be for (flows of the key centre). */
export const CEREMONY_KINDS = {
  initialise: { zh: '密钥中心初始化', en: 'Initialisation' },
  generate: { zh: '根密钥生成', en: 'Root key generation' },
  import: { zh: '密钥导入', en: 'Import of components' },
  backup: { zh: '密钥备份', en: 'Backup' },
  restore: { zh: '密钥恢复', en: 'Restore' },
  resplit: { zh: '门限重新分割', en: 'Re-split' },
  transport: { zh: '密钥传输', en: 'Transport to another HSM' },
  destroy: { zh: '密钥销毁', en: 'Destruction' },
  replace: { zh: '密码机更换', en: 'HSM replacement' },
  contentCheck: { zh: '密钥内容检查', en: 'Content check' },
  logKey: { zh: '日志密钥', en: 'Log key' },
  approverList: { zh: '审批人名单', en: 'Approver list' },
} as const satisfies Record<string, Bilingual>;
export type CeremonyKind = keyof typeof CEREMONY_KINDS;

/** Who is in the room. A person has one role in a ceremony. */
export const CEREMONY_ROLES = {
  ceremonyAdministrator: { zh: '主持人', en: 'Ceremony administrator' },
  custodian: { zh: '分量保管人', en: 'Custodian' },
  witness: { zh: '见证人', en: 'Witness' },
  auditor: { zh: '审计员', en: 'Auditor' },
  recorder: { zh: '录像员', en: 'Recorder' },
} as const satisfies Record<string, Bilingual>;
export type CeremonyRole = keyof typeof CEREMONY_ROLES;

const names = <T extends object>(table: T): [keyof T & string, ...(keyof T & string)[]] => Object.keys(table) as [keyof T & string, ...(keyof T & string)[]];
export const roleSchema = z.enum(names(CEREMONY_ROLES));
export const stepIdSchema = z.string().regex(/^[a-z][a-zA-Z0-9]{0,31}(-[1-9][0-9]?)?$/);
const bilingual = z.strictObject({ zh: z.string().min(1).max(1000).regex(/\p{Script=Han}/u, 'zh without a Chinese word'), en: z.string().min(1).max(1000).regex(/^[^\p{Script=Han}]*$/u, 'en holds Chinese') });
const id = z.string().regex(/^[a-z][a-zA-Z0-9]{0,31}$/, 'a short name in camel case');
/**
 * The step is repeated for every custodian, `-1` to `-n`. `custodian`: by all of them. `quorum`: by at least the m of the plan; the step of one who is
 * not there is skipped.
 */
const each = z.enum(['custodian', 'quorum']);
const texts = { id, title: bilingual, say: bilingual };

/**
 * One step as the script writes it. `act` is an act of the device, armed by signatures; what it is called in the HSM stands in
 * `recipe`. The rest are acts of people.
 */
export const Step = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('checkIn'), ...texts }),
  z.strictObject({ kind: z.literal('verifyScript'), ...texts }),
  z.strictObject({ kind: z.literal('verifyDevice'), ...texts }),
  z.strictObject({
    kind: z.literal('act'),
    ...texts,
    recipe: id,
    /** Done as often as there are custodians. */
    each: each.optional(),
    /** What the outcome must bring. */
    gives: z.enum(['kcv', 'nothing']),
    /** An earlier act: another check value than its is a mismatch. */
    sameKcvAs: id.optional(),
  }),
  z.strictObject({ kind: z.literal('component'), ...texts, each }),
  z.strictObject({ kind: z.literal('agreeKcv'), ...texts, of: id }),
  z.strictObject({ kind: z.literal('seal'), ...texts, each, of: id.optional() }),
  z.strictObject({ kind: z.literal('openBag'), ...texts, each }),
  z.strictObject({ kind: z.literal('witnessed'), ...texts, each: each.optional(), confirmedBy: z.array(roleSchema).min(1).max(5) }),
  z.strictObject({ kind: z.literal('signOff'), ...texts }),
  z.strictObject({ kind: z.literal('evidence'), ...texts, wants: z.array(z.enum(['photo', 'scan', 'video'])).max(3) }),
]);
export type Step = z.infer<typeof Step>;
export type StepKind = Step['kind'];

/** A versioned script: `certs/ceremonies/*.yaml`. What is read aloud is the digest of its canonical content. */
export const Script = z
  .strictObject({
    format: z.literal('hufu/ceremony-script/1'),
    name: id,
    kind: z.enum(names(CEREMONY_KINDS)),
    version: z.int().min(1).max(9999),
    title: bilingual,
    /** How many of each role must have checked in. Custodians are counted by m of the plan, and all n where a step is done by each. */
    present: z.partialRecord(roleSchema, z.int().min(1).max(9)),
    steps: z.array(Step).min(4).max(60),
  })
  .superRefine(({ steps, present }, { addIssue }) => {
    const refuse = (message: string): void => addIssue({ code: 'custom', message });
    const ids = steps.map((step) => step.id);
    if (new Set(ids).size !== ids.length) refuse('step ids are unique');
    if (steps[0]?.kind !== 'checkIn' || steps[1]?.kind !== 'verifyScript') refuse('it begins with checkIn and verifyScript');
    if (steps.at(-2)?.kind !== 'signOff' || steps.at(-1)?.kind !== 'evidence') refuse('it ends with signOff and evidence');
    for (const kind of ['checkIn', 'verifyScript', 'signOff', 'evidence'] as const) if (steps.filter((step) => step.kind === kind).length !== 1) refuse(`${kind} stands once`);
    for (const role of ['ceremonyAdministrator', 'witness', 'auditor', 'recorder'] as const) if (present[role] === undefined) refuse(`present: ${role} is missing`);
    for (const [index, step] of steps.entries()) {
      const of = step.kind === 'act' ? step.sameKcvAs : step.kind === 'agreeKcv' || step.kind === 'seal' ? step.of : undefined;
      if (of === undefined) continue;
      const before = steps.slice(0, index).find((earlier) => earlier.id === of);
      const fits = step.kind === 'seal' ? before?.kind === 'component' && before.each === step.each : before?.kind === 'act' && before.gives === 'kcv' && before.each === undefined;
      if (!fits) refuse(`${step.id}: ${of} is no earlier step that it can name`);
    }
  });
export type Script = z.infer<typeof Script>;

/** A step of the day: `component-2` is done by custodian 2. */
export type PlannedStep = Step & { readonly name: string; readonly custodian: number | undefined };

/** The steps in their order for n custodians. */
export function plannedSteps({ steps }: Script, custodians: number): PlannedStep[] {
  return steps.flatMap((step): PlannedStep[] =>
    'each' in step && step.each !== undefined
      ? Array.from({ length: custodians }, (_, i) => ({ ...step, name: `${step.id}-${i + 1}`, custodian: i + 1 }))
      : [{ ...step, name: step.id, custodian: undefined }],
  );
}

export function scriptDigests(script: Script): Digests {
  return digestsOf(script as unknown as JsonValue);
}

/** Throws CEREMONY_SCRIPT_INVALID with the first fields that are wrong. */
export function parseScript(content: unknown, file: string): Script {
  const parsed = Script.safeParse(content);
  if (parsed.success) return parsed.data;
  const reason = parsed.error.issues.slice(0, 3).map(({ path, message }) => `${path.join('.') || '(root)'}: ${message}`).join('; ');
  throw new AppError('CEREMONY_SCRIPT_INVALID', { file, reason });
}
