import type { ShareAlgorithm, WrappingKey } from '../domain/escrow.js';
import type { VendorProfile } from '../domain/vendor-profile.js';
import type { TokenPlace } from '../ipc.js';

/*
 * Between a ceremony station and the process that speaks to one custodian's token. Each order logs in with the PIN of whoever acts and
 * out again: the token lies open for one act at a time, and nobody's PIN outlives it.
 */

/** Where the token is, and what module it speaks through. */
export interface CustodianPlace {
  readonly place: TokenPlace;
  readonly profile: VendorProfile;
}

/** A share on its way: the custodian's number, and K_i as it stands in the package. */
export interface ShareToOpen {
  readonly index: number;
  readonly wrapped: Uint8Array;
  /** keyDigest of custodian `index` by the package: a token of somebody else names itself. */
  readonly keyDigest: string;
}

export interface CustodianActs {
  /** Simulators only: a token comes from its vendor otherwise. */
  initialise: { readonly label: string; readonly soPin: Uint8Array; readonly pin: Uint8Array };
  /** Tries the rules that the role needs, then makes the escrow pair in the token; its public half, in DER. */
  enrol: { readonly pin: Uint8Array; readonly algorithm: ShareAlgorithm };
  /** The token's security officer: enters the target's key when `heard` is its fingerprint as it was read aloud. */
  trust: { readonly soPin: Uint8Array; readonly target: WrappingKey; readonly heard: string };
  /** Unwraps the share inside and wraps it to the target, which the officer has entered; takes the trust back. */
  openShare: { readonly pin: Uint8Array; readonly share: ShareToOpen; readonly target: WrappingKey };
  inventory: { readonly pin: Uint8Array };
}

export type CustodianAct = keyof CustodianActs;
export type CustodianOrder = { [A in CustodianAct]: { readonly act: A; readonly request: CustodianActs[A] } }[CustodianAct];

export type CustodianReport =
  | { readonly kind: 'awake' }
  | { readonly kind: 'done'; readonly result: unknown }
  /** `ckr`: what the token said; a refused PIN is never tried again by this process. */
  | { readonly kind: 'refused'; readonly code: string; readonly details: Readonly<Record<string, string | number | boolean | string[]>> };

/** What a token holds, for a record and for the eye. No value ever. */
export interface CustodianObject {
  readonly objectClass: 'secret' | 'private' | 'public';
  readonly label: string;
  readonly trusted: boolean;
}
