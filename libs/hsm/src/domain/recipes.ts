import { z } from 'zod';
import { SIGN_PURPOSES } from '#libs/platform/domain';
import { ASYMMETRIC_ALGORITHMS, SYMMETRIC_ALGORITHMS } from './algorithms.js';
import { PACKED_RECIPES } from './batch.js';
import { CUSTODIANS_LEAST, CUSTODIANS_MOST, EscrowPackage, SHARE_ALGORITHMS } from './escrow.js';
import { DEVICE_GROUPS } from './device-group.js';
import { PIN_ANSWERS } from './pin-question.js';
import { KEY_CLASSES, type DiversificationClass, type KeyClass, type SigningClass } from './key-class.js';

/** A policy of 256 approvers, each with its credential, and their approvals. */
const POLICY_TEXT_MOST = 2 * 1024 * 1024;
/** Signatures in one call at most. */
export const SIGN_MOST = 1000;

/** Values that crossed a socket or an IPC channel come from another realm: looked at by tag, not by prototype. */
const bytes = (least: number, most: number = least) =>
  z.custom<Uint8Array>(
    (value) => Object.prototype.toString.call(value) === '[object Uint8Array]' && inRange((value as Uint8Array).length, least, most),
    { message: least === most ? `${least} bytes` : `${least} to ${most} bytes` },
  );
const packed = z.strictObject({ batch: bytes(9, 4 * 1024 * 1024) });

const keyId = z.string().regex(/^[0-9A-F]{32}$/, '32 upper-case hex characters');
const label = z.string().min(1).max(64).regex(/^\P{Cc}+$/u, 'a label has no control characters');
const rule = z.string().regex(/^[A-Za-z]{1,32}(:[A-Za-z]{1,31})?$/, 'a rule of the policy');
const device = z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/, 'a device name');

const classesOf = (kind: 'diversification' | 'signing') =>
  (Object.keys(KEY_CLASSES) as KeyClass[]).filter((name) => KEY_CLASSES[name].kind === kind);
const diversificationClass = z.enum(classesOf('diversification') as [DiversificationClass, ...DiversificationClass[]]);
const signingClass = z.enum(classesOf('signing') as [SigningClass, ...SigningClass[]]);

/** SubjectPublicKeyInfo, DER; RSA 4096 has 550 bytes. */
const wrappingKey = { algorithm: z.enum(SHARE_ALGORITHMS), publicKey: bytes(80, 1024) };
const custodianIndex = z.int().min(1).max(CUSTODIANS_MOST);

