import { createHash } from 'node:crypto';
import pkcs11js from 'pkcs11js';
import { identityBytes, type IdentityProof } from '../domain/token-identity.js';
import { p256Spki } from './public-keys.js';
import type { Token } from './token.js';

const SIGNATURE_BYTES = 64;

/** The token's answer to the supervisor's challenge under its own pair; undefined where it has none alone under that label. */
export function proveIdentity(token: Token, label: string, nonce: Uint8Array): IdentityProof | undefined {
  const [publicKeys, privateKeys] = [pkcs11js.CKO_PUBLIC_KEY, pkcs11js.CKO_PRIVATE_KEY].map((objectClass) => token.find({ CKA_CLASS: objectClass, CKA_LABEL: label }));
  const [publicKey, privateKey] = [publicKeys?.[0], privateKeys?.[0]];
  if (publicKey === undefined || privateKey === undefined || publicKeys?.length !== 1 || privateKeys?.length !== 1) return undefined;
  const digest = createHash('sha256').update(identityBytes(nonce)).digest();
  token.lib.C_SignInit(token.session, { mechanism: pkcs11js.CKM_ECDSA }, privateKey);
  const signature = token.lib.C_Sign(token.session, digest, Buffer.alloc(SIGNATURE_BYTES));
  return { spki: p256Spki(token, publicKey), signature: new Uint8Array(signature) };
}
