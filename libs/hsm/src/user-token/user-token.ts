import { createPublicKey } from 'node:crypto';
import pkcs11js, { type Handle, type PKCS11, type TokenInfo } from 'pkcs11js';
import { AppError, fromHex, type SecretBytes } from '#libs/platform/domain';
import { sm2Z, verifySm2 } from '#libs/signature';
import { CKF_USER_PIN_INITIALIZED, login, openModule, PinRefused, slotsWithToken, TokenMissing } from '../agent/open-token.js';
import { releasedSignature, signInput } from '../agent/signature-form.js';
import { requireNumber } from '../agent/templates.js';
import { ckrOf, Token } from '../agent/token.js';
import { Capabilities } from '../domain/capabilities.js';
import { pkcs11ErrorDetails } from '../domain/pkcs11-errors.js';
import type { VendorProfile } from '../domain/vendor-profile.js';
import { readUserKeys, type UserTokenKey } from './user-keys.js';

export type { UserTokenKey } from './user-keys.js';

export interface UserTokenPlace {
  /** Path of the PKCS#11 module. */
  readonly module: string;
  readonly profile: VendorProfile;
  /** Undefined: the only token that is plugged in. */
  readonly serial: string | undefined;
}

/** What the token says of the tries that are left; `unknown` = it says nothing (PKCS#11 v2.40, CK_TOKEN_INFO flags). */
export type PinState = 'unknown' | 'fewLeft' | 'lastTry' | 'locked';

const PIN_FLAGS: readonly (readonly [flag: number, state: PinState])[] = [
  [0x40000, 'locked'],
  [0x20000, 'lastTry'],
  [0x10000, 'fewLeft'],
];

const TRIES_LEFT: Readonly<Record<PinState, { readonly zh: string; readonly en: string }>> = {
  unknown: { zh: '剩余次数未知', en: 'tries left: the token does not say' },
  fewLeft: { zh: '剩余次数不多', en: 'few tries are left' },
  lastTry: { zh: '只剩最后一次', en: 'one try is left' },
  locked: { zh: '已锁定', en: 'it is locked now' },
};

/**
 * The token of one person. Logged in for one signature at a time: what stays plugged in between is of no use without its PIN. Calls block;
 * the program that holds it does nothing else. Throws UKEY_MISSING, UKEY_KEY_UNKNOWN, UKEY_PIN_REFUSED, UKEY_PIN_LOCKED, HSM_ERROR,
 * HSM_ANSWER_WRONG, HSM_CAPABILITY_MISSING.
 */
export class UserToken {
  private constructor(
    private readonly lib: PKCS11,
    private readonly place: UserTokenPlace,
  ) {}

  /** Loads the module; the token itself may be plugged in later. */
  static open(place: UserTokenPlace): UserToken {
    try {
      return new UserToken(openModule({ device: 'ukey', module: place.module, moduleSha256: undefined, libraryParameters: '', label: undefined, serial: place.serial, slot: undefined }).lib, place);
    } catch (error) {
      throw missing(error);
    }
  }

  /** Needs no PIN. */
  keys(): { readonly serial: string; readonly pin: PinState; readonly keys: UserTokenKey[] } {
    return this.inSession((token, info) => ({ serial: serialOf(info), pin: pinState(info), keys: readUserKeys(token) }));
  }

  /** P-256: ECDSA with SHA-256; SM2 with SM3 and the default ID. DER, verified under the public key before it leaves. */
  sign(keyDigest: string, bytes: Uint8Array, pin: SecretBytes): Uint8Array {
    return this.inSession((token, info) => {
      const key = readUserKeys(token).find((each) => each.keyDigest === keyDigest);
      if (key === undefined) throw new AppError('UKEY_KEY_UNKNOWN', { keyDigest });
      token.capabilities.requireSigning('sign', key.algorithm);
      if (pinState(info) === 'locked') throw new AppError('UKEY_PIN_LOCKED', { token: serialOf(info) });
      this.login(token, pin);
      try {
        return this.signed(token, key, bytes);
      } finally {
        token.lib.C_Logout(token.session);
      }
    });
  }

