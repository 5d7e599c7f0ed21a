import { setImmediate } from 'node:timers/promises';
import pkcs11js, { type Handle } from 'pkcs11js';
import { AppError, fromHex, toHex } from '#libs/platform/domain';
import { classOfLabel } from '../domain/class-rules.js';
import { TEST_TRANSPORT_KEY } from '../domain/known-answers.js';
import type { RecipeRequest } from '../domain/recipes.js';
import type { KeyObject } from '../hsm.js';
import { findAll, findRoot, type Grant, requireGranted, requireUnusedId } from './key-lookup.js';
import { readPublicKey } from './public-keys.js';
import { SIGNING_NAMES } from '../domain/mechanisms.js';
import { generation, requireNumber, rootTemplate, signingTemplates, USAGES } from './templates.js';
import { ckrOf, type Token } from './token.js';

/** Throws KEY_ID_TAKEN; HSM_ANSWER_WRONG when the module did not keep to the template (the key is destroyed then). */
export function generateKey(token: Token, request: RecipeRequest<'generateKey'>, grant: Grant): void {
  requireGranted(request.keyId, request.keyClass, grant);
  token.capabilities.requireRoot(request.algorithm);
  requireUnusedId(token, request.keyId);
  const { mechanism, length } = generation(token.profile, request.algorithm);
  const handle = token.generateKey(mechanism, { ...rootTemplate(token.profile, request, request.algorithm), ...length });
  confirmRoot(token, handle, request.keyId, grant);
}

export function generateKeyPair(token: Token, request: RecipeRequest<'generateKeyPair'>, grant: Grant): { publicKey: Uint8Array } {
  requireGranted(request.keyId, request.keyClass, grant);
  token.capabilities.requireSigning('generateKeyPair', request.algorithm);
  requireUnusedId(token, request.keyId);
  const { publicKey, privateKey } = signingTemplates(token.profile, request, request.algorithm);
  const pair = token.generateKeyPair(requireNumber(token.profile, SIGNING_NAMES[request.algorithm].generate), publicKey, privateKey);
  if (token.flag(pair.privateKey, 'CKA_EXTRACTABLE') || !token.flag(pair.privateKey, 'CKA_SENSITIVE')) {
    token.destroy(pair.privateKey);
    token.destroy(pair.publicKey);
    throw new AppError('HSM_ANSWER_WRONG', { device: token.device, what: 'attributes of a new private key' });
  }
  return { publicKey: readPublicKey(token, request.keyId).spki };
}

/** The published test key and no other; refused on a device that the configuration does not mark for tests. */
export function importTestTransportKey(token: Token, request: RecipeRequest<'importTestTransportKey'>, grant: Grant, testKeys: boolean): void {
  if (!testKeys) throw new AppError('HSM_REFUSED', { reason: `test keys in ${token.device}` });
  requireGranted(request.keyId, 'psamTransportRoot', grant);
  requireUnusedId(token, request.keyId);
  const handle = token.create({
    ...rootTemplate(token.profile, { ...request, keyClass: 'psamTransportRoot' }, '3des2'),
    CKA_VALUE: fromHex(TEST_TRANSPORT_KEY),
    CKA_EXTRACTABLE: false,
  });
  confirmRoot(token, handle, request.keyId, grant);
}

/** CKA_EXTRACTABLE off; PKCS#11 has no way back. Sealing a sealed key changes nothing. */
export function seal(token: Token, request: RecipeRequest<'seal'>, grant: Grant): void {
  const { handle } = findRoot(token, request.keyId, grant);
  if (token.flag(handle, 'CKA_EXTRACTABLE')) token.change(handle, { CKA_EXTRACTABLE: false });
  if (token.flag(handle, 'CKA_EXTRACTABLE')) throw new AppError('HSM_ANSWER_WRONG', { device: token.device, what: `seal of ${request.keyId}` });
}

/** All objects under the id, also where there are more than there should be. */
export function destroy(token: Token, request: RecipeRequest<'destroy'>, grant: Grant): number {
  const handles = findAll(token, request.keyId);
  for (const handle of handles) requireGranted(request.keyId, classOfLabel(token.text(handle, 'CKA_LABEL')), grant);
  for (const handle of handles) token.destroy(handle);
  return handles.length;
}

const OBJECT_CLASSES = [
  ['secret', pkcs11js.CKO_SECRET_KEY],
  ['private', pkcs11js.CKO_PRIVATE_KEY],
  ['public', pkcs11js.CKO_PUBLIC_KEY],
] as const;

/** The agent answers its watchdog between two objects: a full device takes many calls. */
export async function inventory(token: Token): Promise<KeyObject[]> {
  const objects: KeyObject[] = [];
  for (const [objectClass, number] of OBJECT_CLASSES) {
    for (const handle of token.find({ CKA_CLASS: number, CKA_TOKEN: true })) {
      await setImmediate();
      const object = describeObject(token, handle, objectClass);
      if (object !== undefined) objects.push(object);
    }
  }
  return objects;
}

/** Undefined: destroyed since it was listed. */
function describeObject(token: Token, handle: Handle, objectClass: KeyObject['objectClass']): KeyObject | undefined {
  try {
    return {
      keyId: toHex(token.bytes(handle, 'CKA_ID')),
      label: token.text(handle, 'CKA_LABEL'),
      objectClass,
      sensitive: token.flag(handle, 'CKA_SENSITIVE'),
      extractable: token.flag(handle, 'CKA_EXTRACTABLE'),
      usages: USAGES.filter((usage) => token.flag(handle, usage)).map((usage) => usage.slice('CKA_'.length)),
    };
  } catch (error) {
    if (ckrOf(error) === 'CKR_OBJECT_HANDLE_INVALID') return undefined;
    throw error;
  }
}

/** A module may ignore a template; what it made is looked at the way every later use will look at it. */
export function confirmRoot(token: Token, handle: Handle, keyId: string, grant: Grant): void {
  try {
    findRoot(token, keyId, grant);
  } catch (error) {
    token.destroy(handle);
    throw new AppError('HSM_ANSWER_WRONG', { device: token.device, what: `attributes of new key ${keyId}` }, { cause: error });
  }
}
