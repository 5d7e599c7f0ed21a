import type { Command } from './apdu.js';
import { pad80, tripleDecrypt } from './crypto.js';
import { FLIPPED_KEY } from './faults.js';
import { type CardKey, KEY_TYPE, findKey, keyType, putKey } from './files.js';
import { type CardMemory, controlKeyFor, openSecured, usableKey } from './memory.js';
import { refuseUnless, SW } from './status.js';

const SECURED_CREATE = 0x84;
const HEADER_LENGTH = 8;
const KEY_LENGTH = 16;

/** The data of a command that is either secured by the control key's MAC (CLA x4) or open to an authenticated session. */
function underControlKey(card: CardMemory, command: Command): Buffer {
  const key = controlKeyFor(card, card.session.current);
  if (command.cla === SECURED_CREATE) return openSecured(card, command, key);
  refuseUnless(card.session.authenticated.has(card.session.current), SW.SECURITY_STATE);
  return command.data;
}

/**
 * 80|84 80 00 00. EF, 8 bytes: FID2 ‖ 31 ‖ size2 ‖ read AC ‖ update AC ‖ FF.
 * ADF, 42 bytes, in the MF only: FID2 ‖ 20 ‖ size2 ‖ create AC ‖ erase AC ‖ name length ‖ name, 16 bytes filled with FF ‖ FF×18.
 */
export function createFile(card: CardMemory, command: Command): Buffer {
  refuseUnless(command.p1 === 0x00 && command.p2 === 0x00, SW.P1P2_WRONG);
  const { current } = card.session;
  refuseUnless(!current.issued, SW.CONDITIONS);
  const data = underControlKey(card, command);
  refuseUnless(data.length === 8 || data.length === 42, SW.WRONG_LENGTH);
  const fid = data.readUInt16BE(0);
  const taken = [...current.files, ...card.chip.applications].some((each) => each.fid === fid);
  refuseUnless(!taken && fid !== card.chip.masterFile.fid, SW.FILE_EXISTS);
  if (data.length === 8) {
    refuseUnless(data[2] === 0x31, SW.DATA_WRONG);
    const size = data.readUInt16BE(3);
    refuseUnless(size > 0 && size <= 0xff, SW.NO_SPACE);
    current.files = [...current.files, { fid, content: Buffer.alloc(size), readAccess: data[5] as number, updateAccess: data[6] as number }];
    return Buffer.alloc(0);
  }
  const nameLength = data[7] as number;
  refuseUnless(data[2] === 0x20 && current === card.chip.masterFile && nameLength >= 5 && nameLength <= 16, SW.DATA_WRONG);
  card.chip.applications.push({ fid, name: Buffer.from(data.subarray(8, 8 + nameLength)), keys: [], files: [], issued: false });
  return Buffer.alloc(0);
}

/** 84 D4 01 id 24 E3(control key, 18 ‖ header8 ‖ key16 ‖ 80 00…) ‖ MAC4; or 80 D4 01 id 19 18 ‖ header8 ‖ key16 in clear. */
export function writeKey(card: CardMemory, command: Command): Buffer {
  refuseUnless(command.p1 === 0x01, SW.P1P2_WRONG);
  return command.cla === 0x84 ? writeKeySecured(card, command) : writeKeyPlain(card, command);
}

function writeKeySecured(card: CardMemory, command: Command): Buffer {
  const { current } = card.session;
  refuseUnless(!current.issued, SW.CONDITIONS);
  const control = controlKeyFor(card, current);
  const cipher = openSecured(card, command, control);
  refuseUnless(cipher.length === 32, SW.WRONG_LENGTH);
  const plain = tripleDecrypt(control.value, cipher);
  const record = plain.subarray(0, 1 + HEADER_LENGTH + KEY_LENGTH);
  refuseUnless(plain.equals(pad80(record)), SW.DATA_WRONG);
  return store(card, command.p2, record);
}

/** In clear only before END ISSUE, and only for a station that has authenticated. */
function writeKeyPlain(card: CardMemory, command: Command): Buffer {
  const { current } = card.session;
  if (card.fault !== 'accept-plain-write-after-end-issue') {
    refuseUnless(!current.issued, SW.CONDITIONS);
    refuseUnless(card.session.authenticated.has(current), SW.SECURITY_STATE);
  }
  return store(card, command.p2, command.data);
}

/** Header: usage ‖ version ‖ algorithm ‖ 08 ‖ use AC ‖ change AC ‖ next state ‖ tries allowed and left, one nibble each. */
function store(card: CardMemory, id: number, record: Buffer): Buffer {
  refuseUnless(record.length === 1 + HEADER_LENGTH + KEY_LENGTH && record[0] === HEADER_LENGTH + KEY_LENGTH, SW.DATA_WRONG);
  const { current } = card.session;
  const header = record.subarray(1, 1 + HEADER_LENGTH);
  const usage = header[0] as number;
  const tries = header[7] as number;
  const isControl = keyType(usage) === KEY_TYPE.control;
  refuseUnless(!isControl || id === 0x00, SW.P1P2_WRONG);
  refuseUnless(isControl || findKey(current, KEY_TYPE.control, 0x00) !== undefined, SW.CONDITIONS);
  const value = Buffer.from(record.subarray(1 + HEADER_LENGTH));
  const flipped = FLIPPED_KEY[card.fault];
  if (flipped?.usage === usage && flipped.inMasterFile === (current === card.chip.masterFile)) value[7] = (value[7] as number) ^ 0x10;
  const key: CardKey = {
    usage, id, version: header[1] as number, algorithm: header[2] as number, value, triesAllowed: tries >> 4, triesLeft: tries & 0x0f,
  };
  refuseUnless(key.triesAllowed > 0 && key.triesLeft > 0, SW.DATA_WRONG);
  if (isControl) card.session.authenticated.delete(current);
  putKey(current, key);
  return Buffer.alloc(0);
}

/** 04 D6 (80|SFI) offset Lc data ‖ MAC4 by the maintenance key of the current DF. Without a MAC: 6982. */
export function updateBinary(card: CardMemory, command: Command): Buffer {
  refuseUnless((command.p1 & 0xe0) === 0x80, SW.P1P2_WRONG);
  const { current } = card.session;
  const file = current.files.find((each) => each.fid === (command.p1 & 0x1f));
  refuseUnless(file !== undefined, SW.FILE_NOT_FOUND);
  refuseUnless(command.cla === 0x04 && !(file.updateAccess === 0xff && current.issued), SW.SECURITY_STATE);
  const data = openSecured(card, command, usableKey(current, KEY_TYPE.maintenance, 0x00));
  refuseUnless(command.p2 + data.length <= file.content.length, SW.OFFSET_WRONG);
  data.copy(file.content, command.p2);
  return Buffer.alloc(0);
}

/** 84 1C 00 00 04 MAC4 or, authenticated, 80 1C 00 00. Applications first, then the MF. */
export function endIssue(card: CardMemory, command: Command): Buffer {
  refuseUnless(command.p1 === 0x00 && command.p2 === 0x00, SW.P1P2_WRONG);
  const { current } = card.session;
  const applicationsOpen = current === card.chip.masterFile && card.chip.applications.some((each) => !each.issued);
  const ready = findKey(current, KEY_TYPE.control, 0x00) !== undefined && findKey(current, KEY_TYPE.maintenance, 0x00) !== undefined;
  refuseUnless(!current.issued && !applicationsOpen && ready, SW.CONDITIONS);
  refuseUnless(underControlKey(card, command).length === 0, SW.WRONG_LENGTH);
  current.issued = true;
  return Buffer.alloc(0);
}
