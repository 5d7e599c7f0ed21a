import { createPublicKey, hash, verify } from 'node:crypto';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SecretBytes, toHex } from '#libs/platform/domain';
import { verifySm2 } from '#libs/signature';
import { askUserToken, TestUkey } from '../../../../test/env/test-ukey.js';

const BYTES = Buffer.from('hufu/approval');

/** The token in a process of its own (test/env/user-token-process.ts): a module is loaded once in the life of a process. */
describe.each([
  ['softhsm', 'p256'],
  ['hsm-sim', 'sm2'],
  ['hsm-sim-common', 'sm2'],
] as const)('a person’s token: %s', (profile, algorithm) => {
  let ukey: TestUkey;
  beforeAll(async () => {
    ukey = await TestUkey.make(profile, algorithm);
  });
  afterAll(() => ukey.remove());

  it('shows its signing key without a PIN and signs with one, logged out again after each signature', async () => {
    // Whoever is still logged in cannot log in again (CKR_USER_ALREADY_LOGGED_IN).
    const [shown, first, second] = await askUserToken(ukey, [{ ask: 'keys' }, { ask: 'sign', pin: ukey.token.pin, bytes: BYTES }, { ask: 'sign', pin: ukey.token.pin, bytes: BYTES }]);
    const spki = Buffer.from(ukey.publicKey);
    expect(shown?.['keys']).toContainEqual(expect.objectContaining({ algorithm, label: expect.stringContaining('approver'), spki: toHex(spki), keyDigest: hash('sha256', spki, 'hex').toUpperCase() }));
    for (const answer of [first, second]) {
      const signature = Buffer.from(String(answer?.['signature']), 'hex');
      const good = (bytes: Uint8Array): boolean => (algorithm === 'sm2' ? verifySm2(spki, bytes, signature) : verify('sha256', bytes, createPublicKey({ key: spki, format: 'der', type: 'spki' }), signature));
      expect([good(BYTES), good(Buffer.from('hufu/approvaL'))]).toEqual([true, false]);
    }
  });

  it('names a wrong PIN and an unknown key, and signs nothing', async () => {
    const [wrong, unknown] = await askUserToken(ukey, [{ ask: 'sign', pin: '99999999', bytes: BYTES }, { ask: 'sign', pin: ukey.token.pin, bytes: BYTES, keyDigest: '0'.repeat(64) }]);
    expect(wrong).toMatchObject({ code: 'UKEY_PIN_REFUSED', details: { ckr: 'CKR_PIN_INCORRECT' } });
    expect(unknown).toMatchObject({ code: 'UKEY_KEY_UNKNOWN' });
  });
});

describe('a person’s token', () => {
  it('locks after wrong PINs, says so, and does not take the right one any more', async () => {
    const ukey = await TestUkey.make('hsm-sim', 'sm2');
    const wrong = { ask: 'sign' as const, pin: '99999999', bytes: BYTES };
    const answers = await askUserToken(ukey, [...Array.from({ length: 10 }, () => wrong), { ...wrong, pin: ukey.token.pin }]);
    const codes = answers.map((answer) => answer['code']);
    expect(codes[0]).toBe('UKEY_PIN_REFUSED');
    expect(codes.at(-1)).toBe('UKEY_PIN_LOCKED');
    expect(answers.map((answer) => (answer['details'] as { triesEn?: string }).triesEn)).toContain('one try is left');
    ukey.remove();
  });

  it('that is not plugged in is named', async () => {
    const ukey = await TestUkey.make('softhsm', 'p256');
    const [other] = await askUserToken(ukey.with({ serial: 'ffffffffffffffff' }), [{ ask: 'keys' }]);
    expect(other).toMatchObject({ code: 'UKEY_MISSING' });
    const [absent] = await askUserToken(ukey.with({ module: resolve('no-such-module.so') }), [{ ask: 'keys' }]);
    expect(absent).toMatchObject({ code: 'UKEY_MISSING' });
    ukey.remove();
  });
});

it('a PIN that was used is gone', () => {
  const pin = new SecretBytes(Buffer.from('12345678'));
  pin.zero();
  expect(() => pin.reveal((bytes) => bytes.length)).toThrow(expect.objectContaining({ code: 'SECRET_ALREADY_ZEROED' }));
});
