import pkcs11js, { type Handle, type KeyPair } from 'pkcs11js';
import { AppError, ascii, concatBytes, toHex } from '#libs/platform/domain';
import { earlier, enterTrustedKeys } from '../agent/trusted-keys.js';
import { ESCROW_KEYS, HELD_SHARE_FLAGS, makeSharePair, shareMechanism } from '../agent/escrow-keys.js';
import { findToken, type FoundToken, login, PinRefused } from '../agent/open-token.js';
import { publicKeyOf } from '../agent/public-keys.js';
import { requireNumber } from '../agent/templates.js';
import { ckrOf, type Temporaries, Token, withTemporaries } from '../agent/token.js';
import { brokenTrustRule } from '../agent/trust-probe.js';
import { findTrusted } from '../agent/wrapping-keys.js';
import { Capabilities } from '../domain/capabilities.js';
import { keyDigestOf, type ShareAlgorithm, spokenFingerprint } from '../domain/escrow.js';
import { SHARE_TRANSPORT } from '../domain/mechanisms.js';
import { isFatal, pkcs11ErrorDetails } from '../domain/pkcs11-errors.js';
import type { CustodianActs, CustodianObject, CustodianPlace } from './custodian-orders.js';

const ESCROW_LABEL = 'escrowCustodian';
/** CKA_ID of the one escrow pair of a token: "hufu/escrow/key" and a zero byte. */
const ESCROW_ID = concatBytes(ascii('hufu/escrow/key'), Uint8Array.of(0));


/** By what a custodian knows that the token is the own one. */
export interface EnrolledToken {
  readonly algorithm: ShareAlgorithm;
  readonly publicKey: Uint8Array;
  readonly keyDigest: string;
  readonly tokenSerial: string;
  readonly spoken: string;
}

/**
 * A custodian's own token: an escrow pair that was made inside and never leaves. What it unwraps is bound by the token itself
 * (CKA_UNWRAP_TEMPLATE): it leaves wrapped to a key that the token's officer trusts, and does nothing else. So the host between token
 * and target never has a share, nor can it send one elsewhere.
 */
export class CustodianToken {
  #found: FoundToken | undefined;

  constructor(private readonly where: CustodianPlace) {}

