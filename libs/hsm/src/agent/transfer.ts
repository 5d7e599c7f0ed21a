import pkcs11js, { type Handle, type RsaOAEP } from 'pkcs11js';
import { AppError } from '#libs/platform/domain';
import { pkcs11ErrorDetails } from '../domain/pkcs11-errors.js';
import { classOfLabel } from '../domain/class-rules.js';
import type { KeyClass } from '../domain/key-class.js';
import type { SymmetricAlgorithm } from '../domain/algorithms.js';
import { confirmRoot } from './key-making.js';
import { findRoot, type Grant, requireGranted, requireUnusedId } from './key-lookup.js';
import { rootTemplate, TRANSFER_KEYS } from './templates.js';
import { type Token, withTemporaries } from './token.js';

/** What the target offers: a public key whose private half lives in its session until the transfer is closed. */
export interface TransferOffer {
  readonly modulus: Uint8Array;
  readonly exponent: Uint8Array;
}

/** What travels: an AES key under that public key, the root under the AES key. No part of it opens outside the target. */
export interface TransferPackage {
  readonly objectLabel: string;
  readonly algorithm: SymmetricAlgorithm;
  readonly wrappedKek: Uint8Array;
  readonly wrappedKey: Uint8Array;
}

/** SHA-1 is what both OAEP and every module have in common; OAEP does not rest on collision resistance (RFC 8017 8.1). */
export const OAEP_SHA1 = {
  mechanism: pkcs11js.CKM_RSA_PKCS_OAEP,
  parameter: { type: pkcs11js.CK_PARAMS_RSA_OAEP, hashAlg: pkcs11js.CKM_SHA_1, mgf: pkcs11js.CKG_MGF1_SHA1, source: 1 } satisfies RsaOAEP,
};
/** RFC 3394; 0x210A (padded) means different things in different modules. */
export const AES_KEY_WRAP = { mechanism: 0x2109 };

/** The target's side of one running transfer. One at a time: a second offer replaces the first. */
export class TransferTarget {
  #pair: { publicKey: Handle; privateKey: Handle } | undefined;

  open(token: Token, keyId: string): TransferOffer {
    this.abort(token);
    token.capabilities.requireTransfer();
    requireUnusedId(token, keyId);
    const templates = TRANSFER_KEYS.pair();
    this.#pair = token.generateKeyPair(pkcs11js.CKM_RSA_PKCS_KEY_PAIR_GEN, templates.publicKey, templates.privateKey);
    return { modulus: token.bytes(this.#pair.publicKey, 'CKA_MODULUS'), exponent: token.bytes(this.#pair.publicKey, 'CKA_PUBLIC_EXPONENT') };
  }

  /** Unwraps into the class's own template, under the same CKA_ID. The pair is gone afterwards, whatever happened. */
  async close(token: Token, keyId: string, parcel: TransferPackage, grant: Grant): Promise<void> {
    const pair = this.#pair;
    if (pair === undefined) throw new AppError('HSM_REFUSED', { reason: 'no transfer is open' });
    try {
      const keyClass = classOfLabel(parcel.objectLabel);
      requireGranted(keyId, keyClass, grant);
      token.capabilities.requireRoot(parcel.algorithm);
      await withTemporaries(token, (temporaries) => {
        const kek = temporaries.keep(token.unwrap(pair.privateKey, OAEP_SHA1, parcel.wrappedKek, TRANSFER_KEYS.targetKek()));
        const label = parcel.objectLabel.slice(parcel.objectLabel.indexOf('/') + 1);
        const template = rootTemplate(token.profile, { keyId, keyClass: keyClass as KeyClass, label }, parcel.algorithm);
        confirmRoot(token, token.unwrap(kek, AES_KEY_WRAP, parcel.wrappedKey, template), keyId, grant);
      });
    } finally {
      this.abort(token);
    }
  }

  abort(token: Token): void {
    const pair = this.#pair;
    this.#pair = undefined;
    if (pair === undefined) return;
    token.destroy(pair.privateKey);
    token.destroy(pair.publicKey);
  }
}

/** The source's side: a fresh AES-256 key, wrapped to the target, wraps the root. A sealed root is refused here, since NSS would wrap it. */
export async function wrapForTransfer(token: Token, keyId: string, offer: TransferOffer, grant: Grant): Promise<TransferPackage> {
  token.capabilities.requireTransfer();
  const root = findRoot(token, keyId, grant);
  if (!token.flag(root.handle, 'CKA_EXTRACTABLE')) throw new AppError('HSM_ERROR', pkcs11ErrorDetails(token.device, 'CKR_KEY_UNEXTRACTABLE'));
  return withTemporaries(token, (temporaries) => {
    const publicKey = temporaries.keep(token.create(TRANSFER_KEYS.publicKey(offer.modulus, offer.exponent)));
    const kek = temporaries.keep(token.generateKey(pkcs11js.CKM_AES_KEY_GEN, TRANSFER_KEYS.sourceKek()));
    return {
      objectLabel: root.objectLabel,
      algorithm: root.algorithm,
      wrappedKek: token.wrap(publicKey, OAEP_SHA1, kek, 512),
      wrappedKey: token.wrap(kek, AES_KEY_WRAP, root.handle, 64),
    };
  });
}
