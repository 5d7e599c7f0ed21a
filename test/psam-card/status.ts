/** Status words this card answers with (ISO/IEC 7816-4, PBOC 2.0). */
export const SW = {
  OK: 0x9000,
  WRONG_LENGTH: 0x6700,
  SECURITY_STATE: 0x6982,
  KEY_BLOCKED: 0x6983,
  NO_CHALLENGE: 0x6984,
  CONDITIONS: 0x6985,
  MAC_WRONG: 0x6988,
  DATA_WRONG: 0x6a80,
  FILE_NOT_FOUND: 0x6a82,
  NO_SPACE: 0x6a84,
  P1P2_WRONG: 0x6a86,
  KEY_NOT_FOUND: 0x6a88,
  FILE_EXISTS: 0x6a89,
  OFFSET_WRONG: 0x6b00,
  INS_UNKNOWN: 0x6d00,
  CLA_UNKNOWN: 0x6e00,
  PURCHASE_MAC_WRONG: 0x9302,
  KEY_VERSION: 0x9403,
} as const;

/** 63Cx: authentication failed, x tries left. */
export const triesLeft = (left: number): number => 0x63c0 | left;

/** How a command ends that does not end with 9000. */
export class CardRefusal extends Error {
  constructor(readonly sw: number) {
    super(sw.toString(16));
  }
}

export function refuseUnless(condition: boolean, sw: number): asserts condition {
  if (!condition) throw new CardRefusal(sw);
}
