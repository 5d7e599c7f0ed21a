import { constants, createHash, createPrivateKey, createSign, generateKeyPairSync, type KeyObject, privateEncrypt, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { signSm2 } from '../../../test/builders/quorum.js';
import { allowedAlgorithm, importPublicKey, keyAlgorithm, type SignatureAlgorithm, SignatureVerifier, SIGN_TYPES, sm2Z, verifySm2 } from './index.js';

interface Vector {
  readonly name: string;
  readonly source: string;
  readonly algorithm: SignatureAlgorithm;
  readonly spki: string;
  readonly message: string;
  readonly signature: string;
  readonly valid: boolean;
}
const vectors = JSON.parse(readFileSync('test/vectors/signature.json', 'utf8')) as Vector[];
const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));
const message = new TextEncoder().encode('{"setl_id":"S1","medfee_sumamt":"12.50"}');
const spkiOf = (key: KeyObject): Uint8Array => key.export({ format: 'der', type: 'spki' });

describe('published vectors', () => {
  it.each(vectors)('$name', (vector) => {
    const verifier = new SignatureVerifier();
    const item = { algorithm: vector.algorithm, publicKey: hex(vector.spki), bytes: hex(vector.message), signature: hex(vector.signature) };
    expect(verifier.verify(item)).toBe(vector.valid);
  });
});

