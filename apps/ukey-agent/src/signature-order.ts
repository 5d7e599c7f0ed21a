import { z } from 'zod';
import { AppError, zodReason } from '#libs/platform/host';
import { Approval } from '#libs/signature';

const keyDigest = z.string().regex(/^[0-9A-F]{64}$/, 'SHA-256 as upper-case hex');
/** 16 to 64 bytes: what no page can guess and no question needs more of. */
const challenge = z.string().min(22).max(86).regex(/^[A-Za-z0-9_-]+$/, 'base64url without padding').transform((text) => Uint8Array.from(Buffer.from(text, 'base64url')));

const ukeyApproval = Approval.options.find(({ shape }) => shape.method.value === 'ukey') as Extract<(typeof Approval.options)[number], { shape: { method: { value: 'ukey' } } }>;

/** What a page may ask for. The subject is read on its own, so that a foreign one is named as such. */
export const SignatureOrder = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('signIn'), challenge, keyDigest }),
  z.strictObject({ kind: z.literal('enrol'), challenge, keyDigest }),
  z.strictObject({ kind: z.literal('approve'), subject: z.unknown(), terms: ukeyApproval.omit({ signature: true }), keyDigest }),
]);
export type SignatureOrder = z.infer<typeof SignatureOrder>;

/** Throws REQUEST_INVALID. */
export function readOrder(body: Uint8Array): SignatureOrder {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (error) {
    throw new AppError('REQUEST_INVALID', { reason: 'not JSON' }, { cause: error });
  }
  const parsed = SignatureOrder.safeParse(value);
  if (!parsed.success) throw new AppError('REQUEST_INVALID', { reason: zodReason(parsed.error) });
  return parsed.data;
}
