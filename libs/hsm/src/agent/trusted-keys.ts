import pkcs11js, { type Handle } from 'pkcs11js';
import { toHex } from '#libs/platform/domain';
import { Capabilities } from '../domain/capabilities.js';
import type { WrappingKey } from '../domain/escrow.js';
import type { VendorProfile } from '../domain/vendor-profile.js';
import { type FoundToken, login } from './open-token.js';
import { Token } from './token.js';
import { TRUSTED_LABEL, wrappingKeyId, wrappingKeyTemplate } from './wrapping-keys.js';

/**
 * The security officer's act: these public keys and no others are trusted afterwards. Nobody may be logged in beside him, so it runs in
 * a process of its own. Throws PinRefused, Pkcs11Error.
 */
export function enterTrustedKeys({ place, lib, slot }: FoundToken, profile: VendorProfile, soPin: Uint8Array, keys: readonly WrappingKey[]): void {
  const session = lib.C_OpenSession(slot, pkcs11js.CKF_SERIAL_SESSION | pkcs11js.CKF_RW_SESSION);
  try {
    login(place.module, session, soPin, 'officer');
    const mechanisms = lib.C_GetMechanismList(slot).map((number) => number >>> 0);
    const token = new Token(place.device, profile, new Capabilities(place.device, profile, mechanisms), lib, session);
    for (const { algorithm } of keys) token.capabilities.requireShares(algorithm);
    const templates = keys.map((key) => ({
      ...wrappingKeyTemplate(profile, key), CKA_TOKEN: true, CKA_PRIVATE: false, CKA_ID: wrappingKeyId(key.publicKey), CKA_LABEL: `${TRUSTED_LABEL}${toHex(wrappingKeyId(key.publicKey))}`, CKA_TRUSTED: true,
    }));
    for (const handle of earlier(token)) token.destroy(handle);
    for (const template of templates) token.create(template);
    lib.C_Logout(session);
  } finally {
    lib.C_CloseSession(session);
  }
}

/** Public keys that an officer entered before. */
export function earlier(token: Token): Handle[] {
  return token.find({ CKA_CLASS: pkcs11js.CKO_PUBLIC_KEY, CKA_TRUSTED: true }).filter((handle) => token.text(handle, 'CKA_LABEL').startsWith(TRUSTED_LABEL));
}
