import graphene from 'graphene-pk11';
import pkcs11js from 'pkcs11js';
import { vendorProfile } from '../domain/profiles.js';
import { PIN_REFUSALS } from '../domain/pkcs11-errors.js';
import type { TokenPlace } from '../ipc.js';
import { ckrOf, Token } from './token.js';

export class TokenMissing extends Error {}
/** The token refused the PIN. Nobody tries it again until an operator has looked. */
export class PinRefused extends Error {}

export interface OpenedModule {
  readonly lib: pkcs11js.PKCS11;
  readonly module: graphene.Module;
}

/** Throws TokenMissing when the module cannot be loaded or initialised: without it there is no token. */
export function openModule(place: TokenPlace): OpenedModule {
  try {
    const lib = new pkcs11js.PKCS11();
    lib.load(place.module);
    const module = new graphene.Module(lib);
    const locking = { flags: pkcs11js.CKF_OS_LOCKING_OK };
    module.initialize(place.libraryParameters === '' ? locking : { ...locking, libraryParameters: place.libraryParameters });
    return { lib, module };
  } catch (error) {
    throw new TokenMissing(`${place.module}: ${(error as Error).message}`);
  }
}

export interface OpenedToken {
  readonly token: Token;
  readonly serial: string;
  readonly label: string;
}

/** Finds the token and logs in once. Throws TokenMissing, PinRefused. */
export function openToken(place: TokenPlace, pin: Uint8Array): OpenedToken {
  const { lib, module } = openModule(place);
  const slot = findSlot(module, place);
  const found = slot.getToken();
  if ((found.flags & graphene.TokenFlag.USER_PIN_INITIALIZED) === 0) throw new TokenMissing('the token has no user PIN');
  const session = slot.open(graphene.SessionFlag.SERIAL_SESSION | graphene.SessionFlag.RW_SESSION);
  login(session, pin);
  return { token: new Token(place.device, vendorProfile(place.profile), lib, session.handle), serial: found.serialNumber.trim(), label: found.label.trim() };
}

function findSlot(module: graphene.Module, place: TokenPlace): graphene.Slot {
  const slots = [...collect(module.getSlots(true))].filter((slot, index) => {
    const token = slot.getToken();
    return (
      (place.slot === undefined || place.slot === index) &&
      (place.label === undefined || token.label.trim() === place.label) &&
      (place.serial === undefined || token.serialNumber.trim() === place.serial)
    );
  });
  const [slot] = slots;
  if (slot === undefined) throw new TokenMissing('no token with this label and serial number');
  if (slots.length > 1) throw new TokenMissing(`${slots.length} tokens with this label: give serial number or slot`);
  return slot;
}

export function* collect(slots: graphene.SlotCollection): Generator<graphene.Slot> {
  for (let i = 0; i < slots.length; i++) yield slots.items(i);
}

/** pkcs11js takes the PIN as a string, which cannot be wiped; it lives for this call and until the next collection. */
function login(session: graphene.Session, pin: Uint8Array): void {
  try {
    session.login(Buffer.from(pin.buffer, pin.byteOffset, pin.byteLength).toString('utf8'));
  } catch (error) {
    const ckr = ckrOf(error);
    if (ckr !== undefined && PIN_REFUSALS.includes(ckr)) throw new PinRefused(ckr);
    throw error;
  }
}
