/** What signatures are verified with. `sm2Sm3` is SM2 with the default ID (GM/T 0009 10); no `signtype` of a message names it yet. */
export type SignatureAlgorithm = 'p256Sha256' | 'rsa2048Sha256' | 'sm2Sm3';

export interface SignType {
  /** As it stands in a message's `signtype`. */
  readonly name: string;
  /** Undefined: known, and refused by the scheme's rules. */
  readonly algorithm: SignatureAlgorithm | undefined;
}

/**
 * The names that arrive in `signtype`. A name that is not listed is not allowed either; the refused ones are listed so
 * that nobody has to wonder whether they were forgotten (SHA-1 and MD5: GM/T 0054, RFC 6151, RFC 6194).
 */
export const SIGN_TYPES: readonly SignType[] = [
  { name: 'SHA256withECDSA', algorithm: 'p256Sha256' },
  { name: 'SHA256withRSA', algorithm: 'rsa2048Sha256' },
  { name: 'SHA1withECDSA', algorithm: undefined },
  { name: 'SHA1withRSA', algorithm: undefined },
  { name: 'MD5withRSA', algorithm: undefined },
];

const ALLOWED: ReadonlyMap<string, SignatureAlgorithm | undefined> = new Map(SIGN_TYPES.map((type) => [type.name, type.algorithm]));

/** The algorithm of a `signtype`, or undefined when it is not allowed. Names are compared exactly. */
export function allowedAlgorithm(signType: string): SignatureAlgorithm | undefined {
  return ALLOWED.get(signType);
}
