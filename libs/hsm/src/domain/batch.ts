import { AppError, fromHex, toHex } from '#libs/platform/domain';
import { type KcvMethod, KCV_METHODS, type Sm4SessionForm, SM4_SESSION_FORMS } from './algorithms.js';
import { FACTOR_BYTES } from './factors.js';

/*
 * The packed form of a batch of card recipes. A client packs it, the supervisor reads keys and factors and forwards the same
 * bytes, the agent checks classes, and the native executor walks the items in place: nothing is unpacked into objects on the
 * way. All numbers big-endian.
 *
 *   batch  = recipe 1 · version 1 (=1) · keyCount 2 · itemCount 4 · keyCount × CKA_ID 16 · item*
 *   item   = length 2 (of what follows) · body by recipe
 *   path   = key index 2 · factor count 1 · count × factor 8
 *   bytes8 = length 1 · bytes
 *
 *   checkValues         path · method 1 (index in KCV_METHODS)
 *   fingerprints        path without factors
 *   protectForCard      path of the key · path of the control key · command 4 · bytes8 header · bytes8 challenge
 *   commandMacs         path · command 4 · bytes8 challenge · bytes8 data
 *   authenticateToCard  path · bytes8 challenge
 *   purchaseMacs        path · sessionInput 8 · SM4 form 1 (index in SM4_SESSION_FORMS) · bytes8 data
 *   tacs                path · bytes8 data
 *
 *   answers = itemCount × (length 1 · bytes), in the order of the items. protectForCard: cipher ‖ MAC (last 4 bytes).
 */

export const PACKED_RECIPES = ['checkValues', 'fingerprints', 'protectForCard', 'commandMacs', 'authenticateToCard', 'purchaseMacs', 'tacs'] as const;
export type PackedRecipe = (typeof PACKED_RECIPES)[number];

const VERSION = 1;
const HEAD_BYTES = 8;
const KEY_ID_BYTES = 16;
/** Items in one batch at most: one round trip serves many cards, and still no call holds a device for long. */
export const BATCH_MOST = 4096;
export const KEYS_MOST = 256;

export interface PathFields {
  readonly keyId: string;
  readonly factors: readonly Uint8Array[];
}

/** Fields of one item as a client gives them; which of them a recipe has is written in LAYOUTS. */
export interface ItemFields {
  readonly key: PathFields;
  readonly controlKey?: PathFields;
  readonly method?: KcvMethod;
  readonly command?: Uint8Array;
  readonly header?: Uint8Array;
  readonly challenge?: Uint8Array;
  readonly sessionInput?: Uint8Array;
  readonly sm4Session?: Sm4SessionForm;
  readonly data?: Uint8Array;
}

type Field = 'key' | 'controlKey' | 'method' | 'command' | 'header' | 'challenge' | 'sessionInput' | 'sm4Session' | 'data';

/** Order of the fields of an item; the comment above is this table in words. */
export const LAYOUTS: Readonly<Record<PackedRecipe, readonly Field[]>> = {
  checkValues: ['key', 'method'],
  fingerprints: ['key'],
  protectForCard: ['key', 'controlKey', 'command', 'header', 'challenge'],
  commandMacs: ['key', 'command', 'challenge', 'data'],
  authenticateToCard: ['key', 'challenge'],
  purchaseMacs: ['key', 'sessionInput', 'sm4Session', 'data'],
  tacs: ['key', 'data'],
};

/** Bounds of the variable fields per recipe, both ends included. 251 bytes of data and a MAC of 4 fill a short APDU. */
const BOUNDS: Readonly<Partial<Record<Field, readonly [least: number, most: number]>>> = { header: [1, 32], challenge: [4, 16] };
const DATA_BOUNDS: Readonly<Partial<Record<PackedRecipe, readonly [least: number, most: number]>>> = {
  commandMacs: [0, 251],
  purchaseMacs: [1, 64],
  tacs: [1, 64],
};
const CHALLENGE_LENGTHS: readonly number[] = [4, 8, 16];
const FIXED: Readonly<Partial<Record<Field, number>>> = { command: 4, sessionInput: 8 };

