import { z } from 'zod';
import { fromHex } from '#libs/platform';

/** Forms that arguments take on the command socket. */
export const base64 = z
  .base64()
  .max(14_000_000)
  .transform((text) => Uint8Array.from(Buffer.from(text, 'base64')));
export const hex = z
  .string()
  .regex(/^([0-9a-fA-F]{2})*$/)
  .max(4_096)
  .transform(fromHex);
export const instant = z.iso.datetime({ offset: true }).transform((text) => new Date(text));
export const label = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9/._-]{0,63}$/);

export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
