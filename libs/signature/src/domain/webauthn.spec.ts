import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { assertionOf, type AssertionParts, UP_UV } from '../../../../test/builders/assertion.js';
import { type AssertionTerms, assertionFault, signCountOf } from './webauthn.js';

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const stranger = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey;
const challenge = new Uint8Array(32).fill(7);
const good: AssertionParts = { challenge, rpId: 'approve.example', origin: 'https://approve.example', privateKey };
const terms: AssertionTerms = { challenge, rpId: 'approve.example', origins: ['https://approve.example'], publicKey: publicKey.export({ type: 'spki', format: 'der' }), mayBeBackedUp: false };
const fault = (parts: Partial<AssertionParts>, changes: Partial<AssertionTerms> = {}): string | undefined => assertionFault(assertionOf({ ...good, ...parts }), { ...terms, ...changes });

describe('assertionFault (WebAuthn 7.2)', () => {
  it('takes what a right authenticator and browser give', () => {
    expect(fault({})).toBeUndefined();
    expect(fault({ client: { crossOrigin: undefined } })).toBeUndefined();
    expect(fault({ flags: UP_UV | 0x80, extensions: Uint8Array.of(0xa0) })).toBeUndefined();
    expect(fault({ flags: UP_UV | 0x18 }, { mayBeBackedUp: true })).toBeUndefined();
    expect(signCountOf(assertionOf({ ...good, signCount: 0xfffffffe }).authenticatorData)).toBe(0xfffffffe);
  });

  it.each<[string, Partial<AssertionParts>, string]>([
    ['another challenge', { challenge: new Uint8Array(32) }, 'challenge'],
    ['made at enrolment', { client: { type: 'webauthn.create' } }, 'type'],
    ['a foreign origin', { origin: 'https://approve.example.evil' }, 'origin'],
    ['the right host by another scheme', { origin: 'http://approve.example' }, 'origin'],
    ['another port', { origin: 'https://approve.example:8443' }, 'origin'],
    ['the console in place of the approve host', { origin: 'https://example' }, 'origin'],
    ['inside a frame of another site', { client: { crossOrigin: true } }, 'crossOrigin'],
    ['with a site on top', { client: { topOrigin: 'https://evil.example' } }, 'crossOrigin'],
    ['for the RP ID of sign-in', { rpId: 'example' }, 'rpId'],
    ['nobody touched it', { flags: 0x04 }, 'userPresence'],
    ['no PIN, no finger', { flags: 0x01 }, 'userVerification'],
    ['may be backed up', { flags: UP_UV | 0x08 }, 'backup'],
    ['is backed up', { flags: UP_UV | 0x18 }, 'backup'],
    ['a credential is attached', { flags: UP_UV | 0x40 }, 'authenticatorData'],
    ['extensions that are not announced', { extensions: Uint8Array.of(0xa0) }, 'authenticatorData'],
    ['extensions that are announced and missing', { flags: UP_UV | 0x80 }, 'authenticatorData'],
    ['by another key', { privateKey: stranger }, 'signature'],
  ])('%s: refused by name', (_, parts, expected) => {
    expect(fault(parts)).toBe(expected);
  });

  it('a key that is none, or of another curve, verifies nothing', () => {
    const other = generateKeyPairSync('ec', { namedCurve: 'secp384r1' }).publicKey.export({ type: 'spki', format: 'der' });
    for (const wrong of [Uint8Array.of(0x30, 0), other]) expect(fault({}, { publicKey: wrong })).toBe('signature');
  });

  it('no byte of any part can be changed', () => {
    const whole = assertionOf(good);
    fc.assert(
      fc.property(fc.constantFrom('authenticatorData', 'clientDataJson', 'signature' as const), fc.nat(), fc.integer({ min: 1, max: 255 }), (part, at, flip) => {
        const bytes = Uint8Array.from(whole[part as keyof typeof whole]);
        const place = at % bytes.length;
        bytes[place] = (bytes[place] as number) ^ flip;
        expect(assertionFault({ ...whole, [part]: bytes }, terms)).toBeDefined();
      }),
    );
  });

  it('whatever is sent in place of it is a fault and never an exception', () => {
    const bytes = fc.uint8Array({ maxLength: 80 });
    const json = fc.json().map((text) => new TextEncoder().encode(text));
    fc.assert(fc.property(bytes, fc.oneof(bytes, json), bytes, (authenticatorData, clientDataJson, signature) => assertionFault({ authenticatorData, clientDataJson, signature }, terms) !== undefined));
  });
});
