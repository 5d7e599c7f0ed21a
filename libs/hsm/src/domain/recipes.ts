import { z } from 'zod';
import { SIGN_PURPOSES } from '#libs/platform/domain';
import { DEEPEST_PATH } from './class-rules.js';
import { FACTOR_BYTES } from './factors.js';
import { KEY_CLASSES, type DiversificationClass, type KeyClass, type SigningClass } from './key-class.js';

/** Items in one call at most: one round trip serves many cards, and still no call holds a device for long. */
export const BATCH_MOST = 1000;

/** Values that crossed a socket or an IPC channel come from another realm: looked at by tag, not by prototype. */
const bytes = (least: number, most: number = least) =>
  z.custom<Uint8Array>(
    (value) => Object.prototype.toString.call(value) === '[object Uint8Array]' && inRange((value as Uint8Array).length, least, most),
    { message: least === most ? `${least} bytes` : `${least} to ${most} bytes` },
  );
const batch = <T extends z.ZodType>(item: T) => z.array(item).min(1).max(BATCH_MOST).readonly();

const keyId = z.string().regex(/^[0-9A-F]{32}$/, '32 upper-case hex characters');
const label = z.string().min(1).max(64).regex(/^\P{Cc}+$/u, 'a label has no control characters');
const device = z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/, 'a device name');
const keyPath = z.strictObject({ keyId, factors: z.array(bytes(FACTOR_BYTES)).max(DEEPEST_PATH).readonly() });
const challenge = bytes(4, 8).refine(({ length }) => length === 4 || length === 8, '4 or 8 bytes');
const command = bytes(4);

const classesOf = (kind: 'diversification' | 'signing') =>
  (Object.keys(KEY_CLASSES) as KeyClass[]).filter((name) => KEY_CLASSES[name].kind === kind);
const diversificationClass = z.enum(classesOf('diversification') as [DiversificationClass, ...DiversificationClass[]]);
const signingClass = z.enum(classesOf('signing') as [SigningClass, ...SigningClass[]]);

/** The request of every recipe that a client may name. Unknown fields are refused. */
export const RECIPES = {
  devices: z.strictObject({}),
  generateKey: z.strictObject({ keyId, label, keyClass: diversificationClass, algorithm: z.enum(['3des2', 'aes128']) }),
  generateKeyPair: z.strictObject({ keyId, label, keyClass: signingClass, algorithm: z.enum(['p256', 'rsa2048']) }),
  importTestTransportKey: z.strictObject({ keyId, label }),
  transfer: z.strictObject({ keyId, from: device, to: device }),
  seal: z.strictObject({ keyId }),
  checkValues: z.strictObject({ items: batch(z.strictObject({ key: keyPath, method: z.enum(['zero3', 'cmac5']) })) }),
  fingerprints: z.strictObject({ keyIds: batch(keyId) }),
  protectForCard: z.strictObject({
    items: batch(z.strictObject({ key: keyPath, controlKey: keyPath, header: bytes(1, 32), command, challenge })),
  }),
  /** 251 bytes of data and a MAC of 4 fill a short APDU. */
  commandMacs: z.strictObject({ items: batch(z.strictObject({ key: keyPath, command, data: bytes(0, 251), challenge })) }),
  authenticateToCard: z.strictObject({ items: batch(z.strictObject({ key: keyPath, challenge })) }),
  purchaseMacs: z.strictObject({ items: batch(z.strictObject({ key: keyPath, sessionInput: bytes(8), data: bytes(1, 64) })) }),
  sign: z.strictObject({ items: batch(z.strictObject({ keyId, purpose: z.enum(SIGN_PURPOSES), bytes: bytes(2, 4 * 1024 * 1024) })) }),
  destroy: z.strictObject({ keyId }),
  inventory: z.strictObject({}),
  knownAnswers: z.strictObject({}),
} as const;

export type RecipeName = keyof typeof RECIPES;
export type RecipeRequest<R extends RecipeName> = z.infer<(typeof RECIPES)[R]>;

/** What a client sends: the recipe, the device (empty for `devices` and `transfer`, which name theirs otherwise), the request. */
export const ClientRequest = z.strictObject({
  id: z.int().min(0),
  recipe: z.enum(Object.keys(RECIPES) as [RecipeName, ...RecipeName[]]),
  device: z.union([device, z.literal('')]),
  request: z.unknown(),
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
