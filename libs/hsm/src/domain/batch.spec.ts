import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { toHex } from '#libs/platform/domain';
import { BATCH_MOST, type ItemFields, KEYS_MOST, packBatch, type PackedRecipe, readAnswers, readBatch, sliceBatch } from './batch.js';

const bytes = (length: number, fill = 1): Uint8Array => new Uint8Array(length).fill(fill);
const keyId = (n: number): string => n.toString(16).toUpperCase().padStart(32, '0');
const path = (n: number, levels: number): { keyId: string; factors: Uint8Array[] } => ({ keyId: keyId(n), factors: Array.from({ length: levels }, (_, i) => bytes(8, i + 1)) });

const ITEMS: Readonly<Record<PackedRecipe, ItemFields>> = {
  checkValues: { key: path(1, 2), method: 'zero3' },
  fingerprints: { key: path(1, 0) },
  protectForCard: { key: path(1, 2), controlKey: path(2, 3), command: bytes(4), header: bytes(8), challenge: bytes(4) },
  commandMacs: { key: path(1, 3), command: bytes(4), challenge: bytes(8), data: bytes(0) },
  authenticateToCard: { key: path(1, 1), challenge: bytes(16) },
  purchaseMacs: { key: path(1, 2), sessionInput: bytes(8), sm4Session: 'zeros', data: bytes(18) },
  tacs: { key: path(1, 2), data: bytes(22) },
};
const RECIPES = Object.entries(ITEMS) as [PackedRecipe, ItemFields][];

describe('packed batches', () => {
  it.each(RECIPES)('%s: what is packed is read again', (recipe, item) => {
    const seen: string[] = [];
    const batch = packBatch(recipe, [item, item, item]);
    const { keyIds, itemCount } = readBatch(batch, ({ key, controlKey }) => {
      seen.push(`${key.keyIndex}/${key.factorCount}/${controlKey?.factorCount ?? '-'}`);
      if (key.factorCount > 0) expect(toHex(batch.subarray(key.factorsAt, key.factorsAt + 8))).toBe('0101010101010101');
    });
    expect(itemCount).toBe(3);
    expect(keyIds).toEqual(item.controlKey === undefined ? [keyId(1)] : [keyId(1), keyId(2)]);
    expect(new Set(seen).size).toBe(1);
  });

  it.each(RECIPES)('%s: cut off anywhere, or with a byte more, it is refused', (recipe, item) => {
    const batch = packBatch(recipe, [item]);
    for (let length = 0; length < batch.length; length++) expect(() => readBatch(batch.subarray(0, length))).toThrow();
    expect(() => readBatch(Uint8Array.from([...batch, 0]))).toThrow();
  });

  it('any bytes are read or refused by name, never more', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (random) => {
        try {
          readBatch(random);
        } catch (error) {
          expect((error as { code?: string }).code).toBe('REQUEST_INVALID');
        }
      }),
    );
  });

  it.each<[string, PackedRecipe, ItemFields]>([
    ['a factor of 7 bytes', 'checkValues', { key: { keyId: keyId(1), factors: [bytes(7)] }, method: 'zero3' }],
    ['a challenge of 5 bytes', 'authenticateToCard', { key: path(1, 1), challenge: bytes(5) }],
    ['no header', 'protectForCard', { ...ITEMS.protectForCard, header: bytes(0) }],
    ['data beyond an APDU', 'commandMacs', { ...ITEMS.commandMacs, data: bytes(252) }],
    ['no data', 'tacs', { key: path(1, 1), data: bytes(0) }],
    ['a missing field', 'tacs', { key: path(1, 1) }],
    ['a command of 5 bytes', 'commandMacs', { ...ITEMS.commandMacs, command: bytes(5) }],
  ])('refuses to pack %s', (_, recipe, item) => {
    expect(() => packBatch(recipe, [item])).toThrow(expect.objectContaining({ code: 'REQUEST_INVALID' }));
  });

  it('has bounds for items and keys', () => {
    const many = (count: number, keys: number): ItemFields[] => Array.from({ length: count }, (_, i) => ({ key: path(i % keys, 0) }));
    expect(readBatch(packBatch('fingerprints', many(BATCH_MOST, KEYS_MOST))).itemCount).toBe(BATCH_MOST);
    expect(() => packBatch('fingerprints', many(BATCH_MOST + 1, 1))).toThrow();
    expect(() => packBatch('fingerprints', many(KEYS_MOST + 1, KEYS_MOST + 1))).toThrow();
    expect(() => packBatch('fingerprints', [])).toThrow();
  });

  it('a slice is the batch of those items', () => {
    const items: ItemFields[] = Array.from({ length: 10 }, (_, i) => ({ key: path(1, 2), data: bytes(1 + i, i) }));
    const whole = packBatch('tacs', items);
    for (const [from, to] of [[0, 10], [0, 3], [3, 7], [9, 10]] as const) expect(sliceBatch(whole, from, to)).toEqual(packBatch('tacs', items.slice(from, to)));
  });

  it('answers are counted', () => {
    expect(readAnswers('d', Uint8Array.of(2, 1, 1, 0, 1, 9), 3)).toEqual([Uint8Array.of(1, 1), Uint8Array.of(), Uint8Array.of(9)]);
    expect(() => readAnswers('d', Uint8Array.of(2, 1, 1), 2)).toThrow(expect.objectContaining({ code: 'HSM_ANSWER_WRONG' }));
    expect(() => readAnswers('d', Uint8Array.of(2, 1, 1, 0), 1)).toThrow(expect.objectContaining({ code: 'HSM_ANSWER_WRONG' }));
  });
});
