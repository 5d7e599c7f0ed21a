import graphene from 'graphene-pk11';
import pkcs11js from 'pkcs11js';
import { vendorProfile } from '../domain/profiles.js';
import type { TokenPlace } from '../ipc.js';
import { collect, openModule } from './open-token.js';

/** An NSS database starts with an empty security-officer PIN and has none afterwards. */
const NSS_SO_PIN = '';
/** NSS: slot 1 is its cryptographic services, slot 2 the database. */
const NSS_DATABASE_SLOT = 1;

/** Makes the embedded token in its empty folder: label, security-officer PIN, user PIN. Simulators only. */
export function initialiseToken(place: TokenPlace, label: string, soPin: Uint8Array, pin: Uint8Array): void {
  const { initialisation } = vendorProfile(place.profile);
  if (initialisation === 'none') throw new Error('this profile is initialised by its vendor’s tools');
  const { lib, module } = openModule(place);
  const slots = [...collect(module.getSlots(true))];
  const softhsm = initialisation === 'softhsm';
  const slot = softhsm ? slots.at(-1) : slots[NSS_DATABASE_SLOT];
  if (slot === undefined) throw new Error('the module has no free slot');
  const so = softhsm ? text(soPin) : NSS_SO_PIN;
  // CK_TOKEN_INFO.label is 32 bytes padded with spaces; pkcs11js hands the string over as it is.
  if (softhsm) lib.C_InitToken(slot.handle, so, label.padEnd(32, ' '));
  const ready = [...collect(module.getSlots(true))].find((each) => each.getToken().label.trim() === label);
  if (ready === undefined) throw new Error('the new token does not show up');
  const session = ready.open(graphene.SessionFlag.SERIAL_SESSION | graphene.SessionFlag.RW_SESSION);
  lib.C_Login(session.handle, pkcs11js.CKU_SO, so);
  lib.C_InitPIN(session.handle, text(pin));
  lib.C_Logout(session.handle);
  lib.C_Finalize();
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}
