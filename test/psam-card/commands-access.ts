import type { Command } from './apdu.js';
import { tripleEncrypt } from './crypto.js';
import { type DedicatedFile, KEY_TYPE, MASTER_FILE } from './files.js';
import { type CardMemory, failTry, takeChallenge, usableKey } from './memory.js';
import { CardRefusal, refuseUnless, SW } from './status.js';

/** 00 A4 00 00 02 FID | 00 A4 04 00 Lc name → 6F FCI with the name of the chosen DF. */
export function select(card: CardMemory, { p1, p2, data }: Command): Buffer {
  refuseUnless((p1 === 0x00 || p1 === 0x04) && p2 === 0x00, SW.P1P2_WRONG);
  const chosen = p1 === 0x00 ? byIdentifier(card, data) : byName(card, data);
  card.session.current = chosen;
  card.session.working = undefined;
  const name = Buffer.concat([Buffer.of(0x84, chosen.name.length), chosen.name]);
  return Buffer.concat([Buffer.of(0x6f, name.length), name]);
}

function byIdentifier(card: CardMemory, data: Buffer): DedicatedFile {
  refuseUnless(data.length === 2, SW.WRONG_LENGTH);
  const fid = data.readUInt16BE(0);
  if (fid === MASTER_FILE) return card.chip.masterFile;
  const found = card.chip.applications.find((application) => application.fid === fid);
  refuseUnless(found !== undefined, SW.FILE_NOT_FOUND);
  return found;
}

function byName(card: CardMemory, data: Buffer): DedicatedFile {
  refuseUnless(data.length > 0, SW.WRONG_LENGTH);
  const found = [card.chip.masterFile, ...card.chip.applications].find((file) => file.name.equals(data));
  refuseUnless(found !== undefined, SW.FILE_NOT_FOUND);
  return found;
}

/** 00 84 00 00 04|08 → random bytes, good for the next command only. */
export function getChallenge(card: CardMemory, { p1, p2, data, le }: Command): Buffer {
  refuseUnless(p1 === 0x00 && p2 === 0x00, SW.P1P2_WRONG);
  refuseUnless(data.length === 0 && (le === 4 || le === 8), SW.WRONG_LENGTH);
  card.session.pending = card.random(le);
  return card.session.pending;
}

/** 00 82 00 00 08 E3(control key of the current DF, challenge filled up to 8 bytes). */
export function externalAuthenticate(card: CardMemory, { p1, p2, data }: Command): Buffer {
  refuseUnless(p1 === 0x00, SW.P1P2_WRONG);
  refuseUnless(data.length === 8, SW.WRONG_LENGTH);
  const { current } = card.session;
  const key = usableKey(current, KEY_TYPE.control, p2);
  const challenge = Buffer.concat([takeChallenge(card), Buffer.alloc(8)]).subarray(0, 8);
  if (!tripleEncrypt(key.value, challenge).equals(data)) {
    card.session.authenticated.delete(current);
    failTry(key);
  }
  key.triesLeft = key.triesAllowed;
  card.session.authenticated.add(current);
  return Buffer.alloc(0);
}

/** 00 B0 (80|SFI) offset Le. */
export function readBinary(card: CardMemory, { p1, p2, data, le }: Command): Buffer {
  refuseUnless((p1 & 0xe0) === 0x80, SW.P1P2_WRONG);
  refuseUnless(data.length === 0 && le !== undefined, SW.WRONG_LENGTH);
  const file = card.session.current.files.find((each) => each.fid === (p1 & 0x1f));
  if (file === undefined) throw new CardRefusal(SW.FILE_NOT_FOUND);
  refuseUnless(p2 < file.content.length, SW.OFFSET_WRONG);
  const end = le === 0 ? file.content.length : p2 + le;
  refuseUnless(end <= file.content.length, SW.WRONG_LENGTH);
  return Buffer.from(file.content.subarray(p2, end));
}
