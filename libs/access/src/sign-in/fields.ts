import { z } from 'zod';
import { fromHex } from '#libs/platform/domain';
import { Digest } from '../domain/record.js';

/** base64url without padding, `most` bytes at most. */
export const base64url = (most: number) =>
  z
    .string()
    .min(1)
    .max(Math.ceil((most * 4) / 3))
    .regex(/^[A-Za-z0-9_-]+$/, 'base64url')
    .transform((text) => Uint8Array.from(Buffer.from(text, 'base64url')));
export const hexBytes = (most: number) => z.string().max(2 * most).regex(/^([0-9A-Fa-f]{2})+$/, 'hex').transform(fromHex);

/** The longest credential id there is (WebAuthn 4): 1023 bytes. */
export const CREDENTIAL_ID_BYTES = 1023;

/** How somebody shows to hold the key: an authenticator's assertion, or a signature of a UKey over `signInBytes`. */
export const Possession = {
  webauthn: z
    .strictObject({ credentialId: base64url(CREDENTIAL_ID_BYTES), authenticatorData: base64url(1024), clientDataJson: base64url(2048), signature: base64url(80) })
    .optional(),
  ukey: z.strictObject({ keyDigest: Digest, origin: z.string().min(1).max(300), signature: hexBytes(80) }).optional(),
};
export interface Possession {
  readonly webauthn?: { readonly credentialId: Uint8Array; readonly authenticatorData: Uint8Array; readonly clientDataJson: Uint8Array; readonly signature: Uint8Array } | undefined;
  readonly ukey?: { readonly keyDigest: string; readonly origin: string; readonly signature: Uint8Array } | undefined;
}
