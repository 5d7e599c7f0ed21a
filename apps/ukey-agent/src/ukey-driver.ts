import type { SecretBytes } from '#libs/platform/domain';

export interface UkeyKey {
  /** SHA-256 of the SubjectPublicKeyInfo, upper-case hex. */
  readonly keyDigest: string;
  readonly algorithm: 'p256Sha256' | 'sm2Sm3';
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
  readonly label: string;
  readonly tokenSerial: string;
  /** What the token says of its PIN; `unknown` = nothing. */
  readonly pin: 'unknown' | 'fewLeft' | 'lastTry' | 'locked';
}

/**
 * One kind of UKey library. PKCS#11 is one; SKF (GM/T 0016) is another file with the same two calls. The driver logs in for each
 * signature and out after it, and neither keeps nor copies the PIN.
 */
export interface UkeyDriver {
  /** Signing keys of what is plugged in. Needs no PIN. Throws UKEY_MISSING. */
  keys(): Promise<UkeyKey[]>;

  /**
   * P-256: ECDSA with SHA-256 (RFC 3279 2.2.3); SM2 with SM3 and the default ID (GM/T 0009). DER, already verified under the public key.
   * Throws UKEY_MISSING, UKEY_KEY_UNKNOWN, UKEY_PIN_REFUSED, UKEY_PIN_LOCKED.
   */
  sign(keyDigest: string, bytes: Uint8Array, pin: SecretBytes): Promise<Uint8Array>;
}
