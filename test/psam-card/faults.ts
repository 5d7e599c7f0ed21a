/** Faulty cards for tests: a check that no faulty card can fail proves nothing. */
export const FAULTS = {
  none: 'a sound card',
  'accept-any-mac': 'secured commands are taken with any MAC',
  'reuse-challenge': 'a challenge stays valid after the command that used it',
  'wrong-key': 'one bit of the data key is flipped when it is loaded',
  'wrong-purchase-key': 'one bit of the purchase key is flipped when it is loaded',
  'wrong-control-key': 'one bit of the card master control key is flipped when it is loaded',
  'accept-plain-write-after-end-issue': 'WRITE KEY in clear is taken for ever',
  'wrong-counter': 'the terminal transaction counter stands still',
} as const;

export type Fault = keyof typeof FAULTS;

export const isFault = (name: string): name is Fault => Object.hasOwn(FAULTS, name);

/** The key whose load goes wrong: by its usage byte, and whether it belongs to the MF. */
export const FLIPPED_KEY: Partial<Record<Fault, { readonly usage: number; readonly inMasterFile: boolean }>> = {
  'wrong-key': { usage: 0x28, inMasterFile: false },
  'wrong-purchase-key': { usage: 0x22, inMasterFile: false },
  'wrong-control-key': { usage: 0x00, inMasterFile: true },
};
