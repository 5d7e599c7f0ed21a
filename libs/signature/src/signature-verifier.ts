import { createPublicKey, hash, type KeyObject, publicDecrypt, verify } from 'node:crypto';
import type { SignatureAlgorithm } from './domain/algorithm.js';
import { readEcdsaSignature } from './domain/ecdsa-signature.js';
import { type Sm2Signer, sm2Signer, verifySm2By } from './domain/sm2.js';

export interface SignatureToVerify {
  readonly algorithm: SignatureAlgorithm;
  /** SubjectPublicKeyInfo in DER, or the key that `importPublicKey` made of it (much faster when it is used again). */
  readonly publicKey: Uint8Array | KeyObject;
  /** What was signed, byte for byte. */
  readonly bytes: Uint8Array;
  /** ECDSA: DER Ecdsa-Sig-Value (RFC 3279 2.2.3). SM2: SM2Signature (GM/T 0009 7.3). RSA: PKCS#1 v1.5 (RFC 8017 8.2). */
  readonly signature: Uint8Array;
}

/** DER of DigestInfo{SHA-256, NULL} up to the digest (RFC 8017 9.2 note 1). */
const SHA256_DIGEST_INFO = Buffer.from('3031300D060960864801650304020105000420', 'hex');
const RSA_2048_BYTES = 256;

/**
 * Verifies signatures over public data by OpenSSL, one after the other, on the calling thread. The answer is a value:
 * malformed keys and signatures are `false`, they never throw.
 */
export class SignatureVerifier {
  private readonly imported = new Map<string, KeyObject | undefined>();

  /** `capacity`: how many keys given as DER are kept as imported keys; the oldest is dropped first. */
  constructor(private readonly capacity = 4_096) {}

  verify(item: SignatureToVerify): boolean {
    const key = item.publicKey instanceof Uint8Array ? this.importedKey(item.publicKey) : item.publicKey;
    if (key === undefined || keyAlgorithm(key) !== item.algorithm) return false;
    return VERIFY[item.algorithm](key, item.bytes, item.signature);
  }

  private importedKey(spki: Uint8Array): KeyObject | undefined {
    const name = Buffer.from(spki.buffer, spki.byteOffset, spki.byteLength).toString('latin1');
    if (this.imported.has(name)) return this.imported.get(name);
    if (this.imported.size >= this.capacity) this.imported.delete(this.imported.keys().next().value as string);
    const key = importPublicKey(spki);
    this.imported.set(name, key);
    return key;
  }
}

/** Imports a SubjectPublicKeyInfo (DER); undefined when it is not a key OpenSSL takes. */
export function importPublicKey(spki: Uint8Array): KeyObject | undefined {
  try {
    return createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  } catch {
    // "Not a key" is a verdict about the input here, not a failure of this process.
    return undefined;
  }
}

const algorithms = new WeakMap<KeyObject, SignatureAlgorithm | 'other'>();

/** What a key can verify: P-256, SM2 or RSA of exactly 2048 bits; everything else is 'other'. */
export function keyAlgorithm(key: KeyObject): SignatureAlgorithm | 'other' {
  const known = algorithms.get(key);
  if (known !== undefined) return known;
  const details = key.asymmetricKeyDetails;
  const found =
    key.asymmetricKeyType === 'ec' && details?.namedCurve === 'prime256v1'
      ? 'p256Sha256'
      : key.asymmetricKeyType === 'rsa' && details?.modulusLength === RSA_2048_BYTES * 8
        ? 'rsa2048Sha256'
        // OpenSSL calls an imported SM2 key neither 'ec' nor anything else that Node knows.
        : signerOf(key) !== undefined
          ? 'sm2Sm3'
          : 'other';
  algorithms.set(key, found);
  return found;
}

const VERIFY: Readonly<Record<SignatureAlgorithm, (key: KeyObject, bytes: Uint8Array, signature: Uint8Array) => boolean>> = {
  p256Sha256: (key, bytes, signature) => readEcdsaSignature(signature) !== undefined && verify('sha256', bytes, key, signature),

  sm2Sm3: (key, bytes, signature) => {
    const signer = signerOf(key);
    return signer !== undefined && verifySm2By(signer, bytes, signature);
  },

  /**
   * RFC 8017 8.2.2 by comparing what was signed: OpenSSL opens the signature and checks the padding 00 01 FF…FF 00 (the
   * length of the FFs is fixed by the length of what follows), the DigestInfo is compared byte for byte, so no second
   * encoding and no trailing bytes are accepted. `crypto.verify` fetches digest and signature algorithm on every call;
   * this does not. The digests are compared as hex because that is Node's cheapest way to hand one over.
   */
  rsa2048Sha256: (key, bytes, signature) => {
    if (signature.length !== RSA_2048_BYTES) return false;
    const opened = openRsa(key, signature);
    if (opened === undefined || opened.length !== SHA256_DIGEST_INFO.length + 32) return false;
    for (let i = 0; i < SHA256_DIGEST_INFO.length; i++) if (opened[i] !== SHA256_DIGEST_INFO[i]) return false;
    return opened.toString('hex', SHA256_DIGEST_INFO.length) === hash('sha256', bytes, 'hex');
  },
};

const signers = new WeakMap<KeyObject, Sm2Signer | undefined>();

/** Z depends on the key alone, so it is computed once per imported key. */
function signerOf(key: KeyObject): Sm2Signer | undefined {
  if (!signers.has(key)) signers.set(key, sm2Signer(key.export({ format: 'der', type: 'spki' })));
  return signers.get(key);
}

function openRsa(key: KeyObject, signature: Uint8Array): Buffer | undefined {
  try {
    return publicDecrypt(key, signature);
  } catch {
    // Wrong padding or a number not below the modulus: a bad signature, which is a value.
    return undefined;
  }
}
