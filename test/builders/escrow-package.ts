import { type EscrowPackage, keyDigestOf, subsetsOf } from '#libs/hsm';

const filled = (octet: number, length: number): string => octet.toString(16).padStart(2, '0').toUpperCase().repeat(length);

/** A package that is whole by its shape; no device made it. */
export function escrowOf(m: number, n: number): EscrowPackage {
  const numbers = Array.from({ length: n }, (_, at) => at + 1);
  return {
    format: 'hufu/escrow/1', rootId: filled(1, 16), splitId: filled(2, 16), m, n, objectLabel: 'dataRoot/a', algorithm: 'sm4', kcv: '0D40BF', fingerprint: filled(3, 16), tokenSerial: 'A1',
    custodians: numbers.map((index) => ({ index, algorithm: 'rsaOaep', keyDigest: keyDigestOf(Uint8Array.of(index)) })),
    wrappedShares: numbers.map((index) => filled(index, 256)),
    shareChecks: numbers.map((index) => filled(index, 16)),
    wrappedRoots: subsetsOf(n, m).map((_, at) => filled(at, 24)),
  };
}
