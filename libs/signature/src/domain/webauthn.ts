import { createHash, hash, verify } from 'node:crypto';
import { concatBytes, equalBytes } from '#libs/platform/domain';
import { readEcdsaSignature } from './ecdsa-signature.js';
import { p256PublicKey } from './public-key.js';

/** What an authenticator and a browser give for `navigator.credentials.get` (WebAuthn Level 3, 5.2.2). */
export interface Assertion {
  /** rpIdHash (32) ‖ flags (1) ‖ signCount (4) ‖ extensions (WebAuthn 6.1). */
  readonly authenticatorData: Uint8Array;
  /** UTF-8 JSON (WebAuthn 5.8.1). */
  readonly clientDataJson: Uint8Array;
  /** ECDSA with SHA-256, as DER, over authenticatorData ‖ SHA-256(clientDataJson). */
  readonly signature: Uint8Array;
}

export interface AssertionTerms {
  readonly challenge: Uint8Array;
  readonly rpId: string;
  /** Each with scheme and port, compared whole. */
  readonly origins: readonly string[];
  /** SubjectPublicKeyInfo of a P-256 key, DER. */
  readonly publicKey: Uint8Array;
  /** A credential that a vendor's cloud may hold a copy of is nobody's own. */
  readonly mayBeBackedUp: boolean;
}

/** Why an assertion is refused: the first of these that does not hold, in the order of WebAuthn 7.2. */
export type AssertionFault = 'clientData' | 'type' | 'challenge' | 'origin' | 'crossOrigin' | 'authenticatorData' | 'rpId' | 'userPresence' | 'userVerification' | 'backup' | 'signature';

const FLAG = { userPresent: 0x01, userVerified: 0x04, backupEligible: 0x08, backupState: 0x10, attestedCredential: 0x40, extensions: 0x80 } as const;
const RP_ID_HASH = 32;
const FLAGS_AT = RP_ID_HASH;
const SIGN_COUNT_AT = 33;
const SHORTEST = 37;

/** Undefined = the assertion holds. Every rule of WebAuthn 7.2 that can be judged without a record; the sign count is for the caller. */
export function assertionFault(assertion: Assertion, terms: AssertionTerms): AssertionFault | undefined {
  const { authenticatorData, clientDataJson } = assertion;
  const client = clientFault(clientDataJson, terms);
  if (client !== undefined) return client;
  const flags = authenticatorData[FLAGS_AT] ?? 0;
  const has = (flag: keyof typeof FLAG): boolean => (flags & FLAG[flag]) !== 0;
  // An assertion carries no credential; more than 37 bytes are extensions, and are announced.
  if (authenticatorData.length < SHORTEST || has('attestedCredential') || authenticatorData.length > SHORTEST !== has('extensions')) return 'authenticatorData';
  if (!equalBytes(authenticatorData.subarray(0, RP_ID_HASH), createHash('sha256').update(terms.rpId).digest())) return 'rpId';
  if (!has('userPresent')) return 'userPresence';
  if (!has('userVerified')) return 'userVerification';
  if (!terms.mayBeBackedUp && (has('backupEligible') || has('backupState'))) return 'backup';
  return signed(assertion, terms.publicKey) ? undefined : 'signature';
}

/** How often the authenticator has signed; 0 = it does not count. */
export function signCountOf(authenticatorData: Uint8Array): number {
  return Buffer.from(authenticatorData.buffer, authenticatorData.byteOffset, authenticatorData.length).readUInt32BE(SIGN_COUNT_AT);
}

/** JSON may be written in many ways, so it is read and not compared; the signature is over its bytes. */
function clientFault(bytes: Uint8Array, { challenge, origins }: AssertionTerms): AssertionFault | undefined {
  let client: Record<string, unknown>;
  try {
    client = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as Record<string, unknown>;
  } catch {
    return 'clientData';
  }
  if (typeof client !== 'object' || client === null) return 'clientData';
  if (client['type'] !== 'webauthn.get') return 'type';
  if (client['challenge'] !== Buffer.from(challenge).toString('base64url')) return 'challenge';
  if (typeof client['origin'] !== 'string' || !origins.includes(client['origin'])) return 'origin';
  return (client['crossOrigin'] ?? false) === false && client['topOrigin'] === undefined ? undefined : 'crossOrigin';
}

function signed({ authenticatorData, clientDataJson, signature }: Assertion, publicKey: Uint8Array): boolean {
  const key = p256PublicKey(publicKey);
  if (key === undefined || readEcdsaSignature(signature) === undefined) return false;
  return verify('sha256', concatBytes(authenticatorData, hash('sha256', clientDataJson, 'buffer')), key, signature);
}