/** The request of every recipe that a client may name. Unknown fields are refused. */
export const RECIPES = {
  devices: z.strictObject({}),
  fleet: z.strictObject({}),
  generateKey: z.strictObject({ keyId, label, keyClass: diversificationClass, algorithm: z.enum(SYMMETRIC_ALGORITHMS) }),
  generateKeyPair: z.strictObject({ keyId, label, keyClass: signingClass, algorithm: z.enum(ASYMMETRIC_ALGORITHMS) }),
  importTestTransportKey: z.strictObject({ keyId, label }),
  transfer: z.strictObject({ keyId, from: device, to: device }),
  seal: z.strictObject({ keyId }),
  /** Bounds and layout of a batch: domain/batch.ts. */
  checkValues: packed,
  fingerprints: packed,
  protectForCard: packed,
  commandMacs: packed,
  authenticateToCard: packed,
  purchaseMacs: packed,
  tacs: packed,
  sign: z.strictObject({
    items: z.array(z.strictObject({ keyId, purpose: z.enum(SIGN_PURPOSES), bytes: bytes(2, 4 * 1024 * 1024) })).min(1).max(SIGN_MOST).readonly(),
  }),
  /** The public keys that the device trusts afterwards, entered by its security officer; none = none. */
  escrowTrust: z.strictObject({ keys: z.array(z.strictObject(wrappingKey)).max(CUSTODIANS_MOST) }),
  /** `splitId`: fresh and random, chosen by who asks. */
  escrowSplit: z.strictObject({
    keyId,
    splitId: keyId,
    m: z.int().min(CUSTODIANS_LEAST).max(CUSTODIANS_MOST),
    custodians: z.array(z.strictObject({ index: custodianIndex, ...wrappingKey })).min(CUSTODIANS_LEAST).max(CUSTODIANS_MOST),
  }),
  escrowTarget: z.strictObject({ splitId: keyId, algorithm: z.enum(SHARE_ALGORITHMS) }),
  /** `shares`: K_i as custodian i's token has wrapped it to the target, in ascending order. */
  escrowRecover: z.strictObject({
    keyId,
    escrow: EscrowPackage,
    shares: z.array(z.strictObject({ index: custodianIndex, wrapped: bytes(64, 512) })).min(1).max(CUSTODIANS_MOST),
  }),
  escrowAbort: z.strictObject({ splitId: keyId }),
  destroy: z.strictObject({ keyId }),
  inventory: z.strictObject({}),
  knownAnswers: z.strictObject({}),
  /** A patrol note, or a step of onboarding, firmware change or return to the vendor, in the record of a device. */
  deviceNote: z.strictObject({ device, step: z.string().max(64), by: z.string().min(1).max(64), note: z.string().max(1000) }),
  pinQuestions: z.strictObject({}),
  pinAnswer: z.strictObject({ device, tokenSerial: z.string().max(32), pinId: keyId, answer: z.enum(PIN_ANSWERS) }),
  /** Every version of the signed policy, the first one first. */
  policyChain: z.strictObject({}),
  /** The next version as JSON; judged by the one in force where it is kept (supervisor/policy-folder.ts). */
  addPolicy: z.strictObject({ signed: z.string().min(2).max(POLICY_TEXT_MOST) }),
  stop: z.strictObject({ rule }),
  start: z.strictObject({ rule }),
} as const;

export type RecipeName = keyof typeof RECIPES;

/** What the supervisor answers itself: no device hears of it. */
export type SupervisorRecipe = 'devices' | 'fleet' | 'deviceNote' | 'pinQuestions' | 'pinAnswer' | 'policyChain' | 'addPolicy' | 'stop' | 'start';

/** Recipes that may be asked of a group and moved to a sibling: they change nothing in a device. */
export const IDEMPOTENT_RECIPES: ReadonlySet<RecipeName> = new Set([...PACKED_RECIPES, 'sign']);
export type RecipeRequest<R extends RecipeName> = z.infer<(typeof RECIPES)[R]>;

/** What a client sends: the recipe, the device (empty for `devices` and `transfer`, which name theirs otherwise), the request. */
export const ClientRequest = z.strictObject({
  id: z.int().min(0),
  recipe: z.enum(Object.keys(RECIPES) as [RecipeName, ...RecipeName[]]),
  /** A device, a group for idempotent recipes, or empty. */
  device: z.union([device, z.enum(DEVICE_GROUPS.map((group) => `@${group}` as const)), z.literal('')]),
  request: z.unknown(),
  online: z.boolean().default(true),
  paired: z.boolean().default(false),
  /** Approvals or a ticket; read and judged by the gate alone. */
  authorisation: z.unknown().optional(),
});
export type ClientRequest = z.infer<typeof ClientRequest>;

/** What comes back. `error.code` is an ErrorCode; unknown codes of a newer supervisor become INTERNAL at the client. */
export const SupervisorReply = z.union([
  z.strictObject({ id: z.int().min(0), ok: z.unknown() }),
  z.strictObject({
    id: z.int().min(0),
    error: z.strictObject({
      code: z.string(),
      details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.array(z.string())])),
    }),
  }),
]);
export type SupervisorReply = z.infer<typeof SupervisorReply>;

function inRange(value: number, least: number, most: number): boolean {
  return value >= least && value <= most;
}