  /** Throws HSM_CAPABILITY_MISSING, ESCROW_TOKEN_UNFIT; KEY_ID_TAKEN when it has an escrow pair, whose shares would be lost. */
  async enrol({ pin, algorithm }: CustodianActs['enrol']): Promise<EnrolledToken> {
    return this.#asUser(pin, async (token) => {
      token.capabilities.requireShares(algorithm);
      if (ownPair(token, 'CKO_PRIVATE_KEY').length > 0) throw new AppError('KEY_ID_TAKEN', { device: token.device, keyId: toHex(ESCROW_ID) });
      const pair = makePair(token, algorithm);
      try {
        const { spki } = publicKeyOf(token, pair.publicKey);
        const broken = (await brokenTrustRule(token, { algorithm, publicKey: spki })) ?? (await brokenPairRule(token, pair, algorithm));
        if (broken !== undefined) throw new AppError('ESCROW_TOKEN_UNFIT', { device: token.device, rule: broken });
        return { algorithm, publicKey: spki, keyDigest: keyDigestOf(spki), tokenSerial: this.#open().info.serialNumber.trim(), spoken: spokenFingerprint(spki) };
      } catch (error) {
        for (const handle of [pair.privateKey, pair.publicKey]) token.destroy(handle);
        throw error;
      }
    });
  }

  /** Throws ESCROW_FINGERPRINT_DIFFERS: nothing is entered then. */
  trust({ soPin, target, heard }: CustodianActs['trust']): void {
    if (heard.replace(/\s+/g, ' ').trim() !== spokenFingerprint(target.publicKey)) throw new AppError('ESCROW_FINGERPRINT_DIFFERS');
    enterTrustedKeys(this.#open(), this.where.profile, soPin, [target]);
  }

  /** Throws ESCROW_TOKEN_OTHER, ESCROW_KEY_UNTRUSTED, ESCROW_SHARE_INVALID. */
  async openShare({ pin, share, target }: CustodianActs['openShare']): Promise<Uint8Array> {
    return this.#asUser(pin, async (token) => {
      const { privateKey, algorithm } = requireOwn(token, share);
      token.capabilities.requireShares(target.algorithm);
      const trusted = findTrusted(token, target);
      const opened = await withTemporaries(token, (kept) => {
        const held = heldShare(token, kept, privateKey, algorithm, share);
        return token.wrap(trusted, shareMechanism(token.profile, target.algorithm), held, SHARE_TRANSPORT[target.algorithm].bytesMost);
      });
      for (const handle of earlier(token)) token.destroy(handle);
      return opened;
    });
  }

  async inventory({ pin }: CustodianActs['inventory']): Promise<CustodianObject[]> {
    return this.#asUser(pin, async (token) =>
      (['secret', 'private', 'public'] as const).flatMap((objectClass) =>
        token.find({ CKA_CLASS: CLASSES[objectClass] }).map((handle) => ({ objectClass, label: token.text(handle, 'CKA_LABEL'), trusted: token.flag(handle, 'CKA_TRUSTED') })),
      ),
    );
  }

  #open(): FoundToken {
    this.#found ??= findToken(this.where.place);
    return this.#found;
  }

  /** Logged in for this one act. */
  async #asUser<T>(pin: Uint8Array, act: (token: Token) => Promise<T>): Promise<T> {
    const { place, profile } = this.where;
    const { lib, slot } = this.#open();
    const session = lib.C_OpenSession(slot, pkcs11js.CKF_SERIAL_SESSION | pkcs11js.CKF_RW_SESSION);
    try {
      login(place.module, session, pin);
      const mechanisms = lib.C_GetMechanismList(slot).map((number) => number >>> 0);
      return await act(new Token(place.device, profile, new Capabilities(place.device, profile, mechanisms), lib, session));
    } finally {
      // With the last session the login ends, and every session object with it (PKCS#11 v2.40 5.6).
      lib.C_CloseSession(session);
    }
  }
}

const CLASSES = { secret: pkcs11js.CKO_SECRET_KEY, private: pkcs11js.CKO_PRIVATE_KEY, public: pkcs11js.CKO_PUBLIC_KEY } as const;

function ownPair(token: Token, objectClass: 'CKO_PRIVATE_KEY' | 'CKO_PUBLIC_KEY'): Handle[] {
  return token.find({ CKA_CLASS: pkcs11js[objectClass], CKA_ID: ESCROW_ID, CKA_LABEL: ESCROW_LABEL });
}

function requireOwn(token: Token, { index, keyDigest }: CustodianActs['openShare']['share']): { privateKey: Handle; algorithm: ShareAlgorithm } {
  const [[privateKey], [publicKey]] = [ownPair(token, 'CKO_PRIVATE_KEY'), ownPair(token, 'CKO_PUBLIC_KEY')];
  const found = publicKey === undefined ? undefined : publicKeyOf(token, publicKey);
  const actual = found === undefined ? '-' : keyDigestOf(found.spki);
  if (privateKey === undefined || found === undefined || actual !== keyDigest) throw new AppError('ESCROW_TOKEN_OTHER', { index, expected: keyDigest, actual });
  return { privateKey, algorithm: found.algorithm === 'sm2' ? 'sm2' : 'rsaOaep' };
}

