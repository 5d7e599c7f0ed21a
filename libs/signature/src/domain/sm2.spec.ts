import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { ascii, fromHex, toHex } from '#libs/platform/domain';
import { signSm2 } from '../../../../test/builders/quorum.js';
import { SIGN_TYPES } from './algorithm.js';
import { SM2_DEFAULT_ID, sm2PublicKeyInfo, sm2Signer, sm2Z, verifySm2 } from './sm2.js';

interface Vectors {
  readonly z: { readonly spki: string; readonly id: string; readonly value: string };
  readonly verify: readonly { readonly name: string; readonly spki: string; readonly id: string; readonly message: string; readonly signature: string; readonly valid: boolean }[];
}
const vectors = JSON.parse(readFileSync('test/vectors/sm2.json', 'utf8')) as Vectors;

describe('published vectors', () => {
  it('Z of the example', () => {
    expect(toHex(sm2Z(fromHex(vectors.z.spki), vectors.z.id) ?? new Uint8Array())).toBe(vectors.z.value);
  });

  it.each(vectors.verify)('$name', ({ spki, id, message, signature, valid }) => {
    expect(verifySm2(fromHex(spki), fromHex(message), fromHex(signature), id)).toBe(valid);
  });

  it('has the default ID where none is given', () => {
    const [example] = vectors.verify;
    expect(SM2_DEFAULT_ID).toBe('1234567812345678');
    expect(verifySm2(fromHex(example?.spki ?? ''), fromHex(example?.message ?? ''), fromHex(example?.signature ?? ''))).toBe(true);
  });
});

describe('verifySm2', () => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'SM2' });
  const spki = Uint8Array.from(publicKey.export({ type: 'spki', format: 'der' }));
  const message = ascii('{"setl_id":"S1"}');
  const signature = signSm2(privateKey, spki, message);

  it('one flipped bit anywhere is a bad signature', () => {
    expect(verifySm2(spki, message, signature)).toBe(true);
    for (let bit = 0; bit < signature.length * 8; bit++) {
      const flipped = Uint8Array.from(signature);
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      expect([bit, verifySm2(spki, message, flipped)]).toEqual([bit, false]);
    }
    for (let at = 0; at < message.length; at++) {
      const other = Uint8Array.from(message);
      other[at] = (other[at] as number) ^ 1;
      expect([at, verifySm2(spki, other, signature)]).toEqual([at, false]);
    }
  });

  it('takes a key in its one DER form only', () => {
    expect(sm2PublicKeyInfo(spki.subarray(-65))).toEqual(spki);
    for (const other of [spki.subarray(1), Uint8Array.of(...spki, 0), new Uint8Array()]) expect(sm2Signer(other)).toBeUndefined();
  });
});

it('gives no signtype of a settlement message another verdict', () => {
  expect(SIGN_TYPES.filter(({ algorithm }) => algorithm === 'sm2Sm3')).toEqual([]);
});
