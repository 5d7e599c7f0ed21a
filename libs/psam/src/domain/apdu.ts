import { concatBytes } from '#libs/platform/domain';

/** A whole command as it goes to the card (ISO/IEC 7816-4, short form). */
export type Apdu = Uint8Array;

export interface CardAnswer {
  readonly data: Uint8Array;
  /** SW1 SW2. */
  readonly sw: number;
}

const LONGEST_DATA = 255;

/** CLA INS P1 P2. */
export function header(cla: number, ins: number, p1: number, p2: number): Uint8Array {
  return Uint8Array.of(cla, ins, p1, p2);
}

/** Header ‖ Lc ‖ data; a RangeError when the data does not fit a short APDU or is empty (that would read as Le). */
export function withData(head: Uint8Array, data: Uint8Array): Apdu {
  if (head.length !== 4 || data.length === 0 || data.length > LONGEST_DATA) throw new RangeError(`no short APDU with ${data.length} bytes`);
  return concatBytes(head, Uint8Array.of(data.length), data);
}

/** Header ‖ Le: a command that only asks. */
export function withExpected(head: Uint8Array, le: number): Apdu {
  return concatBytes(head, Uint8Array.of(le));
}

/** Header ‖ Lc ‖ data ‖ MAC4: the secured form, and what the token returned for it. */
export function secured(head: Uint8Array, data: Uint8Array, mac: Uint8Array): Apdu {
  return withData(head, concatBytes(data, mac));
}

export const CHALLENGE_BYTES = 8;
export const GET_CHALLENGE: Apdu = withExpected(header(0x00, 0x84, 0x00, 0x00), CHALLENGE_BYTES);

export const selectFile = (fid: number): Apdu => withData(header(0x00, 0xa4, 0x00, 0x00), Uint8Array.of(fid >> 8, fid & 0xff));

/** `cryptogram`: E3(control key, challenge), 8 bytes from the token. */
export const externalAuthenticate = (keyId: number, cryptogram: Uint8Array): Apdu => withData(header(0x00, 0x82, 0x00, keyId), cryptogram);

/** P1 names a file by its short identifier, the low five bits of its FID. */
const bySfi = (fid: number): number => 0x80 | (fid & 0x1f);
export const readBinary = (fid: number, length: number): Apdu => withExpected(header(0x00, 0xb0, bySfi(fid), 0x00), length);

/** Heads of secured commands; the agent appends Lc and makes the MAC. */
export const SECURED = {
  writeKey: (keyId: number) => header(0x84, 0xd4, 0x01, keyId),
  updateBinary: (fid: number) => header(0x04, 0xd6, bySfi(fid), 0x00),
  createFile: () => header(0x84, 0x80, 0x00, 0x00),
  endIssue: () => header(0x84, 0x1c, 0x00, 0x00),
} as const;

/** WRITE KEY in clear. Only ever sent with a worthless key, to see it refused. */
export const writeKeyPlain = (keyId: number, record: Uint8Array): Apdu => withData(header(0x80, 0xd4, 0x01, keyId), record);

/** Factors lowest level first, as cards take them. */
export const initForDescrypt = (usage: number, keyId: number, factors: readonly Uint8Array[]): Apdu =>
  withData(header(0x80, 0x1a, usage, keyId), concatBytes(...factors));
export const desEncrypt = (blocks: Uint8Array): Apdu => withData(header(0x80, 0xfa, 0x00, 0x00), blocks);
export const initSamForPurchase = (data: Uint8Array): Apdu => withData(header(0x80, 0x70, 0x00, 0x00), data);
export const creditSamForPurchase = (mac2: Uint8Array): Apdu => withData(header(0x80, 0x72, 0x00, 0x00), mac2);

/** Splits what a card sent; a RangeError on fewer than two bytes. */
export function parseAnswer(frame: Uint8Array): CardAnswer {
  if (frame.length < 2) throw new RangeError(`an answer of ${frame.length} bytes has no status word`);
  const sw = ((frame[frame.length - 2] as number) << 8) | (frame[frame.length - 1] as number);
  return { data: frame.slice(0, -2), sw };
}