function heldShare(token: Token, kept: Temporaries, privateKey: Handle, algorithm: ShareAlgorithm, { index, wrapped }: CustodianActs['openShare']['share']): Handle {
  try {
    return kept.keep(token.unwrap(privateKey, shareMechanism(token.profile, algorithm), wrapped, ESCROW_KEYS.heldShare()));
  } catch (error) {
    const ckr = ckrOf(error);
    if (ckr === undefined || !/^CKR_(WRAPPED_KEY|ENCRYPTED_DATA)_/.test(ckr)) throw error;
    throw new AppError('ESCROW_SHARE_INVALID', { index, reasonZh: '不是包装给此令牌的', reasonEn: 'it was not wrapped to this token' }, { cause: error });
  }
}

/** A token that does not take what the pair imposes does not keep it either; NSS says so by CKR_GENERAL_ERROR. */
function makePair(token: Token, algorithm: ShareAlgorithm): KeyPair {
  try {
    return makeSharePair(token, algorithm, { id: ESCROW_ID, label: ESCROW_LABEL }, HELD_SHARE_FLAGS);
  } catch (error) {
    const ckr = ckrOf(error);
    if (ckr === undefined || (isFatal(ckr) && ckr !== 'CKR_GENERAL_ERROR')) throw error;
    throw new AppError('ESCROW_TOKEN_UNFIT', { device: token.device, rule: 'UNWRAP_TEMPLATE' }, { cause: error });
  }
}

/**
 * What is unwrapped is bound whatever the caller asks for, or says nothing of; and by the one mechanism, since another padding of the
 * same key would be an oracle.
 */
async function brokenPairRule(token: Token, { publicKey, privateKey }: KeyPair, algorithm: ShareAlgorithm): Promise<'UNWRAP_TEMPLATE' | 'ALLOWED_MECHANISMS' | undefined> {
  return withTemporaries(token, (kept) => {
    const mechanism = shareMechanism(token.profile, algorithm);
    const { bytesMost } = SHARE_TRANSPORT[algorithm];
    const free = kept.keep(token.generateKey(requireNumber(token.profile, 'CKM_GENERIC_SECRET_KEY_GEN'), { ...ESCROW_KEYS.freshShare(), CKA_WRAP_WITH_TRUSTED: false }));
    const wrapped = token.wrap(publicKey, mechanism, free, bytesMost);
    const { CKA_WRAP_WITH_TRUSTED: _bound, ...silent } = ESCROW_KEYS.heldShare();
    for (const template of [silent, { ...silent, CKA_WRAP_WITH_TRUSTED: false }, { ...ESCROW_KEYS.heldShare(), CKA_DERIVE: true }]) {
      // A refusal is as good: the template is said to be inconsistent with what the pair imposes.
      const made = orRefused(() => kept.keep(token.unwrap(privateKey, mechanism, wrapped, template)));
      if (made !== undefined && (!token.flag(made, 'CKA_WRAP_WITH_TRUSTED') || token.flag(made, 'CKA_DERIVE'))) return 'UNWRAP_TEMPLATE';
    }
    if (algorithm === 'sm2') return undefined;
    const otherwise = orRefused(() => token.wrap(publicKey, { mechanism: pkcs11js.CKM_RSA_PKCS }, free, bytesMost));
    const opened = otherwise === undefined ? undefined : orRefused(() => kept.keep(token.unwrap(privateKey, { mechanism: pkcs11js.CKM_RSA_PKCS }, otherwise, ESCROW_KEYS.heldShare())));
    return opened === undefined ? undefined : 'ALLOWED_MECHANISMS';
  });
}

function orRefused<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch (error) {
    if (ckrOf(error) === undefined) throw error;
    return undefined;
  }
}

/** As the person at the station is told. */
export function shownOf(error: unknown, device: string): AppError {
  if (error instanceof AppError) return error;
  if (error instanceof PinRefused) return new AppError('HSM_ERROR', pkcs11ErrorDetails(device, error.message));
  const ckr = ckrOf(error);
  if (ckr !== undefined) return new AppError('HSM_ERROR', pkcs11ErrorDetails(device, ckr));
  return new AppError('INTERNAL', { requestId: `${device}: ${(error as Error).message}` });
}
