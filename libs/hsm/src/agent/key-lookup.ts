import pkcs11js, { type Handle } from 'pkcs11js';
import { AppError, fromHex } from '#libs/platform/domain';
import { classOfLabel } from '../domain/class-rules.js';
import { SYMMETRIC_ALGORITHMS, type SymmetricAlgorithm } from '../domain/algorithms.js';
import { KEY_CLASSES, type KeyClass } from '../domain/key-class.js';
import { numberOf, SYMMETRIC_NAMES } from '../domain/mechanisms.js';
import type { KeyId } from '../hsm.js';
import { USAGES } from './templates.js';
import { type AttributeName, ckrOf, type Token } from './token.js';

/** The classes that the calling client may touch with the recipe that runs, and the recipe's name for messages. */
export interface Grant {
  readonly recipe: string;
  readonly classes: readonly KeyClass[];
}

export interface FoundKey {
  readonly keyId: KeyId;
  readonly handle: Handle;
  readonly keyClass: KeyClass;
  /** CKA_LABEL, class included. */
  readonly objectLabel: string;
}

export interface FoundRoot extends FoundKey {
  readonly algorithm: SymmetricAlgorithm;
}

/**
 * The diversification root under this CKA_ID. It must be alone, carry a class the caller may use, and have DERIVE as its
 * only usage: an object that somebody else put there with more is not used. Throws KEY_NOT_FOUND, KEY_ID_AMBIGUOUS,
 * KEY_CLASS_MISMATCH, HSM_REFUSED.
 */
export function findRoot(token: Token, keyId: KeyId, grant: Grant): FoundRoot {
  const key = findOne(token, keyId, pkcs11js.CKO_SECRET_KEY, grant);
  requireUsages(token, key, 'diversification', 'CKA_DERIVE', grant);
  const keyType = token.number(key.handle, 'CKA_KEY_TYPE');
  const algorithm = SYMMETRIC_ALGORITHMS.find((name) => numberOf(token.profile, SYMMETRIC_NAMES[name].keyType) === keyType);
  if (algorithm === undefined) throw mismatch(key, grant);
  return { ...key, algorithm };
}

/** The private key under this CKA_ID; the same rules, SIGN as its only usage. */
export function findSigningKey(token: Token, keyId: KeyId, grant: Grant): FoundKey {
  const key = findOne(token, keyId, pkcs11js.CKO_PRIVATE_KEY, grant);
  requireUsages(token, key, 'signing', 'CKA_SIGN', grant);
  return key;
}

/** Every object under a CKA_ID, whatever its class. */
export function findAll(token: Token, keyId: KeyId): Handle[] {
  return token.find({ CKA_ID: fromHex(keyId) });
}

/** A new object never gets the CKA_ID of another. Throws KEY_ID_TAKEN. */
export function requireUnusedId(token: Token, keyId: KeyId): void {
  if (findAll(token, keyId).length > 0) throw new AppError('KEY_ID_TAKEN', { device: token.device, keyId });
}

/** Throws HSM_REFUSED when the caller may not touch keys of this class with this recipe. */
export function requireGranted(keyId: KeyId, keyClass: KeyClass | undefined, grant: Grant): void {
  if (keyClass === undefined || !grant.classes.includes(keyClass)) {
    throw new AppError('HSM_REFUSED', { reason: `${grant.recipe} with ${keyClass ?? 'an object without a class'} (${keyId})` });
  }
}

function findOne(token: Token, keyId: KeyId, objectClass: number, grant: Grant): FoundKey {
  const handles = token.find({ CKA_CLASS: objectClass, CKA_ID: fromHex(keyId) });
  const [handle] = handles;
  if (handle === undefined) throw new AppError('KEY_NOT_FOUND', { device: token.device, keyId });
  if (handles.length > 1) throw new AppError('KEY_ID_AMBIGUOUS', { device: token.device, keyId, count: handles.length });
  const objectLabel = token.text(handle, 'CKA_LABEL');
  const keyClass = classOfLabel(objectLabel);
  if (keyClass === undefined) throw new AppError('KEY_CLASS_MISMATCH', { keyId, keyClass: '-', recipe: grant.recipe });
  requireGranted(keyId, keyClass, grant);
  return { keyId, handle, keyClass, objectLabel };
}

function requireUsages(token: Token, key: FoundKey, kind: 'diversification' | 'signing', only: AttributeName, grant: Grant): void {
  if (KEY_CLASSES[key.keyClass].kind !== kind) throw mismatch(key, grant);
  const wanted: readonly AttributeName[] = ['CKA_SENSITIVE', only];
  const flags = flagsOf(token, key.handle, ['CKA_SENSITIVE', ...USAGES]);
  if (flags.some(([name, on]) => on !== wanted.includes(name))) throw mismatch(key, grant);
}

/** In one call where the object has them all, which every call of a slow device pays for; one by one where it has not. */
function flagsOf(token: Token, object: Handle, names: readonly AttributeName[]): [AttributeName, boolean][] {
  try {
    const values = token.all(object, names);
    return names.map((name, i) => [name, values[i]?.[0] === 1]);
  } catch (error) {
    if (ckrOf(error) !== 'CKR_ATTRIBUTE_TYPE_INVALID') throw error;
    return names.map((name) => [name, token.flag(object, name)]);
  }
}

function mismatch(key: FoundKey, grant: Grant): AppError {
  return new AppError('KEY_CLASS_MISMATCH', { keyId: key.keyId, keyClass: key.keyClass, recipe: grant.recipe });
}
