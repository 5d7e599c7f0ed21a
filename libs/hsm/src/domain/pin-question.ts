/** What a host asks, or tells, about a PIN that it has not proven: the answer must fit all hosts that reach the token. */
export interface PinQuestion {
  readonly device: string;
  readonly tokenSerial: string;
  /** Random; names the PIN file on that host. */
  readonly pinId: string;
  /**
   *   awaited   it may be tried?
   *   tried     it was tried once and the answer was lost: what now?
   *   accepted, refused   what the token answered
   */
  readonly state: 'awaited' | 'tried' | 'accepted' | 'refused';
}

/** `leave`: try it, once. `latched`: the token refused a PIN, here or elsewhere; do not. `noted`: the outcome is written down. */
export const PIN_ANSWERS = ['leave', 'latched', 'noted'] as const;
export type PinAnswer = (typeof PIN_ANSWERS)[number];
