import { z } from 'zod';
import { AppError } from '#libs/platform/domain';
import { Digests } from './digests.js';
import { bagSchema, kcvSchema, momentSchema, nameSchema, Plan, textSchema } from './plan.js';
import { stepIdSchema } from './script.js';

/**
 * An approval in the format of the room `signature`, carried as it was given: its fields are judged by the port `Signers`, here only who signed
 * and the nonce are read.
 */
const approval = z.looseObject({ approver: nameSchema, nonce: z.string().regex(/^[0-9A-F]{32}$/) });
export type SignedApproval = z.infer<typeof approval>;

/** Names, kinds and sizes of a file that is kept beside the transcript. */
export const EvidenceFile = z.strictObject({
  name: z.string().regex(/^[\p{L}\p{N}][\p{L}\p{N}._ -]{0,99}$/u),
  kind: z.enum(['photo', 'scan', 'video', 'other']),
  bytes: z.int().min(0),
  ...Digests.shape,
});
export type EvidenceFile = z.infer<typeof EvidenceFile>;

const outcome = z.discriminatedUnion('ok', [
  z.strictObject({
    ok: z.literal(true),
    /** The device's value, where the script says that the act gives one. */
    kcv: kcvSchema.optional(),
    /** What the device told besides: identifiers, fingerprints, counts. Never a key. */
    facts: z.record(nameSchema, z.string().max(256)).default({}),
  }),
  z.strictObject({ ok: z.literal(false), code: z.string().max(64), detail: z.string().max(500) }),
]);

/** What is signed before a device acts: the supervisor's own request (one touch serves both) or an act of the ceremony alone. */
const actSubject = z.looseObject({ format: z.enum(['hufu/request/1', 'hufu/ceremony-act/1']) });

const step = { step: stepIdSchema };

const draft = <T extends string, S extends z.ZodRawShape>(type: T, shape: S) => z.strictObject({ type: z.literal(type), by: nameSchema, ...shape });

/** Content by type. Who did it, when and in which ceremony stands in the envelope. */
const DRAFTS = {
  planned: draft('planned', { plan: Plan }),
  attended: draft('attended', {
    /** Whose face `by` has compared with the identity card. The card's number is not kept. */
    participant: nameSchema,
    phoneHandedIn: z.literal(true),
    approval,
  }),
  left: draft('left', { participant: nameSchema, reason: textSchema }),
  recording: draft('recording', {
    /** 录像编号. */
    video: nameSchema,
    camera: nameSchema,
    /** The start of the recording by the camera's own clock. */
    cameraStartedAt: momentSchema,
    /** The camera's clock minus the station's, read off at one moment. */
    clockOffsetMilliseconds: z.int().min(-86_400_000).max(86_400_000),
  }),
  stepOpened: draft('stepOpened', step),
  stepCompleted: draft('stepCompleted', step),
  /** Of a custodian who is not there, where the script asks a quorum only. */
  stepSkipped: draft('stepSkipped', { ...step, reason: textSchema }),
  /** The program began anew, here or on another station: what was in hand is given up, an act without outcome stays one. */
  stationStarted: draft('stationStarted', { station: nameSchema }),
  scriptConfirmed: draft('scriptConfirmed', { ...step, typed: z.string().max(100) }),
  deviceObserved: draft('deviceObserved', { ...step, device: nameSchema, serial: z.string().max(64), firmware: z.string().max(64), tamper: z.enum(['intact', 'triggered']), build: z.string().max(64), photo: Digests.optional() }),
  armed: draft('armed', { ...step, subject: actSubject }),
  armSigned: draft('armSigned', { ...step, approval }),
  executionIntended: draft('executionIntended', step),
  executionEnded: draft('executionEnded', { ...step, outcome }),
  outcomeDecided: draft('outcomeDecided', { ...step, reason: textSchema, outcome, approvals: z.array(approval).length(2) }),
  componentOpened: draft('componentOpened', { ...step, bag: bagSchema }),
  componentWritten: draft('componentWritten', { ...step, kcv: kcvSchema }),
  componentReread: draft('componentReread', { ...step, kcv: kcvSchema }),
  componentSpoiled: draft('componentSpoiled', { ...step, reason: textSchema }),
  kcvHeard: draft('kcvHeard', { ...step, typed: z.string().max(40) }),
  bagSealed: draft('bagSealed', { ...step, bag: bagSchema, contents: textSchema, safe: textSchema }),
  bagOpened: draft('bagOpened', { ...step, bag: bagSchema }),
  bagSigned: draft('bagSigned', { ...step, approval }),
  confirmed: draft('confirmed', { ...step, text: textSchema }),
  paused: draft('paused', { reason: textSchema }),
  resumed: draft('resumed', { reason: textSchema }),
  deviation: draft('deviation', { text: textSchema }),
  evidenceAdded: draft('evidenceAdded', { file: EvidenceFile }),
  printed: draft('printed', { form: z.enum(['script', 'sheet', 'componentForm', 'bagLabel', 'blank']), copy: z.int().min(1).max(99) }),
  signedOff: draft('signedOff', { ...step, approval }),
  closed: draft('closed', {}),
};
export type EventType = keyof typeof DRAFTS;
export const EVENT_TYPES = Object.keys(DRAFTS) as EventType[];

const envelope = {
  seq: z.int().min(1),
  at: momentSchema,
  ceremony: z.string().max(32),
  mode: z.enum(['real', 'rehearsal']),
  /** Digests of the event before; null in the first. */
  previous: Digests.nullable(),
};

type Shapes = { [T in EventType]: z.infer<(typeof DRAFTS)[T]> };
type Envelope = z.infer<z.ZodObject<typeof envelope, z.core.$strict>>;
/** What a front hands in. */
export type EventDraft<T extends EventType = EventType> = { [K in T]: Shapes[K] }[T];
/** What stands in the transcript. */
export type CeremonyEvent<T extends EventType = EventType> = { [K in T]: Shapes[K] & Envelope }[T];

const EVENTS = Object.fromEntries(EVENT_TYPES.map((type) => [type, (DRAFTS[type] as z.ZodObject).extend(envelope)])) as unknown as Record<EventType, z.ZodType>;

/** Throws CEREMONY_EVENT_MALFORMED. */
export function parseDraft(content: unknown): EventDraft {
  return parseBy(DRAFTS, content) as EventDraft;
}

export function parseEvent(content: unknown): CeremonyEvent {
  return parseBy(EVENTS, content) as CeremonyEvent;
}

function parseBy(table: Record<EventType, z.ZodType>, content: unknown): unknown {
  const type = (content as { type?: unknown } | null)?.type;
  const schema = typeof type === 'string' && Object.hasOwn(table, type) ? table[type as EventType] : undefined;
  if (schema === undefined) throw new AppError('CEREMONY_EVENT_MALFORMED', { reason: `type: ${String(type).slice(0, 40)}` });
  const parsed = schema.safeParse(content);
  if (parsed.success) return parsed.data;
  throw new AppError('CEREMONY_EVENT_MALFORMED', { reason: parsed.error.issues.slice(0, 3).map(({ path, message }) => `${[type, ...path].join('.')}: ${message}`).join('; ') });
}
