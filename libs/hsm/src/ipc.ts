import type { ErrorDetails } from '#libs/platform/domain';
import type { KeyClass } from './domain/key-class.js';
import type { ProfileName } from './domain/profiles.js';

/*
 * Between the supervisor and an agent it forked (Node's IPC, serialization 'advanced'): only strings, numbers, booleans,
 * Uint8Array, arrays and plain objects.
 */

/** Where a token is and how it is told from others. */
export interface TokenPlace {
  readonly device: string;
  readonly profile: ProfileName;
  readonly module: string;
  /** C_Initialize reserved parameters (NSS only; empty elsewhere). */
  readonly libraryParameters: string;
  readonly label: string | undefined;
  readonly serial: string | undefined;
  readonly slot: number | undefined;
}

export type AgentOrder =
  | { readonly kind: 'start'; readonly place: TokenPlace; readonly testKeys: boolean; readonly latchFile: string; readonly pin: Uint8Array }
  | { readonly kind: 'initialise'; readonly place: TokenPlace; readonly label: string; readonly soPin: Uint8Array; readonly pin: Uint8Array }
  | { readonly kind: 'run'; readonly id: number; readonly recipe: string; readonly request: unknown; readonly classes: readonly KeyClass[] };

export type AgentReport =
  /** The process is ready to take an order. */
  | { readonly kind: 'awake' }
  | { readonly kind: 'up'; readonly tokenSerial: string; readonly tokenLabel: string }
  | { readonly kind: 'missing' | 'pinLatched' | 'failed'; readonly reason: string }
  | { readonly kind: 'initialised' }
  | { readonly kind: 'done'; readonly id: number; readonly result: unknown }
  | { readonly kind: 'refused'; readonly id: number; readonly code: string; readonly details: ErrorDetails };