/** Packs a batch. Throws REQUEST_INVALID for a field out of bounds; more than BATCH_MOST items or KEYS_MOST keys too. */
export function packBatch(recipe: PackedRecipe, items: readonly ItemFields[]): Uint8Array {
  const keys = new Map<string, number>();
  const keyIndex = (path: PathFields): number => {
    const known = keys.get(path.keyId);
    if (known !== undefined) return known;
    if (!/^[0-9A-F]{32}$/.test(path.keyId)) throw invalid(recipe, 'a key id is 32 upper-case hex characters');
    keys.set(path.keyId, keys.size);
    return keys.size - 1;
  };
  const body = new Writer(items.length * TYPICAL_ITEM_BYTES);
  for (const item of items) {
    const lengthAt = body.at;
    body.u16(0);
    packItem(recipe, item, keyIndex, body);
    const length = body.at - lengthAt - 2;
    body.bytes[lengthAt] = length >> 8;
    body.bytes[lengthAt + 1] = length;
  }
  if (items.length === 0 || items.length > BATCH_MOST || keys.size > KEYS_MOST) throw invalid(recipe, `${items.length} items, ${keys.size} keys`);
  const bodyAt = HEAD_BYTES + keys.size * KEY_ID_BYTES;
  const batch = new Uint8Array(bodyAt + body.at);
  const view = new DataView(batch.buffer);
  view.setUint8(0, PACKED_RECIPES.indexOf(recipe));
  view.setUint8(1, VERSION);
  view.setUint16(2, keys.size);
  view.setUint32(4, items.length);
  for (const [keyId, index] of keys) batch.set(fromHex(keyId), HEAD_BYTES + index * KEY_ID_BYTES);
  batch.set(body.bytes.subarray(0, body.at), bodyAt);
  return batch;
}

/** A card with its keys and an APDU's data; longer items make the buffer grow. */
const TYPICAL_ITEM_BYTES = 128;

/** Octets one after the other. Copies short fields itself: for these a call of `set` costs more than the bytes. */
class Writer {
  bytes: Uint8Array;
  at = 0;

  constructor(capacity: number) {
    this.bytes = new Uint8Array(capacity);
  }

  u8(octet: number): void {
    this.#room(1);
    this.bytes[this.at++] = octet;
  }

  u16(value: number): void {
    this.u8(value >> 8);
    this.u8(value);
  }

  put(from: Uint8Array): void {
    const { length } = from;
    this.#room(length);
    for (let i = 0; i < length; i++) this.bytes[this.at + i] = from[i] as number;
    this.at += length;
  }

  #room(count: number): void {
    if (this.at + count <= this.bytes.length) return;
    const larger = new Uint8Array(2 * (this.at + count));
    larger.set(this.bytes.subarray(0, this.at));
    this.bytes = larger;
  }
}

function packItem(recipe: PackedRecipe, item: ItemFields, keyIndex: (path: PathFields) => number, body: Writer): void {
  for (const field of LAYOUTS[recipe]) {
    switch (field) {
      case 'key':
      case 'controlKey': {
        const path = item[field];
        if (path === undefined) throw invalid(recipe, `${field} missing`);
        body.u16(keyIndex(path));
        body.u8(path.factors.length);
        for (const factor of path.factors) {
          if (factor.length !== FACTOR_BYTES) throw invalid(recipe, `factor of ${factor.length} bytes`);
          body.put(factor);
        }
        break;
      }
      case 'method':
        body.u8(KCV_METHODS.indexOf(item.method as KcvMethod));
        break;
      case 'sm4Session':
        body.u8(SM4_SESSION_FORMS.indexOf(item.sm4Session ?? 'complement'));
        break;
      default: {
        const bytes = item[field];
        if (bytes === undefined) throw invalid(recipe, `${field} missing`);
        requireLength(recipe, field, bytes.length);
        if (FIXED[field] === undefined) body.u8(bytes.length);
        body.put(bytes);
      }
    }
  }
}

/** A path inside a packed batch. */
export interface PackedPath {
  readonly keyIndex: number;
  readonly factorCount: number;
  /** Offset of the first factor in the batch. */
  readonly factorsAt: number;
}

export interface PackedItem {
  readonly key: PackedPath;
  readonly controlKey: PackedPath | undefined;
}

export interface PackedBatch {
  readonly recipe: PackedRecipe;
  readonly keyIds: readonly string[];
  readonly itemCount: number;
}

/**
 * Reads a batch from outside: every length, index and bound is checked, `visit` sees the paths of each item in order.
 * Throws REQUEST_INVALID. What passes here is safe for the native executor to walk without further checks.
 */
