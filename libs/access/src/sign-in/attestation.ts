import { createPublicKey, hash, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { verifyRegistrationResponse } from '@simplewebauthn/server';
import { decodeAttestationObject, decodeCredentialPublicKey } from '@simplewebauthn/server/helpers';
import { AppError } from '#libs/platform';
import type { CredentialMaterial, WebauthnMaterial } from '../domain/credential-material.js';
import type { SignInConfig } from '../sign-in-terms.js';

/** What a browser gives for `navigator.credentials.create`. */
export interface Registration {
  readonly credentialId: Uint8Array;
  readonly attestationObject: Uint8Array;
  readonly clientDataJson: Uint8Array;
}

export interface RegistrationTerms {
  readonly challenge: Uint8Array;
  readonly rpId: string;
  readonly origins: readonly string[];
  /** A credential that approves is one piece of hardware; one that signs in may be a copy in a cloud. */
  readonly mayBeBackedUp: boolean;
}

type Enrolled = Pick<CredentialMaterial, 'keyDigest' | 'algorithm' | 'publicKey'> & { readonly webauthn: WebauthnMaterial };

const ES256 = -7;
/** COSE_Key (RFC 9053 7.1.1): labels of an EC2 key. */
const COSE = { crv: -1, x: -2, y: -3 } as const;
const P256 = 1;

/** Models that may be enrolled, with the certificates that their makers' attestations lead to. */
export class Attestations {
  private readonly models: ReadonlyMap<string, readonly X509Certificate[]>;

  /** Throws CONFIG_INVALID when a root is missing or no certificate. */
  constructor({ authenticators }: SignInConfig) {
    this.models = new Map(authenticators.map(({ aaguid, roots }) => [aaguid, roots.map(readRoot)]));
  }

  /**
   * WebAuthn 7.1. Only the `packed` format is taken: it names its model, and its verification asks nobody on the network. Throws
   * ENROLMENT_REFUSED with the rule.
   */
  async verify({ credentialId, attestationObject, clientDataJson }: Registration, terms: RegistrationTerms): Promise<Enrolled> {
    const { x5c } = statementOf(attestationObject);
    const id = Buffer.from(credentialId).toString('base64url');
    const verified = await verifyRegistrationResponse({
      response: { id, rawId: id, type: 'public-key', clientExtensionResults: {}, response: { attestationObject: Buffer.from(attestationObject).toString('base64url'), clientDataJSON: Buffer.from(clientDataJson).toString('base64url') } },
      expectedChallenge: Buffer.from(terms.challenge).toString('base64url'),
      expectedOrigin: [...terms.origins],
      expectedRPID: terms.rpId,
      requireUserPresence: true,
      requireUserVerification: true,
      supportedAlgorithmIDs: [ES256],
    }).catch((error: unknown) => {
      throw refused((error as Error).message, error);
    });
    if (!verified.verified) throw refused('the attestation signature does not hold');
    const { aaguid, credential, credentialDeviceType, credentialBackedUp } = verified.registrationInfo;
    if (credential.id !== id) throw refused('the credential is another than its attestation says');
    if (insideForeignPage(clientDataJson)) throw refused('made inside a page of another site');
    if (!terms.mayBeBackedUp && (credentialBackedUp || credentialDeviceType !== 'singleDevice')) throw refused('a credential that approves must not be one that can be backed up');
    this.requireModel(aaguid, x5c);
    const publicKey = publicKeyOf(credential.publicKey);
    return {
      keyDigest: hash('sha256', publicKey, 'hex').toUpperCase(),
      algorithm: 'p256Sha256',
      publicKey,
      webauthn: { rpId: terms.rpId, origins: [...terms.origins], credentialId, aaguid: aaguid.replaceAll('-', '').toUpperCase(), attestationObject, clientDataJson, signCount: credential.counter },
    };
  }

  private requireModel(aaguid: string, x5c: readonly Uint8Array[]): void {
    const roots = this.models.get(aaguid);
    if (roots === undefined) throw refused(`the authenticator model ${aaguid} is not admitted`);
    if (roots.length > 0 && !leadsTo(x5c, roots)) throw refused(`the attestation of model ${aaguid} does not lead to a certificate of its maker`);
  }
}

function statementOf(attestationObject: Uint8Array): { x5c: readonly Uint8Array[] } {
  let decoded: ReturnType<typeof decodeAttestationObject>;
  try {
    decoded = decodeAttestationObject(Uint8Array.from(attestationObject));
  } catch (error) {
    throw refused('the attestation cannot be read', error);
  }
  const format = decoded.get('fmt');
  if (format !== 'packed') throw refused(`attestation of format ${String(format).slice(0, 32)}; packed is taken`);
  return { x5c: decoded.get('attStmt').get('x5c') ?? [] };
}

/** The leaf's own terms (WebAuthn 8.2.1) were checked with the statement; this is the path above it. */
function leadsTo(x5c: readonly Uint8Array[], roots: readonly X509Certificate[]): boolean {
  try {
    const chain = x5c.map((der) => new X509Certificate(der));
    const last = chain.at(-1);
    const linked = chain.every((certificate, n) => n === 0 || (certificate.ca && issued(certificate, chain[n - 1] as X509Certificate)));
    return last !== undefined && linked && roots.some((root) => root.raw.equals(last.raw) || issued(root, last));
  } catch {
    // Not certificates: they lead nowhere.
    return false;
  }
}

function issued(issuer: X509Certificate, certificate: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

function publicKeyOf(cose: Uint8Array): Uint8Array {
  const key = decodeCredentialPublicKey(Uint8Array.from(cose)) as unknown as Map<number, unknown>;
  const [crv, x, y] = [key.get(COSE.crv), key.get(COSE.x), key.get(COSE.y)];
  if (crv !== P256 || !(x instanceof Uint8Array) || !(y instanceof Uint8Array)) throw refused('the key is not on P-256');
  const text = (coordinate: Uint8Array): string => Buffer.from(coordinate).toString('base64url');
  try {
    return Uint8Array.from(createPublicKey({ key: { kty: 'EC', crv: 'P-256', x: text(x), y: text(y) }, format: 'jwk' }).export({ type: 'spki', format: 'der' }));
  } catch (error) {
    throw refused('the key is no point of P-256', error);
  }
}

/** The verification has read it as JSON already. */
function insideForeignPage(clientDataJson: Uint8Array): boolean {
  const { crossOrigin, topOrigin } = JSON.parse(new TextDecoder().decode(clientDataJson)) as { crossOrigin?: unknown; topOrigin?: unknown };
  return (crossOrigin ?? false) !== false || topOrigin !== undefined;
}

function readRoot(file: string): X509Certificate {
  try {
    return new X509Certificate(readFileSync(file));
  } catch (error) {
    throw new AppError('CONFIG_INVALID', { file, reason: `access.signIn.authenticators: ${(error as Error).message}` }, { cause: error });
  }
}

function refused(reason: string, cause?: unknown): AppError {
  return new AppError('ENROLMENT_REFUSED', { reason }, cause === undefined ? {} : { cause });
}
