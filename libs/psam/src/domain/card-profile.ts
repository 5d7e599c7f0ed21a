import { ascii, concatBytes, fromHex } from '#libs/platform/domain';
import type { KeyCoordinates } from './key-coordinates.js';
import type { PsamKeySet } from './psam.js';

/**
 * The built-in card profile as data. File layout: PBOC 2.0 PSAM; name of the application: social-security PSAM (DF01).
 * A card operating system with another key header or other file descriptions gets another object of this shape.
 */
export type FileName = 'masterFile' | 'application';
export type SlotName = 'cardControl' | 'cardMaintenance' | 'applicationControl' | 'applicationMaintenance' | 'purchase' | 'data';
export type FactorName = 'chipSerial' | 'region' | 'psamSerial' | 'file' | 'test';

/** What a card is made into. All bytes as they go into files and factors. */
export interface CardIdentity {
  readonly chipSerial: Uint8Array;
  /** 10 bytes BCD. */
  readonly psamSerial: Uint8Array;
  /** 6 bytes BCD. */
  readonly terminalNumber: Uint8Array;
  /** 6 digits. */
  readonly region: string;
  /** 12 characters; the last 8 stand in 0017 as recipient. */
  readonly institutionCode: string;
  /** YYYY-MM-DD. */
  readonly validFrom: string;
  readonly validTo: string;
}

export interface KeySlot {
  readonly file: FileName;
  /** Bits 8-6: levels that the PSAM diversifies by itself; bits 5-1: key type (0 control, 1 maintenance, 2 purchase, 8 MAC and encrypt). */
  readonly usage: number;
  readonly version: number;
  /** P2 of WRITE KEY. */
  readonly keyId: number;
  /** Allowed and left wrong tries, one nibble each. */
  readonly tries: number;
  readonly root: keyof PsamKeySet;
  /** Highest level first. */
  readonly factors: readonly FactorName[];
  /** The key that encrypts this load and makes its MAC. */
  readonly protectedBy: SlotName | 'transport';
}

interface ElementaryFile {
  readonly file: FileName;
  readonly fid: number;
  readonly size: number;
  readonly readAccess: number;
  /** 02: MAC by the maintenance key; FF: closed by END ISSUE. */
  readonly updateAccess: number;
  /** Undefined: left as it is created, zeros. */
  readonly content: ((card: CardIdentity) => Uint8Array) | undefined;
}

/**
 * Key slots × root × factors. Control and maintenance keys have all three levels, also those of the MF: a key that answers
 * challenges is then never the parent of another key (E3(K, X) ‖ E3(K, ~X) would be that key in clear).
 * The purchase and data keys stop at the region; the PSAM itself applies the last level, the buyer's card.
 */
export const KEY_SLOTS: Readonly<Record<SlotName, KeySlot>> = {
  cardControl: { file: 'masterFile', usage: 0x00, version: 1, keyId: 0x00, tries: 0x33, root: 'controlRoot', factors: ['region', 'psamSerial', 'file'], protectedBy: 'transport' },
  cardMaintenance: { file: 'masterFile', usage: 0x01, version: 1, keyId: 0x00, tries: 0x33, root: 'maintenanceRoot', factors: ['region', 'psamSerial', 'file'], protectedBy: 'cardControl' },
  applicationControl: { file: 'application', usage: 0x00, version: 1, keyId: 0x00, tries: 0x33, root: 'controlRoot', factors: ['region', 'psamSerial', 'file'], protectedBy: 'cardControl' },
  applicationMaintenance: { file: 'application', usage: 0x01, version: 1, keyId: 0x00, tries: 0x33, root: 'maintenanceRoot', factors: ['region', 'psamSerial', 'file'], protectedBy: 'applicationControl' },
  purchase: { file: 'application', usage: 0x22, version: 1, keyId: 0x01, tries: 0x33, root: 'purchaseRoot', factors: ['region'], protectedBy: 'applicationControl' },
  data: { file: 'application', usage: 0x28, version: 1, keyId: 0x01, tries: 0x33, root: 'dataRoot', factors: ['region'], protectedBy: 'applicationControl' },
};