export function readBatch(bytes: Uint8Array, visit?: (item: PackedItem, index: number) => void): PackedBatch {
  if (bytes.length < HEAD_BYTES) throw invalid('-', 'too short');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const recipe = PACKED_RECIPES[view.getUint8(0)];
  if (recipe === undefined || view.getUint8(1) !== VERSION) throw invalid('-', 'unknown recipe or version');
  const [keyCount, itemCount] = [view.getUint16(2), view.getUint32(4)];
  if (itemCount === 0 || itemCount > BATCH_MOST || keyCount === 0 || keyCount > KEYS_MOST) throw invalid(recipe, `${itemCount} items, ${keyCount} keys`);
  let at = HEAD_BYTES + keyCount * KEY_ID_BYTES;
  if (at > bytes.length) throw invalid(recipe, 'keys cut off');
  const keyIds = Array.from({ length: keyCount }, (_, i) => toHex(bytes.subarray(HEAD_BYTES + i * KEY_ID_BYTES, HEAD_BYTES + (i + 1) * KEY_ID_BYTES)));
  for (let index = 0; index < itemCount; index++) {
    if (at + 2 > bytes.length) throw invalid(recipe, `item ${index} cut off`);
    const end = at + 2 + view.getUint16(at);
    if (end > bytes.length) throw invalid(recipe, `item ${index} cut off`);
    const item = readItem(recipe, view, at + 2, end, keyCount, index);
    visit?.(item, index);
    at = end;
  }
  if (at !== bytes.length) throw invalid(recipe, 'bytes after the last item');
  return { recipe, keyIds, itemCount };
}

function readItem(recipe: PackedRecipe, view: DataView, start: number, end: number, keyCount: number, index: number): PackedItem {
  let at = start;
  const take = (count: number): number => {
    const from = at;
    at += count;
    if (at > end) throw invalid(recipe, `item ${index} cut off`);
    return from;
  };
  const path = (): PackedPath => {
    const head = take(3);
    const keyIndex = view.getUint16(head);
    const factorCount = view.getUint8(head + 2);
    if (keyIndex >= keyCount) throw invalid(recipe, `item ${index}: key ${keyIndex}`);
    return { keyIndex, factorCount, factorsAt: take(factorCount * FACTOR_BYTES) };
  };
  let key: PackedPath | undefined;
  let controlKey: PackedPath | undefined;
  for (const field of LAYOUTS[recipe]) {
    if (field === 'key') key = path();
    else if (field === 'controlKey') controlKey = path();
    else if (field === 'method') requireBelow(recipe, index, view.getUint8(take(1)), KCV_METHODS.length);
    else if (field === 'sm4Session') requireBelow(recipe, index, view.getUint8(take(1)), SM4_SESSION_FORMS.length);
    else if (FIXED[field] !== undefined) take(FIXED[field]);
    else {
      const length = view.getUint8(take(1));
      requireLength(recipe, field, length);
      take(length);
    }
  }
  if (at !== end) throw invalid(recipe, `item ${index}: ${end - at} bytes too many`);
  return { key: key as PackedPath, controlKey };
}

/** The items from `from` to `to` (excluded) of a batch that `readBatch` has taken, as a batch of its own with the same keys. */
export function sliceBatch(bytes: Uint8Array, from: number, to: number): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const itemsAt = HEAD_BYTES + view.getUint16(2) * KEY_ID_BYTES;
  let at = itemsAt;
  let start = at;
  for (let index = 0; index < to; index++) {
    if (index === from) start = at;
    at += 2 + view.getUint16(at);
  }
  const slice = new Uint8Array(itemsAt + at - start);
  slice.set(bytes.subarray(0, itemsAt));
  slice.set(bytes.subarray(start, at), itemsAt);
  new DataView(slice.buffer).setUint32(4, to - from);
  return slice;
}

/** Cuts the executor's answers apart. Throws HSM_ANSWER_WRONG when they are not `count` answers. */
export function readAnswers(device: string, answers: Uint8Array, count: number): Uint8Array[] {
  const cut: Uint8Array[] = [];
  let at = 0;
  while (cut.length < count && at < answers.length) {
    const length = answers[at] as number;
    cut.push(answers.slice(at + 1, at + 1 + length));
    at += 1 + length;
  }
  if (cut.length !== count || at !== answers.length) throw new AppError('HSM_ANSWER_WRONG', { device, what: `${cut.length} answers for ${count} items` });
  return cut;
}

function requireLength(recipe: string, field: Field, length: number): void {
  const fixed = FIXED[field];
  const [least, most] = fixed !== undefined ? [fixed, fixed] : ((field === 'data' ? DATA_BOUNDS[recipe as PackedRecipe] : BOUNDS[field]) ?? [0, 255]);
  if (length < least || length > most || (field === 'challenge' && !CHALLENGE_LENGTHS.includes(length))) throw invalid(recipe, `${field} of ${length} bytes`);
}

function requireBelow(recipe: string, index: number, value: number, limit: number): void {
  if (value >= limit) throw invalid(recipe, `item ${index}: value ${value}`);
}

function invalid(recipe: string, reason: string): AppError {
  return new AppError('REQUEST_INVALID', { reason: `${recipe}: ${reason}` });
}
