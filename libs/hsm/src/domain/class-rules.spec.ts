import { describe, expect, it } from '@jest/globals';
import { isAppError } from '#libs/platform/domain';
import { CARD_ROLES, type CardRole, classOfLabel, DEEPEST_PATH, objectLabel, requireCardRole, requireLoadUnder } from './class-rules.js';
import { diversificationInput, padMethod2, refuseReservedFactors, reservedInput } from './factors.js';
import { KEY_CLASSES, type KeyClass } from './key-class.js';

const factor = (octet: number): Uint8Array => new Uint8Array(8).fill(octet);
const path = (depth: number): { keyId: string; factors: Uint8Array[] } => ({ keyId: 'A'.repeat(32), factors: Array.from({ length: depth }, (_, i) => factor(i + 1)) });
const codeOf = (act: () => void): string => {
  try {
    act();
    return 'ok';
  } catch (error) {
    return isAppError(error) ? error.code : String(error);
  }
};

describe('card roles', () => {
  it.each(Object.keys(CARD_ROLES) as CardRole[])('%s: only the classes and depths of its row', (role) => {
    for (const keyClass of Object.keys(KEY_CLASSES) as KeyClass[]) {
      const row = (CARD_ROLES[role] as Partial<Record<KeyClass, { least: number; most: number }>>)[keyClass];
      for (let depth = 0; depth <= DEEPEST_PATH; depth++) {
        const expected = row === undefined ? 'KEY_CLASS_MISMATCH' : depth < row.least || depth > row.most ? 'KEY_PATH_DEPTH' : 'ok';
        expect(`${keyClass} ${depth} ${codeOf(() => requireCardRole(role, keyClass, path(depth)))}`).toBe(`${keyClass} ${depth} ${expected}`);
      }
    }
  });

  it('never lets a key that answers a challenge or encrypts a load be the parent of another key', () => {
    for (const role of ['control', 'authenticate'] as const) {
      for (const [keyClass, { least }] of Object.entries(CARD_ROLES[role])) {
        const depths = Object.values(CARD_ROLES).flatMap((row) => Object.entries(row).filter(([name]) => name === keyClass).map(([, depth]) => depth.most));
        expect(Math.max(...depths)).toBe(least);
      }
    }
  });

  it('never uses a root itself for a card', () => {
    for (const row of Object.values(CARD_ROLES)) for (const { least } of Object.values(row)) expect(least).toBeGreaterThan(0);
  });
});

describe('what is loaded under what', () => {
  const control = { keyClass: 'psamControlRoot', factors: [factor(1), factor(2), factor(3)] } as const;
  const transport = { keyClass: 'psamTransportRoot', factors: [factor(9)] } as const;
  it.each<[string, KeyClass, number[], typeof control | typeof transport, string]>([
    ['control key under transport', 'psamControlRoot', [1, 2, 3], transport, 'ok'],
    ['purchase key under transport', 'purchaseRoot', [1], transport, 'KEY_LOAD_NOT_ALLOWED'],
    ['maintenance key under transport', 'psamMaintenanceRoot', [1, 2, 3], transport, 'KEY_LOAD_NOT_ALLOWED'],
    ['purchase key under control', 'purchaseRoot', [1], control, 'ok'],
    ['key of the same card under control', 'psamControlRoot', [1, 2, 4], control, 'ok'],
    ['maintenance key of the same card', 'psamMaintenanceRoot', [1, 2, 3], control, 'ok'],
    ['control key of another card', 'psamControlRoot', [1, 7, 3], control, 'KEY_LOAD_NOT_ALLOWED'],
    ['maintenance key of another region', 'psamMaintenanceRoot', [7, 2, 3], control, 'KEY_LOAD_NOT_ALLOWED'],
  ])('%s', (_, keyClass, factors, under, expected) => {
    expect(codeOf(() => requireLoadUnder({ keyClass, factors: factors.map(factor) }, under))).toBe(expected);
  });
});

describe('labels', () => {
  it('carry the class before the first slash', () => {
    expect(objectLabel('dataRoot', '区域/数据')).toBe('dataRoot/区域/数据');
    expect(classOfLabel('dataRoot/区域/数据')).toBe('dataRoot');
  });

  it.each(['', '/', 'dataRoot', 'foreign/x', '__proto__/x', 'toString/x', '/dataRoot/x'])('an object labelled %p has no class', (label) => {
    expect(classOfLabel(label)).toBeUndefined();
  });
});

describe('factors', () => {
  it('input is the factor and its complement', () => {
    expect(Buffer.from(diversificationInput(Buffer.from('110000sx'))).toString('hex').toUpperCase()).toBe('3131303030307378CECECFCFCFCF8C87');
  });

  it.each([[0x00], [0xff]])('a factor of %p octets is reserved', (octet) => {
    expect(codeOf(() => refuseReservedFactors([factor(1), factor(octet)]))).toBe('FACTOR_RESERVED');
    const almost = factor(octet);
    almost[7] = octet ^ 1;
    expect(codeOf(() => refuseReservedFactors([almost]))).toBe('ok');
  });

  it('the reserved input is that of factor 00×8, twice', () => {
    expect(Buffer.from(reservedInput()).toString('hex')).toBe(('00'.repeat(8) + 'ff'.repeat(8)).repeat(2));
  });

  it.each([[0, 8], [7, 8], [8, 16], [37, 40]])('padding of %i bytes gives %i', (bytes, padded) => {
    const out = padMethod2(new Uint8Array(bytes).fill(1));
    expect([out.length, out[bytes], [...out.subarray(bytes + 1)].every((octet) => octet === 0)]).toEqual([padded, 0x80, true]);
  });
});
