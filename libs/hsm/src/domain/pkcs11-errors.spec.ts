import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { ERROR_ROWS } from './pkcs11-error-rows.js';
import { ckrName, isFatal, PIN_REFUSALS, pkcs11Error, pkcs11ErrorDetails } from './pkcs11-errors.js';

/** Names and numbers of the header that the simulator and the executor are built with. */
const header = readFileSync('hsm-sim/src/cryptoki.h', 'utf8');
const declared = [...header.matchAll(/X\((CKR_[A-Z0-9_]+), (0x[0-9A-F]+)\)/g)].map(([, name, number]) => [name, Number(number)] as const);

describe('PKCS#11 return values', () => {
  it('every one of the header has a row with its number', () => {
    expect(declared.length).toBeGreaterThan(85);
    for (const [name, number] of declared) if (name !== 'CKR_OK') expect(`${name} ${ERROR_ROWS[name as string]?.number}`).toBe(`${name} ${number}`);
  });

  it('every row speaks both languages and no number stands twice', () => {
    const rows = Object.values(ERROR_ROWS);
    expect(new Set(rows.map(({ number }) => number)).size).toBe(rows.length);
    for (const { cause, action } of rows) {
      expect(/\p{Script=Han}/u.test(cause.zh) && /\p{Script=Han}/u.test(action.zh)).toBe(true);
      expect(/\p{Script=Han}/u.test(cause.en + action.en)).toBe(false);
    }
  });

  it('an unknown one has a name, a text, and counts against the device', () => {
    expect(ckrName(0x80000123)).toBe('CKR_0x80000123');
    expect(pkcs11Error('CKR_0x80000123').policy).toBe('tripBreaker');
    expect(pkcs11ErrorDetails('d', 'CKR_0x80000123')).toMatchObject({ device: 'd', ckr: 'CKR_0x80000123', causeEn: 'A return value without a text' });
    expect(ckrName(0x30)).toBe('CKR_DEVICE_ERROR');
  });

  it('a lost login ends the agent, a wrong key does not, and refused PINs are never tried again', () => {
    expect(['CKR_USER_NOT_LOGGED_IN', 'CKR_DEVICE_REMOVED', 'CKR_SESSION_HANDLE_INVALID', 'CKR_CRYPTOKI_NOT_INITIALIZED'].map(isFatal)).toEqual([true, true, true, true]);
    expect(['CKR_KEY_UNEXTRACTABLE', 'CKR_DEVICE_ERROR', 'CKR_KEY_HANDLE_INVALID', 'CKR_MECHANISM_INVALID'].map(isFatal)).toEqual([false, false, false, false]);
    expect(PIN_REFUSALS).toEqual(expect.arrayContaining(['CKR_PIN_INCORRECT', 'CKR_PIN_LOCKED', 'CKR_PIN_EXPIRED', 'CKR_PIN_LEN_RANGE', 'CKR_PIN_INVALID']));
  });
});