describe('SignatureVerifier', () => {
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const keys = { p256Sha256: ec, rsa2048Sha256: rsa } as const;
  const verifier = new SignatureVerifier(2);

  it.each(['p256Sha256', 'rsa2048Sha256'] as const)('%s: one flipped bit anywhere is a bad signature', (algorithm) => {
    const { publicKey, privateKey } = keys[algorithm];
    const signature = sign('sha256', message, privateKey);
    expect(verifier.verify({ algorithm, publicKey, bytes: message, signature })).toBe(true);
    expect(verifier.verify({ algorithm, publicKey: spkiOf(publicKey), bytes: message, signature })).toBe(true);
    for (let bit = 0; bit < signature.length * 8; bit += 7) {
      const flipped = Uint8Array.from(signature);
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(verifier.verify({ algorithm, publicKey, bytes: message, signature: flipped })).toBe(false);
    }
    for (let at = 0; at < message.length; at++) {
      const other = Uint8Array.from(message);
      other[at] = (other[at] as number) ^ 1;
      expect(verifier.verify({ algorithm, publicKey, bytes: other, signature })).toBe(false);
    }
  });

  it('sm2Sm3: verifies with the default ID, by DER or imported key, and nothing else', () => {
    const sm2 = generateKeyPairSync('ec', { namedCurve: 'SM2' });
    const spki = spkiOf(sm2.publicKey);
    const signature = signSm2(sm2.privateKey, spki, message);
    const imported = importPublicKey(spki) as KeyObject;
    expect([keyAlgorithm(imported), keyAlgorithm(ec.publicKey)]).toEqual(['sm2Sm3', 'p256Sha256']);
    for (const publicKey of [spki, imported]) {
      expect(verifier.verify({ algorithm: 'sm2Sm3', publicKey, bytes: message, signature })).toBe(true);
      expect(verifier.verify({ algorithm: 'sm2Sm3', publicKey, bytes: message.subarray(1), signature })).toBe(false);
      expect(verifier.verify({ algorithm: 'p256Sha256', publicKey, bytes: message, signature })).toBe(false);
    }
    const otherId = createSign('sm3').update(sm2Z(spki, 'ALICE123@YAHOO.COM') ?? '').update(message).sign(createPrivateKey(sm2.privateKey.export({ type: 'pkcs8', format: 'pem' })));
    expect(verifySm2(spki, message, otherId, 'ALICE123@YAHOO.COM')).toBe(true);
    expect(verifier.verify({ algorithm: 'sm2Sm3', publicKey: imported, bytes: message, signature: otherId })).toBe(false);
    expect(verifier.verify({ algorithm: 'sm2Sm3', publicKey: spki, bytes: message, signature: sign('sm3', message, ec.privateKey) })).toBe(false);
    expect(verifier.verify({ algorithm: 'sm2Sm3', publicKey: ec.publicKey, bytes: message, signature: sign('sha256', message, ec.privateKey) })).toBe(false);
  });

  it('a key of another kind, another size or no key at all is a bad signature', () => {
    const signature = sign('sha256', message, ec.privateKey);
    expect(verifier.verify({ algorithm: 'rsa2048Sha256', publicKey: ec.publicKey, bytes: message, signature })).toBe(false);
    const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
    const rsa1024 = generateKeyPairSync('rsa', { modulusLength: 1024 });
    expect(verifier.verify({ algorithm: 'p256Sha256', publicKey: p384.publicKey, bytes: message, signature: sign('sha256', message, p384.privateKey) })).toBe(false);
    expect(verifier.verify({ algorithm: 'rsa2048Sha256', publicKey: rsa1024.publicKey, bytes: message, signature: sign('sha256', message, rsa1024.privateKey) })).toBe(false);
    expect(verifier.verify({ algorithm: 'p256Sha256', publicKey: hex('30030101'), bytes: message, signature })).toBe(false);
    expect(importPublicKey(hex(''))).toBeUndefined();
    expect(keyAlgorithm(p384.publicKey)).toBe('other');
  });

  it('RSA: every other encoding of the right digest is refused (RFC 8017 8.2.2)', () => {
    const sha256 = '3031300D060960864801650304020105000420';
    const hash = createHash('sha256').update(message).digest('hex');
    const raw = (em: Uint8Array): Uint8Array => privateEncrypt({ key: rsa.privateKey, padding: constants.RSA_NO_PADDING }, em);
    const em = (info: string, fill = 256 - 3 - info.length / 2): Uint8Array => Buffer.concat([hex('0001'), Buffer.alloc(fill, 0xff), hex('00'), hex(info)]);
    const check = (signature: Uint8Array): boolean => verifier.verify({ algorithm: 'rsa2048Sha256', publicKey: rsa.publicKey, bytes: message, signature });
    const right = sha256 + hash;
    expect(check(raw(em(right)))).toBe(true);
    const planted = {
      'no NULL parameter': em(`302F300B0609608648016503040201` + `0420${hash}`),
      'bytes after the digest': em(`${right}00`),
      'short padding and garbage': Buffer.concat([hex('0001'), Buffer.alloc(8, 0xff), hex('00'), hex(right), Buffer.alloc(256 - 11 - right.length / 2, 1)]),
      'padding type 2': Buffer.concat([hex('0002'), Buffer.alloc(256 - 3 - right.length / 2, 0xff), hex('00'), hex(right)]),
      'a hole in the padding': Buffer.concat([hex('0001'), Buffer.alloc(100, 0xff), hex('FE'), Buffer.alloc(256 - 104 - right.length / 2, 0xff), hex('00'), hex(right)]),
      'digest of SHA-1 length': em(`3021300906052B0E03021A05000414${hash.slice(0, 40)}`),
    };
    for (const [name, block] of Object.entries(planted)) expect([name, block.length, check(raw(block))]).toEqual([name, 256, false]);
    expect(check(sign('sha1', message, rsa.privateKey))).toBe(false);
    expect(check(sign('sha256', message, { key: rsa.privateKey, padding: constants.RSA_PKCS1_PSS_PADDING }))).toBe(false);
    expect(check(sign('sha256', message, rsa.privateKey).subarray(1))).toBe(false);
    expect(check(Buffer.alloc(256, 0xff))).toBe(false);
    expect(check(Buffer.alloc(256))).toBe(false);
  });

  it('keeps a bounded number of imported keys and still answers right', () => {
    for (let round = 0; round < 3; round++) {
      for (let n = 0; n < 4; n++) {
        const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
        const signature = sign('sha256', message, pair.privateKey);
        expect(verifier.verify({ algorithm: 'p256Sha256', publicKey: spkiOf(pair.publicKey), bytes: message, signature })).toBe(true);
        expect(verifier.verify({ algorithm: 'p256Sha256', publicKey: spkiOf(ec.publicKey), bytes: message, signature })).toBe(false);
      }
    }
  });
});

describe('allowedAlgorithm', () => {
  it.each(SIGN_TYPES.map((type) => [type.name, type.algorithm] as const))('%s', (name, algorithm) => {
    expect(allowedAlgorithm(name)).toBe(algorithm);
  });
  it('allows nothing that is not listed', () => {
    for (const name of ['', 'sha256withecdsa', 'SHA256withECDSA ', 'SM3withSM2', 'none', 'constructor', '__proto__']) {
      expect(allowedAlgorithm(name)).toBeUndefined();
    }
  });
});
