import { createCipheriv, createDecipheriv } from 'node:crypto';

/**
 * The card's own arithmetic, written apart from the product's so that one mistake cannot hide in both. Names follow the
 * papers: E3 is two-key triple DES in ECB, KL and KR are the halves of a 16-byte key. Source of every rule: PBOC 2.0
 * part 2 (secure messaging, diversification, purchase), ISO/IEC 9797-1:2011 algorithm 3.
 */

/** E3(K, data): EDE with K1 K2 K1, no padding; `data` is whole blocks. */
export function tripleEncrypt(key16: Buffer, data: Buffer): Buffer {
  const cipher = createCipheriv('des-ede', key16, null).setAutoPadding(false);
  return Buffer.concat([cipher.update(data), cipher.final()]);
}

export function tripleDecrypt(key16: Buffer, data: Buffer): Buffer {
  const decipher = createDecipheriv('des-ede', key16, null).setAutoPadding(false);
  return Buffer.concat([decipher.update(data), decipher.final()]);
}

/** Single DES of one or more blocks: EDE with three equal keys, since plain DES is not in OpenSSL 3's default provider. */
function singleEncrypt(key8: Buffer, block: Buffer): Buffer {
  return tripleEncrypt(Buffer.concat([key8, key8]), block);
}

function xor8(a: Buffer, b: Buffer): Buffer {
  return Buffer.from(a.map((byte, i) => byte ^ (b[i] as number)));
}

/** Padding method 2 (80 00…) is always applied, also to whole blocks. */
export function pad80(data: Buffer): Buffer {
  const zeros = (8 - ((data.length + 1) % 8)) % 8;
  return Buffer.concat([data, Buffer.of(0x80), Buffer.alloc(zeros)]);
}

/** CBC with KL over whole blocks, from `state`; the running value of a MAC that comes in parts. */
export function chainBlocks(key: Buffer, state: Buffer, blocks: Buffer): Buffer {
  const left = key.subarray(0, 8);
  let running = state;
  for (let at = 0; at < blocks.length; at += 8) running = singleEncrypt(left, xor8(running, blocks.subarray(at, at + 8)));
  return running;
}

/** Last step of algorithm 3 with a 16-byte key: E(KL, D(KR, t)). With an 8-byte key the chain value stands. */
export function finishMac(key: Buffer, running: Buffer): Buffer {
  if (key.length === 8) return running;
  const right = key.subarray(8, 16);
  const opened = tripleDecrypt(Buffer.concat([right, right]), running);
  return singleEncrypt(key.subarray(0, 8), opened);
}

/** Whole 8-byte MAC over `data`, padded here. `initial`: 8 bytes, or 4 that are filled up with zeros. */
export function mac(key: Buffer, initial: Buffer, data: Buffer): Buffer {
  const start = Buffer.concat([initial, Buffer.alloc(8)]).subarray(0, 8);
  return finishMac(key, chainBlocks(key, start, pad80(data)));
}

/** child = E3(K, X) ‖ E3(K, ~X), no parity adjustment. */
export function diversify(key16: Buffer, factor8: Buffer): Buffer {
  const inverted = Buffer.from(factor8.map((byte) => ~byte & 0xff));
  return tripleEncrypt(key16, Buffer.concat([factor8, inverted]));
}

/** Commands list the lowest level first (card, bank, city); the key tree is walked from the top. */
export function diversifyByCommand(key16: Buffer, factors: Buffer): Buffer {
  let key = key16;
  for (let at = factors.length - 8; at >= 0; at -= 8) key = diversify(key, factors.subarray(at, at + 8));
  return key;
}

/** Session key of a purchase: 8 bytes, single DES from there on. */
export function purchaseSessionKey(cardKey16: Buffer, random4: Buffer, cardSequence2: Buffer, terminalSequence4: Buffer): Buffer {
  return tripleEncrypt(cardKey16, Buffer.concat([random4, cardSequence2, terminalSequence4.subarray(2, 4)]));
}
