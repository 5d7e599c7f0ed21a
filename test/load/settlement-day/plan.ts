import type { Subject } from './x509.js';

/** What `subjects` writes to plan.json, and `day` and whoever loads the registers read. Times are ISO 8601 UTC. */
export interface Plan {
  readonly form: 'settlement-day/plan/1';
  readonly seed: string;
  /** The day that is settled, China time, yyyy-MM-dd. */
  readonly day: string;
  readonly institutions: readonly { readonly code: string; readonly name: string; readonly region: string }[];
  readonly terminals: readonly { readonly number: string; readonly institutionCode: string }[];
  readonly cards: readonly { readonly number: string; readonly region: string; readonly activeFrom: string }[];
  readonly cancellations: readonly { readonly cardNumber: string; readonly effectiveAt: string }[];
  /** Of requests by id. */
  readonly revocations: readonly { readonly id: string; readonly effectiveAt: string; readonly reason: 'superseded' | 'keyCompromise' | 'cessationOfOperation' }[];
}

/** A line of requests.ndjson: one certificate to enrol, in this order. */
export interface PlannedRequest {
  readonly id: string;
  readonly profile: 'hospital' | 'terminal' | 'card';
  readonly holder: { readonly kind: 'institution' | 'terminal' | 'card'; readonly id: string };
  readonly subject: Subject;
  /** PKCS#10, DER, Base64. */
  readonly csr: string;
  readonly notBefore: string;
  readonly notAfter: string;
  /** What the day's author uses it for; means nothing to the register. */
  readonly role: Role;
}

export type Role = 'plain' | 'expiresAtNoon' | 'validFromNoon' | 'revokedBefore' | 'revokedAtNoon' | 'revokedAfter' | 'cancelled';

/** A line of issued.ndjson, which whoever enrolled the requests writes into the same folder. */
export interface IssuedLine {
  readonly id: string;
  /** X.509, DER, Base64. */
  readonly certificate: string;
}

/** foreign.json: other CAs, for import with their certificates; `trusted` as an anchor, `untrusted` not. DER, Base64. */
export interface ForeignMaterial {
  readonly trusted: ForeignCa;
  readonly untrusted: ForeignCa;
}

export interface ForeignCa {
  readonly caCertificates: readonly string[];
  readonly certificates: readonly string[];
}

/** A line of private-keys.ndjson (0600); ids of foreign certificates are `foreign-trusted-N`, `foreign-untrusted-N`. */
export interface PrivateKeyLine {
  readonly id: string;
  /** PKCS#8, DER, Base64. */
  readonly key: string;
}

const CHINA_OFFSET_MS = 8 * 3_600_000;

/** ms since 1970 UTC of a time of the settled day, hours counted from its midnight in China. */
export function atHour(day: string, hour: number): number {
  return Date.parse(`${day}T00:00:00Z`) - CHINA_OFFSET_MS + hour * 3_600_000;
}
