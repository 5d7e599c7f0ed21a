import { z } from 'zod';
import { AppError } from '#libs/platform/domain';
import { Digests } from './digests.js';
import { roleSchema } from './script.js';

export const nameSchema = z.string().min(1).max(64).regex(/^[\w.@:-]+$/, 'letters, digits and . _ @ : -');
export const momentSchema = z.iso.datetime({ precision: 3 });
export const textSchema = z.string().trim().min(1).max(2000);
/** As printed on the bag; read by a scanner or typed. */
export const bagSchema = z.string().regex(/^[A-Z0-9][A-Z0-9-]{3,31}$/, '4 to 32 of A–Z, 0–9 and -');
export const kcvSchema = z.string().regex(/^[0-9A-F]{6,16}$/, '6 to 16 upper-case hex characters');
const shortText = z.string().trim().min(1).max(200);

export const MODES = { real: { zh: '正式', en: 'real' }, rehearsal: { zh: '演练', en: 'REHEARSAL' } } as const;
export type Mode = keyof typeof MODES;

export const Participant = z.strictObject({
  /** The account on the signed list of approvers. */
  id: nameSchema,
  role: roleSchema,
  department: shortText,
  /** Which component this person may hold; an alternate names the same number. */
  custodian: z.int().min(1).max(16).optional(),
  /** Until when the custodian's appointment form holds; past it the person counts for no quorum. */
  formNotAfter: momentSchema.optional(),
});
export type Participant = z.infer<typeof Participant>;

/** 作业计划: everything that is settled before anybody enters the room. */
export const Plan = z
  .strictObject({
    /** 作业编号. */
    ceremony: z.string().regex(/^[A-Z0-9][A-Z0-9-]{2,31}$/),
    mode: z.enum(['real', 'rehearsal']),
    script: z.strictObject({ name: z.string().max(32), version: z.int().min(1), ...Digests.shape }),
    purpose: shortText,
    /** 批准文号. */
    approvalNumber: shortText,
    room: shortText,
    key: z.strictObject({ label: shortText, usage: shortText, algorithm: nameSchema, kcvMethod: z.enum(['zero3', 'zero4', 'cmac5']) }),
    quorum: z.strictObject({ needed: z.int().min(2).max(16), custodians: z.int().min(2).max(16) }),
    participants: z.array(Participant).min(5).max(64),
    devices: z.array(z.strictObject({ device: nameSchema, serial: z.string().min(1).max(64), firmware: z.string().min(1).max(64) })).min(1).max(16),
    /** Of the signed list of approvers that the signatures are judged by. */
  policyVersion: z.int().min(1),
  /** Of the software in the room. */
    build: z.string().regex(/^[0-9A-F]{64}$/),
    /** Bags that will be opened, by the custodian's number: the serial of their last closing. */
    lastClosings: z.array(z.strictObject({ custodian: z.int().min(1).max(16), bag: bagSchema, contents: textSchema, safe: textSchema })).max(64),
    /** Serials that may not come again: every bag that was ever closed. */
    usedBags: z.array(bagSchema).max(4096),
    /** The rehearsal that a real ceremony rests on: its number, when it closed, the digests of its last event. */
    rehearsal: z.strictObject({ ceremony: z.string().max(32), closedAt: momentSchema, script: Digests, head: Digests }).optional(),
  })
  .refine(({ mode, rehearsal }) => mode === 'real' || rehearsal === undefined, 'a rehearsal rests on nothing');
export type Plan = z.infer<typeof Plan>;

export const REHEARSAL_DAYS = 30;

/** Rules of a plan that need no signature. `at` is when it is entered. Throws CEREMONY_PLAN_INVALID, CEREMONY_REHEARSAL_MISSING. */
export function requirePlan(plan: Plan, at: Date): void {
  const { participants, quorum } = plan;
  const refuse = (zh: string, en: string): never => {
    throw new AppError('CEREMONY_PLAN_INVALID', { reasonZh: zh, reasonEn: en });
  };
  if (quorum.needed > quorum.custodians) refuse('门限大于保管人数', 'the quorum is larger than the number of custodians');
  if (new Set(participants.map(({ id }) => id)).size !== participants.length) refuse('同一人出现两次', 'somebody stands there twice');
  for (const { id, role, custodian, formNotAfter } of participants) {
    const holds = role === 'custodian';
    if ((custodian !== undefined) !== holds || (formNotAfter !== undefined) !== holds) refuse(`${id}：只有保管人持有分量与任命表`, `${id}: a custodian, and nobody else, has a component and a form`);
    if (custodian !== undefined && custodian > quorum.custodians) refuse(`${id}：没有分量 ${custodian}`, `${id}: there is no component ${custodian}`);
  }
  for (let i = 1; i <= quorum.custodians; i++) if (!participants.some(({ custodian }) => custodian === i)) refuse(`分量 ${i} 没有保管人`, `component ${i} has no custodian`);
  const ofCustodians = new Set(participants.filter(({ role }) => role === 'custodian').map(({ department }) => department));
  const near = participants.find(({ role, department }) => role === 'witness' && ofCustodians.has(department));
  if (near !== undefined) refuse(`见证人 ${near.id} 与保管人同部门`, `witness ${near.id} is of a custodian's department`);
  if (plan.mode === 'real') requireRehearsal(plan, at);
}

function requireRehearsal({ rehearsal, script }: Plan, at: Date): void {
  const age = rehearsal === undefined ? undefined : at.getTime() - new Date(rehearsal.closedAt).getTime();
  const fits = rehearsal?.script.sha256 === script.sha256 && rehearsal.script.sm3 === script.sm3;
  if (age === undefined || !fits || age < 0 || age > REHEARSAL_DAYS * 86_400_000) throw new AppError('CEREMONY_REHEARSAL_MISSING', { days: REHEARSAL_DAYS });
}
