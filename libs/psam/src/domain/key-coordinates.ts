/**
 * Where a key stands: a root of the register (CKA_ID, hex) and the factors that lead to it, highest level first, 8 bytes
 * each. The shapes here are what the port `Hsm` takes, told in this room's own words.
 */
export interface KeyCoordinates {
  readonly keyId: string;
  readonly factors: readonly Uint8Array[];
}

/** A WRITE KEY but for the challenge that it will be bound to. */
export interface KeyLoad {
  readonly key: KeyCoordinates;
  readonly controlKey: KeyCoordinates;
  readonly header: Uint8Array;
  /** CLA INS P1 P2. */
  readonly command: Uint8Array;
}

/** A command with clear data and a MAC, but for its challenge. */
export interface SecuredCommand {
  readonly key: KeyCoordinates;
  readonly command: Uint8Array;
  readonly data: Uint8Array;
}
