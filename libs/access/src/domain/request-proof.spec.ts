import { generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { ProofKey, readRequestProof, type RequestProofTerms, thumbprint } from './request-proof.js';

const AT = new Date('2026-11-24T08:00:00.000Z');
const json = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const pair = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const jwk = ProofKey.parse(pair.publicKey.export({ format: 'jwk' }));
const terms: RequestProofTerms = { method: 'GET', path: '/access/operators', origins: ['https://hufu.test', 'https://approve.hufu.test'], at: AT, proofKey: thumbprint(jwk), tokenDigest: 'A'.repeat(43) };
const claims = { jti: 'one-proof-and-no-more', htm: 'GET', htu: 'https://hufu.test/access/operators', iat: AT.getTime() / 1000, ath: 'A'.repeat(43) };

function proof(header: object = {}, body: object = {}, key = pair.privateKey): string {
  const text = `${json({ typ: 'dpop+jwt', alg: 'ES256', jwk, ...header })}.${json({ ...claims, ...body })}`;
  return `${text}.${sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

describe('a proof of key (RFC 9449)', () => {
  it('holds for its request, at each origin, for a minute to both sides', () => {
    expect(readRequestProof(proof(), terms)).toMatchObject({ expiresAt: new Date(AT.getTime() + 61_000) });
    expect(readRequestProof(proof({}, { htu: 'https://approve.hufu.test/access/operators' }), terms)).toMatchObject({ jtiDigest: expect.stringMatching(/^[0-9A-F]{64}$/) });
    for (const seconds of [-60, 60]) expect(readRequestProof(proof({}, { iat: claims.iat + seconds }), terms)).toMatchObject({ jtiDigest: expect.any(String) });
    const { ath: _, ...first } = claims;
    const text = `${json({ typ: 'dpop+jwt', alg: 'ES256', jwk })}.${json(first)}`;
    const signed = `${text}.${sign('sha256', Buffer.from(text), { key: pair.privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
    expect(readRequestProof(signed, { ...terms, tokenDigest: undefined })).toMatchObject({ jtiDigest: expect.any(String) });
  });

  it('has the thumbprint of RFC 7638 over its required members alone', () => {
    expect(thumbprint({ ...jwk, ext: true, key_ops: ['verify'] })).toBe(thumbprint(jwk));
    expect(thumbprint(jwk)).toMatch(/^[A-Za-z0-9_-]{43}$/);
  });

  const other = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const otherKey = ProofKey.parse(other.publicKey.export({ format: 'jwk' }));
  it.each([
    ['no header', undefined, 'missing'],
    ['an empty one', '', 'form'],
    ['two parts', proof().split('.').slice(0, 2).join('.'), 'form'],
    ['four parts', `${proof()}.x`, 'form'],
    ['another type of token', proof({ typ: 'JWT' }), 'form'],
    ['no algorithm', proof({ alg: 'none' }), 'form'],
    ['a private key in the header', proof({ jwk: pair.privateKey.export({ format: 'jwk' }) }), 'form'],
    ['a claim that nobody knows', proof({}, { admin: true }), 'form'],
    ['a jti that is short', proof({}, { jti: 'x' }), 'form'],
    ['more than fits', proof({}, { htu: `https://hufu.test/${'a'.repeat(5_000)}` }), 'form'],
    ['a key of somebody else', proof({ jwk: otherKey }, {}, other.privateKey), 'key'],
    ['a signature of somebody else', proof({}, {}, other.privateKey), 'signature'],
    ['another method', proof({}, { htm: 'POST' }), 'method'],
    ['another path', proof({}, { htu: 'https://hufu.test/access/changes' }), 'address'],
    ['a foreign origin', proof({}, { htu: 'https://hufu.example/access/operators' }), 'address'],
    ['a query', proof({}, { htu: 'https://hufu.test/access/operators?limit=1' }), 'address'],
    ['61 s ago', proof({}, { iat: claims.iat - 61 }), 'time'],
    ['in 61 s', proof({}, { iat: claims.iat + 61 }), 'time'],
    ['another token', proof({}, { ath: 'B'.repeat(43) }), 'token'],
  ])('with %s is refused', (_what, text, fault) => {
    expect(readRequestProof(text, terms)).toBe(fault);
  });

  it('with any character changed is refused', () => {
    const good = proof();
    for (let n = 0; n < good.length; n += 7) {
      const changed = `${good.slice(0, n)}${good[n] === 'A' ? 'B' : 'A'}${good.slice(n + 1)}`;
      // The last digit of a signature holds bits that no byte takes.
      if (Buffer.from(changed.split('.')[2] ?? '', 'base64url').equals(Buffer.from(good.split('.')[2] ?? '', 'base64url')) && changed.split('.').slice(0, 2).join('.') === good.split('.').slice(0, 2).join('.')) continue;
      expect(typeof readRequestProof(changed, terms)).toBe('string');
    }
  });
});
