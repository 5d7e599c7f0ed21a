import pkcs11js, { type Handle } from 'pkcs11js';
import { SYMMETRIC_ALGORITHMS } from '../domain/algorithms.js';
import { Capabilities } from '../domain/capabilities.js';
import { numberOf, SYMMETRIC_NAMES } from '../domain/mechanisms.js';
import { ckrName, PIN_REFUSALS } from '../domain/pkcs11-errors.js';
import type { IdentityProof } from '../domain/token-identity.js';
import type { VendorProfile } from '../domain/vendor-profile.js';
import type { TokenDescription, TokenPlace } from '../ipc.js';
import type { Executor } from './executor.js';
import { loadPinned, ModuleChanged } from './module-digest.js';
import { native } from './native.js';
import { handleNumber, Token } from './token.js';
import { proveIdentity } from './token-identity.js';

export const CKF_USER_PIN_INITIALIZED = 0x8;
/** CK_UNAVAILABLE_INFORMATION as pkcs11js shows it, and CK_EFFECTIVELY_INFINITE: the token says no number. */
const noLimit = (count: number): boolean => count <= 0 || count >= 0x7fffffff;
/** A number that no module has: the algorithm is refused before it is used. */
const NONE = 0xffffffff;

export class TokenMissing extends Error {}
/** The token refused the PIN. Nobody tries it again until an operator has looked. */
export class PinRefused extends Error {}

export interface OpenedModule {
  readonly lib: pkcs11js.PKCS11;
  /** SHA-256 of its file, hex. */
  readonly digest: string;
}

/** Loads and initialises. Throws ModuleChanged, and TokenMissing when that fails: without the module there is no token. */
export function openModule(place: TokenPlace): OpenedModule {
  try {
    const lib = new pkcs11js.PKCS11();
    const digest = loadPinned(place.module, place.moduleSha256, () => lib.load(place.module));
    const locking = { flags: pkcs11js.CKF_OS_LOCKING_OK };
    lib.C_Initialize(place.libraryParameters === '' ? locking : { ...locking, libraryParameters: place.libraryParameters });
    return { lib, digest };
  } catch (error) {
    if (error instanceof ModuleChanged) throw new ModuleChanged(`${place.module}: ${error.message}`);
    throw new TokenMissing(`${place.module}: ${(error as Error).message}`);
  }
}

export interface OpenedToken {
  readonly token: Token;
  readonly executor: Executor;
  readonly description: TokenDescription;
  readonly identity: IdentityProof | undefined;
}

export interface FoundToken {
  readonly place: TokenPlace;
  readonly lib: pkcs11js.PKCS11;
  readonly moduleDigest: string;
  readonly slot: Handle;
  readonly info: pkcs11js.TokenInfo;
}

/** Throws TokenMissing, ModuleChanged. */
export function findToken(place: TokenPlace): FoundToken {
  const { lib, digest: moduleDigest } = openModule(place);
  const { slot, info } = findSlot(lib, place);
  if ((info.flags & CKF_USER_PIN_INITIALIZED) === 0) throw new TokenMissing('the token has no user PIN');
  return { place, lib, moduleDigest, slot, info };
}

/** Logs in once, opens the executor's sessions, lets the token answer the challenge. Throws PinRefused, ExecutorError. */
export function openToken({ place, lib, moduleDigest, slot, info }: FoundToken, profile: VendorProfile, pin: Uint8Array, identityNonce: Uint8Array): OpenedToken {
  const session = lib.C_OpenSession(slot, pkcs11js.CKF_SERIAL_SESSION | pkcs11js.CKF_RW_SESSION);
  login(place.module, session, pin);
  const mechanisms = lib.C_GetMechanismList(slot).map((number) => number >>> 0).sort((a, b) => a - b);
  const capabilities = new Capabilities(place.device, profile, mechanisms);
  const token = new Token(place.device, profile, capabilities, lib, session);
  const { major, minor } = info.firmwareVersion;
  return {
    token,
    executor: native.open({ modulePath: place.module, slot: Number(handleNumber(slot)), sessions: sessionsFor(profile, info), ...executorNumbers(profile) }),
    description: {
      serial: info.serialNumber.trim(),
      label: info.label.trim(),
      manufacturer: info.manufacturerID.trim(),
      model: info.model.trim(),
      firmware: `${major}.${minor}`,
      flags: info.flags,
      mechanisms,
      missing: capabilities.missing,
      moduleSha256: moduleDigest,
    },
    identity: profile.identity === undefined ? undefined : proveIdentity(token, profile.identity, identityNonce),
  };
}

/** One of the token's sessions is the login's. */
function sessionsFor(profile: VendorProfile, { maxSessionCount, maxRwSessionCount }: pkcs11js.TokenInfo): number {
  const limits = [maxSessionCount, maxRwSessionCount].filter((count) => !noLimit(count)).map((count) => count - 1);
  return Math.max(1, Math.min(profile.tuning.sessions, ...limits));
}

function executorNumbers(profile: VendorProfile): Pick<Parameters<typeof native.open>[0], 'algorithms' | 'xorHalves' | 'checkValueAttribute'> {
  const number = (name: string): number => numberOf(profile, name) ?? NONE;
  return {
    algorithms: SYMMETRIC_ALGORITHMS.map((algorithm) => {
      const { keyType, encryptData, ecb, cbc, blockBytes, valueLength } = SYMMETRIC_NAMES[algorithm];
      return { keyType: number(keyType), encryptData: number(encryptData), ecb: number(ecb), cbc: number(cbc), blockBytes, valueLength };
    }),
    xorHalves: numberOf(profile, 'CKM_XOR_HALVES') ?? 0,
    checkValueAttribute: profile.checkValue === 'attribute',
  };
}

function findSlot(lib: pkcs11js.PKCS11, place: TokenPlace): { slot: Handle; info: pkcs11js.TokenInfo } {
  const slots = slotsWithToken(lib).filter(
    ({ info }, index) =>
      (place.slot === undefined || place.slot === index) &&
      (place.label === undefined || info.label.trim() === place.label) &&
      (place.serial === undefined || info.serialNumber.trim() === place.serial),
  );
  const [found] = slots;
  if (found === undefined) throw new TokenMissing('no token with this label and serial number');
  if (slots.length > 1) throw new TokenMissing(`${slots.length} tokens with this label: give serial number or slot`);
  return found;
}

export function slotsWithToken(lib: pkcs11js.PKCS11): { slot: Handle; info: pkcs11js.TokenInfo }[] {
  return lib.C_GetSlotList(true).map((slot) => ({ slot, info: lib.C_GetTokenInfo(slot) }));
}

/**
 * As CKU_USER, or as CKU_SO. Not by pkcs11js, which takes the PIN as a string that nobody can wipe. Throws PinRefused with the CKR as its message,
 * Pkcs11LoginError.
 */
export function login(modulePath: string, session: Handle, pin: Uint8Array, user: 'user' | 'officer' = 'user'): void {
  const rv = native.login({ modulePath, session: handleNumber(session), user }, pin);
  if (rv === 0) return;
  const ckr = ckrName(rv);
  if (PIN_REFUSALS.includes(ckr)) throw new PinRefused(ckr);
  throw new Pkcs11LoginError(rv);
}

/** C_Login failed for another reason than its PIN. */
class Pkcs11LoginError extends Error {
  constructor(readonly ckr: number) {
    super(`C_Login: ${ckrName(ckr)}`);
  }
}
