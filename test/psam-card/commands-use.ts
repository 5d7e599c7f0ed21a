import type { Command } from './apdu.js';
import { chainBlocks, diversifyByCommand, finishMac, mac, purchaseSessionKey, tripleEncrypt } from './crypto.js';
import { type CardKey, KEY_TYPE, keyLevels, keyType } from './files.js';
import type { CardMemory } from './memory.js';
import { refuseUnless, SW } from './status.js';

const COUNTER_FILE = 0x0018;
const PURCHASE_FIXED_LENGTH = 20;
const EMPTY = Buffer.alloc(0);

/** 80 1A usage id 8N factors (N = levels of the usage byte, lowest level first): a temporary key until its last use. */
export function initForDescrypt(card: CardMemory, { p1, p2, data }: Command): Buffer {
  const { current } = card.session;
  card.session.working = undefined;
  refuseUnless(current.issued, SW.CONDITIONS);
  const key = current.keys.find((each) => each.usage === p1 && each.id === p2);
  refuseUnless(key !== undefined, SW.KEY_NOT_FOUND);
  const type = keyType(key.usage);
  refuseUnless(type === KEY_TYPE.macOnly || type === KEY_TYPE.encryptOnly || type === KEY_TYPE.macAndEncrypt, SW.CONDITIONS);
  refuseUnless(data.length === 8 * keyLevels(key.usage), SW.WRONG_LENGTH);
  card.session.working = { key: diversifyByCommand(key.value, data), type, chain: undefined };
  return EMPTY;
}

/** P1 of DES CRYPT: encrypt or MAC; whether an initial value leads; whether the temporary key ends with it. */
const CRYPT_MODES: Readonly<Record<number, { readonly macs: boolean; readonly first: boolean; readonly last: boolean }>> = {
  0x00: { macs: false, first: true, last: true },
  0x02: { macs: false, first: true, last: false },
  0x05: { macs: true, first: true, last: true },
  0x07: { macs: true, first: true, last: false },
  0x03: { macs: true, first: false, last: false },
  0x01: { macs: true, first: false, last: true },
};

/** 80 FA mode 00 Lc. Encrypt: whole blocks → cipher. MAC: (IV8 ‖) padded blocks → nothing, or 4 bytes with the last part. */
export function desCrypt(card: CardMemory, { p1, p2, data }: Command): Buffer {
  const mode = CRYPT_MODES[p1];
  refuseUnless(mode !== undefined && p2 === 0x00, SW.P1P2_WRONG);
  const { working } = card.session;
  refuseUnless(working !== undefined, SW.CONDITIONS);
  refuseUnless(working.type !== (mode.macs ? KEY_TYPE.encryptOnly : KEY_TYPE.macOnly), SW.CONDITIONS);
  refuseUnless(data.length > 0 && data.length % 8 === 0, SW.WRONG_LENGTH);
  if (mode.last) card.session.working = undefined;
  if (!mode.macs) return tripleEncrypt(working.key, data);
  refuseUnless(mode.first ? data.length >= 16 : working.chain !== undefined, mode.first ? SW.WRONG_LENGTH : SW.CONDITIONS);
  const start = mode.first ? data.subarray(0, 8) : (working.chain as Buffer);
  const running = chainBlocks(working.key, start, mode.first ? data.subarray(8) : data);
  if (mode.last) return finishMac(working.key, running).subarray(0, 4);
  working.chain = running;
  return EMPTY;
}

/**
 * 80 70 00 00 14+8N: rnd4 ‖ card sequence2 ‖ amount4 ‖ type1 ‖ date4 ‖ time3 ‖ key version1 ‖ algorithm1 ‖ factors
 * → terminal sequence4 ‖ MAC1 4. The terminal sequence is counted up before it is used; the first purchase has 00000001.
 */
export function initSamForPurchase(card: CardMemory, { p1, p2, data }: Command): Buffer {
  const { current } = card.session;
  refuseUnless(p1 === 0x00 && p2 === 0x00, SW.P1P2_WRONG);
  refuseUnless(data.length > PURCHASE_FIXED_LENGTH && data.length % 8 === PURCHASE_FIXED_LENGTH % 8, SW.WRONG_LENGTH);
  const counter = current.files.find((file) => file.fid === COUNTER_FILE);
  const terminal = card.chip.masterFile.files.find((file) => file.fid === 0x0016);
  refuseUnless(current.issued && counter !== undefined && terminal !== undefined, SW.CONDITIONS);
  const key = purchaseKey(current.keys, data[18] as number, data[19] as number);
  const factors = data.subarray(PURCHASE_FIXED_LENGTH);
  refuseUnless(factors.length === 8 * keyLevels(key.usage), SW.WRONG_LENGTH);
  if (card.fault !== 'wrong-counter') counter.content.writeUInt32BE(counter.content.readUInt32BE(0) + 1, 0);
  const sequence = Buffer.from(counter.content);
  const sessionKey = purchaseSessionKey(diversifyByCommand(key.value, factors), data.subarray(0, 4), data.subarray(4, 6), sequence);
  const amountAndType = data.subarray(6, 11);
  const dateAndTime = data.subarray(11, 18);
  const mac1 = mac(sessionKey, Buffer.alloc(8), Buffer.concat([amountAndType, terminal.content, dateAndTime])).subarray(0, 4);
  card.session.purchase = { sessionKey, amount: Buffer.from(data.subarray(6, 10)) };
  return Buffer.concat([sequence, mac1]);
}

function purchaseKey(keys: readonly CardKey[], version: number, algorithm: number): CardKey {
  const key = keys.find((each) => keyType(each.usage) === KEY_TYPE.purchase && each.version === version && each.algorithm === algorithm);
  refuseUnless(key !== undefined, SW.KEY_VERSION);
  return key;
}

/** 80 72 00 00 04 MAC2: checks what the buyer's card answered. Only directly after INIT_SAM_FOR_PURCHASE. */
export function creditSamForPurchase(card: CardMemory, { p1, p2, data }: Command, purchase: CardMemory['session']['purchase']): Buffer {
  refuseUnless(p1 === 0x00 && p2 === 0x00, SW.P1P2_WRONG);
  refuseUnless(data.length === 4, SW.WRONG_LENGTH);
  refuseUnless(purchase !== undefined, SW.CONDITIONS);
  refuseUnless(mac(purchase.sessionKey, Buffer.alloc(8), purchase.amount).subarray(0, 4).equals(data), SW.PURCHASE_MAC_WRONG);
  return EMPTY;
}
