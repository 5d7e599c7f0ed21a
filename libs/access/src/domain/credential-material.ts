import { hash } from 'node:crypto';
import { canonicalJson, type JsonValue, toHex } from '#libs/platform/domain';
import type { CREDENTIAL_METHODS, CREDENTIAL_PURPOSES } from './record.js';

/** What an authenticator showed when its key was made (WebAuthn 7.1). */
export interface WebauthnMaterial {
  readonly rpId: string;
  readonly origins: readonly string[];
  readonly credentialId: Uint8Array;
  /** Model, upper-case hex. */
  readonly aaguid: string;
  readonly attestationObject: Uint8Array;
  readonly clientDataJson: Uint8Array;
  readonly signCount: number;
}

/** The public half of a credential, as it was enrolled. It gives no right: that comes by a change that names `keyDigest`. */
export interface CredentialMaterial {
  /** SHA-256 of `publicKey`, upper-case hex. */
  readonly keyDigest: string;
  readonly operatorId: string;
  readonly purpose: (typeof CREDENTIAL_PURPOSES)[number];
  readonly method: (typeof CREDENTIAL_METHODS)[number];
  readonly algorithm: 'p256Sha256' | 'sm2Sm3';
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
  readonly webauthn: WebauthnMaterial | null;
}

/** What the journal keeps of material or a session: a row that gives another digest was changed behind the product's back. */
export function contentDigest(content: object): string {
  return hash('sha256', canonicalJson(plain(content) as JsonValue), 'hex').toUpperCase();
}

function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value);
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, plain(each)]));
  return value;
}
