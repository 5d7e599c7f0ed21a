import type { ErrorDetails } from '#libs/platform/domain';
import type { KeyClass } from './domain/key-class.js';
import type { WrappingKey } from './domain/escrow.js';
import type { IdentityProof } from './domain/token-identity.js';
import type { VendorProfile } from './domain/vendor-profile.js';

/*
 * Between the supervisor and an agent it forked (Node's IPC, serialization 'advanced'): only strings, numbers, booleans,
 * Uint8Array, arrays and plain objects.
 */

/** Where a token is and how it is told from others. */
export interface TokenPlace {
  readonly device: string;
  readonly module: string;
  /** Hex. What its file must be; undefined = not pinned. */
  readonly moduleSha256: string | undefined;
  /** C_Initialize reserved parameters (NSS only; empty elsewhere). */
  readonly libraryParameters: string;
  readonly label: string | undefined;
  readonly serial: string | undefined;
  readonly slot: number | undefined;
}

export interface AgentStart {
  readonly place: TokenPlace;
  readonly profile: VendorProfile;
  readonly testKeys: boolean;
  readonly latchFile: string;
  /** 32 random bytes that a token with a pair of its own signs after the login. */
  readonly identityNonce: Uint8Array;
  /** keyId → fingerprint (hex) as recorded when the key was made or first seen; the agent compares before first use. */
  readonly fingerprints: Readonly<Record<string, string>>;
}

export type AgentOrder =
  | ({ readonly kind: 'start' } & AgentStart)
  /** After `token`: log in, once. */
  | { readonly kind: 'login'; readonly pin: Uint8Array }
  | { readonly kind: 'initialise'; readonly place: TokenPlace; readonly profile: VendorProfile; readonly label: string; readonly soPin: Uint8Array; readonly pin: Uint8Array }
  /** The security officer's act: these public keys and no others are trusted afterwards. The process ends with it. */
  | { readonly kind: 'trust'; readonly place: TokenPlace; readonly profile: VendorProfile; readonly soPin: Uint8Array; readonly latchFile: string; readonly keys: readonly WrappingKey[] }
  /** Several may run at once; the agent answers each under its id. `request` of a packed recipe is `{ batch }`. */
  | { readonly kind: 'run'; readonly id: number; readonly recipe: string; readonly request: unknown; readonly classes: readonly KeyClass[]; readonly online: boolean }
  /** Answered at once by `pong`; also starts a probe of the device. */
  | { readonly kind: 'ping'; readonly seq: number };

/** What the module and the token say of themselves, for the device record. */
export interface TokenDescription {
  readonly serial: string;
  readonly label: string;
  readonly manufacturer: string;
  readonly model: string;
  readonly firmware: string;
  readonly flags: number;
  /** Numbers, ascending. */
  readonly mechanisms: readonly number[];
  /** Recipe × algorithm that the profile claims and the probe found missing. */
  readonly missing: readonly string[];
  /** Of the module's file, hex. */
  readonly moduleSha256: string;
}

/**
 * The PKCS#11 call that has not returned for the longest time. `ms`: since its start, 0 when none runs. `running`: its thread
 * computes or waits for a processor; else it waits for its device.
 */
export interface OldestCall {
  readonly ms: number;
  readonly running: boolean;
}

export type AgentReport =
  /** The process is ready to take an order. */
  | { readonly kind: 'awake' }
  /** Found, nobody logged in yet. */
  | { readonly kind: 'token'; readonly serial: string }
  | { readonly kind: 'up'; readonly token: TokenDescription; readonly sessions: number; readonly loginEpoch: number; readonly identity: IdentityProof | undefined }
  | { readonly kind: 'missing' | 'pinLatched' | 'moduleChanged' | 'failed'; readonly reason: string }
  | { readonly kind: 'initialised' }
  | { readonly kind: 'trusted' }
  | { readonly kind: 'done'; readonly id: number; readonly result: unknown }
  /** `fatal`: login, session or device is gone and the agent ends after this. `ckr` where the device said one. */
  | { readonly kind: 'refused'; readonly id: number; readonly code: string; readonly details: ErrorDetails; readonly ckr: string | undefined; readonly fatal: boolean }
  | { readonly kind: 'pong'; readonly seq: number; readonly oldestCall: OldestCall; readonly sessionsOpen: number; readonly errors: Readonly<Record<string, number>> }
  /** The probe of an idle device failed. */
  | { readonly kind: 'gone'; readonly ckr: string }
  /** A key was used for the first time in this login: its fingerprint, for the supervisor's record. */
  | { readonly kind: 'fingerprint'; readonly keyId: string; readonly value: string; readonly keyClass: KeyClass };
