import { hash, type KeyObject, X509Certificate } from 'node:crypto';
import pkcs11js, { type Handle } from 'pkcs11js';
import { isAppError, toHex } from '#libs/platform/domain';
import { publicKeyOf } from '../agent/public-keys.js';
import type { Token } from '../agent/token.js';

/** What a person signs in and approves with. RSA keys of a token are not shown: no policy takes them. */
export type UserKeyAlgorithm = 'p256' | 'sm2';

export interface UserTokenKey {
  /** SHA-256 of `spki`, upper-case hex. */
  readonly keyDigest: string;
  readonly algorithm: UserKeyAlgorithm;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
  /** CKA_ID, upper-case hex: leads to the private half. */
  readonly keyId: string;
  readonly label: string;
  /** DER, where the token holds one for this key. */
  readonly certificate: Uint8Array | undefined;
}

const NAMED_CURVES: Readonly<Record<string, UserKeyAlgorithm>> = { prime256v1: 'p256', SM2: 'sm2' };

/**
 * The signing keys that a token shows before anybody logs in: its public objects, and the certificates of keys that have none. What is
 * neither P-256 nor SM2, or cannot be read, is left out: a token holds keys for other things too.
 */
export function readUserKeys(token: Token): UserTokenKey[] {
  const certificates = token.find({ CKA_CLASS: pkcs11js.CKO_CERTIFICATE }).map((handle) => certificateAt(token, handle)).filter((each) => each !== undefined);
  const objects = token.find({ CKA_CLASS: pkcs11js.CKO_PUBLIC_KEY, CKA_VERIFY: true }).map((handle) => objectAt(token, handle)).filter((each) => each !== undefined);
  const withCertificate = objects.map((key) => ({ ...key, certificate: certificates.find(({ keyDigest }) => keyDigest === key.keyDigest)?.certificate }));
  const bare = certificates.filter(({ keyDigest }) => !objects.some((key) => key.keyDigest === keyDigest));
  return [...withCertificate, ...bare].filter((key, n, all) => all.findIndex(({ keyDigest }) => keyDigest === key.keyDigest) === n);
}

function objectAt(token: Token, handle: Handle): UserTokenKey | undefined {
  try {
    const { algorithm, spki } = publicKeyOf(token, handle);
    return algorithm === 'rsa2048' ? undefined : { ...named(token, handle, spki), algorithm, certificate: undefined };
  } catch (error) {
    if (isAppError(error) && error.code === 'HSM_ANSWER_WRONG') return undefined;
    throw error;
  }
}

function certificateAt(token: Token, handle: Handle): UserTokenKey | undefined {
  const certificate = token.bytes(handle, 'CKA_VALUE');
  const publicKey = publicKeyIn(certificate);
  const algorithm = NAMED_CURVES[publicKey?.asymmetricKeyDetails?.namedCurve ?? ''];
  if (publicKey === undefined || algorithm === undefined) return undefined;
  return { ...named(token, handle, Uint8Array.from(publicKey.export({ type: 'spki', format: 'der' }))), algorithm, certificate };
}

/** Undefined for what is no X.509 certificate: a token may hold others (WTLS, attribute certificates), and broken ones. */
function publicKeyIn(certificate: Uint8Array): KeyObject | undefined {
  try {
    return new X509Certificate(certificate).publicKey;
  } catch {
    return undefined;
  }
}

function named(token: Token, handle: Handle, spki: Uint8Array): Pick<UserTokenKey, 'keyDigest' | 'spki' | 'keyId' | 'label'> {
  return { keyDigest: hash('sha256', spki, 'hex').toUpperCase(), spki, keyId: toHex(token.bytes(handle, 'CKA_ID')), label: token.text(handle, 'CKA_LABEL') };
}
