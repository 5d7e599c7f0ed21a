import graphene from 'graphene-pk11';
import type { VendorProfile } from '../domain/vendor-profile.js';
import type { TokenPlace } from '../ipc.js';
import { openModule } from './open-token.js';

/**
 * How an embedded token is made. SoftHSM and hsm-sim: C_InitToken on the last slot, with a security-officer PIN of ours.
 * NSS: slot 1 is its cryptographic services, slot 2 the database, which starts with an empty PIN and has no other afterwards.
 */
const MAKING = {
  softhsm: { initialises: true, slot: -1 },
  'hsm-sim': { initialises: true, slot: -1 },
  nss: { initialises: false, slot: 1 },
} as const;

/** Makes the embedded token in its empty folder: label, security-officer PIN, user PIN. Simulators only. */
export function initialiseToken(place: TokenPlace, profile: VendorProfile, label: string, soPin: Uint8Array, pin: Uint8Array): void {
  if (profile.initialisation === 'none') throw new Error('this profile is initialised by its vendor’s tools');
  const making = MAKING[profile.initialisation];
  const module = new graphene.Module(openModule(place).lib);
  const slot = slotsOf(module).at(making.slot);
  if (slot === undefined) throw new Error('the module has no free slot');
  const so = making.initialises ? text(soPin) : '';
  // CK_TOKEN_INFO.label is 32 bytes padded with spaces; graphene hands the string over as it is.
  if (making.initialises) module.lib.C_InitToken(slot.handle, so, label.padEnd(32, ' '));
  const ready = slotsOf(module).find((each) => each.getToken().label.trim() === label);
  if (ready === undefined) throw new Error('the new token does not show up');
  const session = ready.open(graphene.SessionFlag.SERIAL_SESSION | graphene.SessionFlag.RW_SESSION);
  session.login(so, graphene.UserType.SO);
  session.initPin(text(pin));
  session.logout();
  module.finalize();
}

function slotsOf(module: graphene.Module): graphene.Slot[] {
  const slots = module.getSlots(true);
  return Array.from({ length: slots.length }, (_, index) => slots.items(index));
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}