  private signed(token: Token, key: UserTokenKey, bytes: Uint8Array): Uint8Array {
    const privateKey = this.privateHalf(token, key);
    const { mechanism, data, most } = signInput(token.profile, key, bytes, { sm2Z, verifySm2 });
    token.lib.C_SignInit(token.session, { mechanism: requireNumber(token.profile, mechanism) }, privateKey);
    const answer = new Uint8Array(token.lib.C_Sign(token.session, Buffer.from(data), Buffer.alloc(most)));
    const publicKey = createPublicKey({ key: Buffer.from(key.spki), format: 'der', type: 'spki' });
    return releasedSignature(token.device, token.profile, { ...key, publicKey }, { keyId: key.keyId, bytes }, answer, { sm2Z, verifySm2 });
  }

  /** A token of two pairs may hold both under one CKA_ID: the one that signs. */
  private privateHalf(token: Token, { keyId, keyDigest }: UserTokenKey): Handle {
    const [handle, ...more] = token.find({ CKA_CLASS: pkcs11js.CKO_PRIVATE_KEY, CKA_ID: fromHex(keyId), CKA_SIGN: true });
    if (handle === undefined) throw new AppError('UKEY_KEY_UNKNOWN', { keyDigest });
    if (more.length > 0) throw new AppError('KEY_ID_AMBIGUOUS', { device: token.device, keyId, count: 1 + more.length });
    return handle;
  }

  private login(token: Token, pin: SecretBytes): void {
    try {
      pin.reveal((bytes) => login(this.place.module, token.session, bytes));
    } catch (error) {
      if (!(error instanceof PinRefused)) throw error;
      const info = this.slot().info;
      if (error.message === 'CKR_PIN_LOCKED') throw new AppError('UKEY_PIN_LOCKED', { token: serialOf(info) }, { cause: error });
      const tries = TRIES_LEFT[pinState(info)];
      throw new AppError('UKEY_PIN_REFUSED', { token: serialOf(info), ckr: error.message, triesZh: tries.zh, triesEn: tries.en }, { cause: error });
    }
  }

  private inSession<T>(work: (token: Token, info: TokenInfo) => T): T {
    try {
      const { slot, info } = this.slot();
      const session = this.lib.C_OpenSession(slot, pkcs11js.CKF_SERIAL_SESSION | pkcs11js.CKF_RW_SESSION);
      try {
        const mechanisms = this.lib.C_GetMechanismList(slot).map((number) => number >>> 0);
        return work(new Token(serialOf(info), this.place.profile, new Capabilities(serialOf(info), this.place.profile, mechanisms), this.lib, session), info);
      } finally {
        this.lib.C_CloseSession(session);
      }
    } catch (error) {
      const ckr = ckrOf(error);
      if (error instanceof AppError) throw error;
      if (error instanceof TokenMissing) throw missing(error);
      if (ckr !== undefined) throw new AppError('HSM_ERROR', pkcs11ErrorDetails(this.place.serial ?? 'ukey', ckr), { cause: error });
      throw error;
    }
  }

  /** Looked for each time: people plug tokens in and take them out. */
  private slot(): { slot: Handle; info: TokenInfo } {
    const slots = slotsWithToken(this.lib).filter(({ info }) => (info.flags & CKF_USER_PIN_INITIALIZED) !== 0 && (this.place.serial === undefined || serialOf(info) === this.place.serial));
    const [found] = slots;
    if (found === undefined) throw new TokenMissing(this.place.serial === undefined ? 'no token is plugged in' : `no token with serial number ${this.place.serial}`);
    if (slots.length > 1) throw new TokenMissing(`${slots.length} tokens are plugged in: give tokenSerial`);
    return found;
  }
}

function serialOf(info: TokenInfo): string {
  return info.serialNumber.trim();
}

function pinState({ flags }: TokenInfo): PinState {
  return PIN_FLAGS.find(([flag]) => (flags & flag) !== 0)?.[1] ?? 'unknown';
}

function missing(error: unknown): AppError {
  return new AppError('UKEY_MISSING', { reason: (error as Error).message }, { cause: error });
}
