import type { Fault } from './faults.js';
import { type CardKey, type DedicatedFile, KEY_TYPE, findKey } from './files.js';
import { mac } from './crypto.js';
import type { Command } from './apdu.js';
import { CardRefusal, refuseUnless, SW, triesLeft } from './status.js';

/** What stands in the chip. */
export interface Persistent {
  readonly chipSerial: Buffer;
  readonly masterFile: DedicatedFile;
  readonly applications: DedicatedFile[];
}

/** What a reset clears. */
export interface Session {
  current: DedicatedFile;
  /** Set by GET CHALLENGE; `card.ts` takes it away before the next command runs and hands it over in `challenge`. */
  pending: Buffer | undefined;
  /** The challenge that the command being run may use. */
  challenge: Buffer | undefined;
  readonly authenticated: Set<DedicatedFile>;
  /** Made by INIT_FOR_DESCRYPT. */
  working: { readonly key: Buffer; readonly type: number; chain: Buffer | undefined } | undefined;
  /** Made by INIT_SAM_FOR_PURCHASE, for the next command only. */
  purchase: { readonly sessionKey: Buffer; readonly amount: Buffer } | undefined;
}

export interface CardMemory {
  readonly chip: Persistent;
  readonly session: Session;
  readonly fault: Fault;
  readonly random: (length: number) => Buffer;
}

export function freshSession(chip: Persistent): Session {
  return { current: chip.masterFile, pending: undefined, challenge: undefined, authenticated: new Set(), working: undefined, purchase: undefined };
}

/** The key or 6A88; a blocked one is 6983. */
export function usableKey(file: DedicatedFile, type: number, id: number): CardKey {
  const key = findKey(file, type, id);
  refuseUnless(key !== undefined, SW.KEY_NOT_FOUND);
  refuseUnless(key.triesLeft > 0, SW.KEY_BLOCKED);
  return key;
}

/** Counts a failed try and refuses: `sw` for MACs, 63Cx for authentication, 6983 with the last try. */
export function failTry(key: CardKey, sw?: number): never {
  key.triesLeft -= 1;
  throw new CardRefusal(key.triesLeft === 0 ? SW.KEY_BLOCKED : (sw ?? triesLeft(key.triesLeft)));
}

export function takeChallenge(card: CardMemory): Buffer {
  refuseUnless(card.session.challenge !== undefined, SW.NO_CHALLENGE);
  return card.session.challenge;
}

/**
 * Checks the four MAC bytes at the end of a secured command and returns the data before them. The MAC is over
 * CLA INS P1 P2 Lc data with the challenge as initial value.
 */
export function openSecured(card: CardMemory, command: Command, key: CardKey): Buffer {
  refuseUnless(command.data.length >= 4, SW.WRONG_LENGTH);
  const challenge = takeChallenge(card);
  const data = command.data.subarray(0, -4);
  const head = Buffer.of(command.cla, command.ins, command.p1, command.p2, command.data.length);
  const expected = mac(key.value, challenge, Buffer.concat([head, data])).subarray(0, 4);
  if (!expected.equals(command.data.subarray(-4)) && card.fault !== 'accept-any-mac') failTry(key, SW.MAC_WRONG);
  key.triesLeft = key.triesAllowed;
  return data;
}

/** The control key of `file`; an application without one is still under the master file's. */
export function controlKeyFor(card: CardMemory, file: DedicatedFile): CardKey {
  const owner = findKey(file, KEY_TYPE.control, 0x00) === undefined ? card.chip.masterFile : file;
  return usableKey(owner, KEY_TYPE.control, 0x00);
}
