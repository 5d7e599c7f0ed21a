import type { AsymmetricAlgorithm, KcvMethod, KeyClass, SymmetricAlgorithm } from '#libs/hsm';
import type { KeyState } from './domain/key-state.js';

/** A key of the register. Derived card keys have no record: they are coordinates (root, factors). */
export interface KeyRecord {
  /** CKA_ID, 32 hex characters: the same in every device that holds a copy. */
  readonly keyId: string;
  readonly label: string;
  readonly keyClass: KeyClass;
  readonly algorithm: SymmetricAlgorithm | AsymmetricAlgorithm;
  readonly state: KeyState;
  /** For people: 24 (zero3) or 40 (cmac5) bits, hex. Undefined for key pairs. */
  readonly kcv: string | undefined;
  readonly kcvMethod: KcvMethod | undefined;
  /** What software compares: 16 bytes, hex. Undefined for key pairs. */
  readonly fingerprint: string | undefined;
  /** SubjectPublicKeyInfo, DER. Undefined for secret keys. */
  readonly publicKey: Uint8Array | undefined;
  readonly copies: readonly KeyCopy[];
}

export interface KeyCopy {
  readonly device: string;
  readonly tokenSerial: string;
  readonly state: 'planned' | 'present' | 'aborted' | 'destroyed';
}

/** Devices that hold this key now. */
export function holders(key: KeyRecord): string[] {
  return key.copies.filter((copy) => copy.state === 'present').map((copy) => copy.device);
}
