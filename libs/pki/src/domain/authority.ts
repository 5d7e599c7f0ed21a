import type { KeyAlgorithm } from './key-algorithm.js';

/** A certification authority of this scheme; its key is in a token. */
export interface CertificationAuthority {
  readonly caId: string;
  /** Equal to caId for a root. */
  readonly issuerCaId: string;
  readonly profile: string;
  /** Name in DER. */
  readonly subject: Uint8Array;
  readonly keyId: string;
  readonly device: string;
  readonly algorithm: KeyAlgorithm;
  /** SubjectPublicKeyInfo in DER. */
  readonly publicKey: Uint8Array;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** Serial of its own certificate, issued by issuerCaId. */
  readonly serial: string;
  /** undefined: the intent has no outcome yet, and the CA issues nothing. */
  readonly certificate: Uint8Array | undefined;
}