export const TRANSPORT_KEY = { root: 'transportRoot', factors: ['chipSerial'] } as const satisfies Pick<KeySlot, 'root' | 'factors'>;

/** Algorithm id in headers and purchase commands: 00 = 3DES. */
export const ALGORITHM_3DES = 0x00;

/**
 * The 8 bytes between length and key of WRITE KEY (domain note: opaque to everybody but the card). UU usage, VV version,
 * AA algorithm, EE tries; the rest is fixed: 08, use condition 0F, change condition 04, next state 0F.
 */
const HEADER_TEMPLATE = 'UUVVAA080F040FEE';

export function keyHeader(slot: KeySlot): Uint8Array {
  const values: Readonly<Record<string, number>> = { UU: slot.usage, VV: slot.version, AA: ALGORITHM_3DES, EE: slot.tries };
  return fromHex(HEADER_TEMPLATE.replaceAll(/UU|VV|AA|EE/g, (place) => (values[place] as number).toString(16).padStart(2, '0')));
}

export const FIDS: Readonly<Record<FileName, number>> = { masterFile: 0x3f00, application: 0xdf01 };

/** AID of the application DF01 of a social-security PSAM. */
export const APPLICATION_NAME = fromHex('D15600000590');

const compactDay = (day: string): Uint8Array => fromHex(day.replaceAll('-', ''));
/** Region as a factor and as an identifier: its six ASCII digits and "sx". */
export const regionFactor = (region: string): Uint8Array => ascii(`${region}sx`);

/** 0015 serial ‖ version ‖ card type ‖ instruction set ‖ FCI; 0016 terminal number; 0017 application; 0018 counter. */
export const FILES: readonly ElementaryFile[] = [
  { file: 'masterFile', fid: 0x0015, size: 14, readAccess: 0x00, updateAccess: 0x02, content: (card) => concatBytes(card.psamSerial, Uint8Array.of(1, 1, 1, 0)) },
  { file: 'masterFile', fid: 0x0016, size: 6, readAccess: 0x00, updateAccess: 0xff, content: (card) => card.terminalNumber },
  {
    file: 'application', fid: 0x0017, size: 25, readAccess: 0x00, updateAccess: 0x02,
    content: (card) =>
      concatBytes(Uint8Array.of(KEY_SLOTS.purchase.keyId), regionFactor(card.region), ascii(card.institutionCode.slice(-8)), compactDay(card.validFrom), compactDay(card.validTo)),
  },
  { file: 'application', fid: 0x0018, size: 4, readAccess: 0x00, updateAccess: 0xff, content: undefined },
];

/** Factor of a buyer's card that never existed: what a working key is tried with. */
export const TEST_CARD_FACTOR = ascii('hufutest');

/** A key id that no slot has, for the WRITE KEY that must be refused. */
export const UNUSED_KEY_ID = 0x1f;

const FACTORS: Readonly<Record<FactorName, (card: CardIdentity, file: FileName) => Uint8Array>> = {
  chipSerial: (card) => card.chipSerial,
  region: (card) => regionFactor(card.region),
  psamSerial: (card) => card.psamSerial.slice(-8),
  file: (_card, file) => ascii(`${FIDS[file].toString(16).toUpperCase()}file`),
  test: () => TEST_CARD_FACTOR,
};

/** Coordinates of a key: its root and the factors that lead to it. */
export function keyPath(
  key: { readonly root: keyof PsamKeySet; readonly factors: readonly FactorName[]; readonly file?: FileName },
  card: CardIdentity,
  keySet: PsamKeySet,
): KeyCoordinates {
  return { keyId: keySet[key.root], factors: key.factors.map((name) => FACTORS[name](card, key.file ?? 'masterFile')) };
}

export function slotPath(slot: SlotName | 'transport', card: CardIdentity, keySet: PsamKeySet): KeyCoordinates {
  return keyPath(slot === 'transport' ? TRANSPORT_KEY : KEY_SLOTS[slot], card, keySet);
}
