/** What the card remembers. Everything here survives a reset; `state-file.ts` lets it survive a power cut too. */
export interface CardKey {
  /** Bits 8-6: number of diversification levels, bits 5-1: key type. */
  readonly usage: number;
  readonly id: number;
  readonly version: number;
  /** 00 = 3DES. */
  readonly algorithm: number;
  readonly value: Buffer;
  readonly triesAllowed: number;
  triesLeft: number;
}

export interface ElementaryFile {
  readonly fid: number;
  readonly content: Buffer;
  /** 00: free. */
  readonly readAccess: number;
  /** 02: MAC by the maintenance key; FF: so too until END ISSUE, never after. */
  readonly updateAccess: number;
}

export interface DedicatedFile {
  readonly fid: number;
  readonly name: Buffer;
  keys: CardKey[];
  files: ElementaryFile[];
  /** END ISSUE was done. */
  issued: boolean;
}

/** Key types: low five bits of the usage byte. */
export const KEY_TYPE = { control: 0x00, maintenance: 0x01, purchase: 0x02, macOnly: 0x06, encryptOnly: 0x07, macAndEncrypt: 0x08 } as const;

export const keyType = (usage: number): number => usage & 0x1f;
export const keyLevels = (usage: number): number => usage >> 5;

export const MASTER_FILE = 0x3f00;
/** `1PAY.SYS.DDF01` of PBOC; the social-security name is given by the order's card profile when the ADF is made. */
export const MASTER_FILE_NAME = Buffer.from('315041592E5359532E4444463031', 'hex');

export function findKey(file: DedicatedFile, type: number, id: number): CardKey | undefined {
  return file.keys.find((key) => keyType(key.usage) === type && key.id === id);
}

/** A key of the same use and id is replaced: that is how the transport key goes. */
export function putKey(file: DedicatedFile, key: CardKey): void {
  file.keys = [...file.keys.filter((old) => keyType(old.usage) !== keyType(key.usage) || old.id !== key.id), key];
}

/** The state in which a card leaves the factory: one MF, one key. */
export function blankMasterFile(transportKey: Buffer): DedicatedFile {
  const transport: CardKey = { usage: 0x00, id: 0x00, version: 0x00, algorithm: 0x00, value: transportKey, triesAllowed: 3, triesLeft: 3 };
  return { fid: MASTER_FILE, name: MASTER_FILE_NAME, keys: [transport], files: [], issued: false };
}
