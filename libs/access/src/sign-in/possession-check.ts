import { hash } from 'node:crypto';
import { concatBytes } from '#libs/platform/domain';
import { type Assertion, assertionFault, type AssertionFault, SignatureVerifier, signCountOf, signInBytes } from '#libs/signature';
import type { CredentialMaterial, WebauthnMaterial } from '../domain/credential-material.js';
import { type Refusal, UNFIT_RULES, type UnfitRule } from '../domain/sign-in-refusal.js';
import type { Possession } from './fields.js';

const verifier = new SignatureVerifier(256);

export interface PossessionTerms {
  readonly challenge: Uint8Array;
  /** Where the service is reached. */
  readonly origins: readonly string[];
}

/** The count of the authenticator, 0 for a UKey; or why the key is not shown to be held. */
export function checkPossession(given: Possession, material: CredentialMaterial, terms: PossessionTerms): { readonly signCount: number } | Refusal {
  if (given.webauthn !== undefined && material.webauthn !== null) return byAuthenticator(given.webauthn, material, material.webauthn, terms);
  return given.ukey === undefined ? { reason: 'credential', proven: false } : byUkey(given.ukey, material, terms);
}

function byAuthenticator(assertion: Assertion, { publicKey }: CredentialMaterial, { rpId, origins }: WebauthnMaterial, { challenge }: PossessionTerms): { readonly signCount: number } | Refusal {
  // A credential that signs in may be one of a cloud: it gives a session, whose acts of weight need a credential that may not.
  const fault = assertionFault(assertion, { challenge, rpId, origins, publicKey, mayBeBackedUp: true });
  if (fault === undefined) return { signCount: signCountOf(assertion.authenticatorData) };
  const { authenticatorData, clientDataJson, signature } = assertion;
  const bytes = concatBytes(authenticatorData, hash('sha256', clientDataJson, 'buffer'));
  return refusalOf(fault, () => verifier.verify({ algorithm: 'p256Sha256', publicKey, bytes, signature }));
}

/** The challenge is compared before origin and flags: with any other fault and a good signature the key is held here and now. */
function refusalOf(fault: AssertionFault, signed: () => boolean): Refusal {
  if (fault === 'origin') return { reason: 'origin', proven: signed() };
  if (isUnfit(fault)) return { reason: 'unfit', unfit: fault, proven: signed() };
  return { reason: fault === 'challenge' || fault === 'signature' || fault === 'authenticatorData' ? fault : 'clientData', proven: false };
}

function isUnfit(fault: AssertionFault): fault is UnfitRule {
  return Object.hasOwn(UNFIT_RULES, fault);
}

function byUkey({ origin, signature }: NonNullable<Possession['ukey']>, { algorithm, publicKey }: CredentialMaterial, { challenge, origins }: PossessionTerms): { readonly signCount: number } | Refusal {
  const proven = verifier.verify({ algorithm, publicKey, bytes: signInBytes(origin, challenge), signature });
  if (!origins.includes(origin)) return { reason: 'origin', proven };
  return proven ? { signCount: 0 } : { reason: 'signature', proven };
}
