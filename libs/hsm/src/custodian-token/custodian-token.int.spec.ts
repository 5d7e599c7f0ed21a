import { constants, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, privateDecrypt, publicEncrypt, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pkcs11js, { type Handle } from 'pkcs11js';
import { toHex } from '#libs/platform/domain';
import { CUSTODIAN_PIN, TestCustodian } from '../../../../test/env/test-custodian.js';
import { ESCROW_KEYS } from '../agent/escrow-keys.js';
import { findToken } from '../agent/open-token.js';
import { secret } from '../agent/templates.js';
import { type Attributes, ckrOf, Token } from '../agent/token.js';
import { OAEP_SHA1 } from '../agent/transfer.js';
import { findTrusted, wrappingKeyTemplate } from '../agent/wrapping-keys.js';
import { Capabilities } from '../domain/capabilities.js';
import { spokenFingerprint, type WrappingKey } from '../domain/escrow.js';

/*
 * A custodian's computer in the hands of a thief: the token is in it, the user's PIN is known, and the thief speaks PKCS#11 to the token
 * past every rule of ours. The share is known to the test, so it would see it come out.
 */
let custodian: TestCustodian;
let token: Token;
let privateKey: Handle;
let host: { key: WrappingKey; opens: KeyObject; handle: Handle };
let target: { key: WrappingKey; opens: KeyObject };
const share = randomBytes(32);
let wrapped: Uint8Array;

const pair = (): { key: WrappingKey; opens: KeyObject } => {
  const { publicKey, privateKey: opens } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { key: { algorithm: 'rsaOaep', publicKey: Uint8Array.from(publicKey.export({ type: 'spki', format: 'der' })) }, opens };
};
const oaep = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' } as const;

beforeAll(async () => {
  custodian = await TestCustodian.enrol(1, 'rsaOaep');
  wrapped = Uint8Array.from(publicEncrypt({ key: createPublicKey({ key: Buffer.from(custodian.token.publicKey), format: 'der', type: 'spki' }), ...oaep }, share));
  target = pair();
  await custodian.trust({ ...target.key, keyDigest: '', spoken: spokenFingerprint(target.key.publicKey) });
  // The simulator's file belongs to one process at a time.
  await custodian.station.stop();
  const { place, profile, dir } = custodian;
  // pkcs11js leaves out the last character.
  const { lib, slot } = findToken({ ...place, libraryParameters: `conf=${join(dir, 'hsm-sim.conf')} ` });
  const session = lib.C_OpenSession(slot, pkcs11js.CKF_SERIAL_SESSION | pkcs11js.CKF_RW_SESSION);
  lib.C_Login(session, pkcs11js.CKU_USER, CUSTODIAN_PIN);
  token = new Token(place.device, profile, new Capabilities(place.device, profile, lib.C_GetMechanismList(slot)), lib, session);
  [privateKey] = token.find({ CKA_CLASS: pkcs11js.CKO_PRIVATE_KEY, CKA_LABEL: 'escrowCustodian' }) as [Handle];
  const made = pair();
  host = { ...made, handle: token.create({ ...wrappingKeyTemplate(profile, made.key), CKA_TOKEN: false }) };
}, 60_000);
afterAll(async () => {
  token?.lib.C_Finalize();
  await custodian?.stop();
});

const held = (template: Attributes = ESCROW_KEYS.heldShare()): Handle => token.unwrap(privateKey, OAEP_SHA1, wrapped, template);
const ckr = (act: () => unknown): string => {
  try {
    act();
    return 'done';
  } catch (error) {
    return ckrOf(error) ?? String(error);
  }
};

describe('with token and PIN in hand', () => {
  it('the share goes to the key that the officer entered: what follows fails for its own reason', () => {
    const opened = token.wrap(findTrusted(token, target.key), OAEP_SHA1, held(), 512);
    expect(toHex(privateDecrypt({ key: target.opens, ...oaep }, opened))).toBe(toHex(share));
  });

  it.each<[string, () => unknown, string]>([
    ['to a key that the host made', () => token.wrap(host.handle, OAEP_SHA1, held(), 512), 'CKR_KEY_NOT_WRAPPABLE'],
    ['to the token’s own public key', () => token.wrap(token.find({ CKA_CLASS: pkcs11js.CKO_PUBLIC_KEY, CKA_LABEL: 'escrowCustodian' })[0] as Handle, OAEP_SHA1, held(), 512), 'CKR_KEY_NOT_WRAPPABLE'],
    ['under an AES key whose value the host knows', () => token.wrap(token.create({ ...secret(pkcs11js.CKK_AES), CKA_WRAP: true, CKA_VALUE: new Uint8Array(32) }), { mechanism: 0x2109 }, held(), 64), 'CKR_KEY_NOT_WRAPPABLE'],
    ['in clear', () => token.bytes(held(), 'CKA_VALUE'), 'CKR_ATTRIBUTE_SENSITIVE'],
    ['in clear, asked for when it is unwrapped', () => held({ ...ESCROW_KEYS.heldShare(), CKA_SENSITIVE: false }), 'CKR_TEMPLATE_INCONSISTENT'],
    ['without the condition', () => held({ ...ESCROW_KEYS.heldShare(), CKA_WRAP_WITH_TRUSTED: false }), 'CKR_TEMPLATE_INCONSISTENT'],
    ['as a key that derives', () => held({ ...ESCROW_KEYS.heldShare(), CKA_DERIVE: true }), 'CKR_TEMPLATE_INCONSISTENT'],
    ['as a key that wraps', () => held({ ...ESCROW_KEYS.heldShare(), CKA_WRAP: true }), 'CKR_TEMPLATE_INCONSISTENT'],
    ['as a key that encrypts', () => held({ ...ESCROW_KEYS.heldShare(), CKA_KEY_TYPE: pkcs11js.CKK_AES, CKA_ENCRYPT: true }), 'CKR_TEMPLATE_INCONSISTENT'],
    ['as a key that stays in the token', () => held({ ...ESCROW_KEYS.heldShare(), CKA_TOKEN: true }), 'CKR_TEMPLATE_INCONSISTENT'],
    ['the condition taken off', () => token.change(held(), { CKA_WRAP_WITH_TRUSTED: false }), 'CKR_ATTRIBUTE_READ_ONLY'],
    ['a copy without the condition', () => token.lib.C_CopyObject(token.session, held(), [{ type: pkcs11js.CKA_WRAP_WITH_TRUSTED, value: false }]), 'CKR_TEMPLATE_INCONSISTENT'],
    ['XORed with zeros into another key', () => token.derive(held(), { mechanism: 0x364, parameter: Buffer.alloc(16) }, ESCROW_KEYS.joined()), 'CKR_KEY_FUNCTION_NOT_PERMITTED'],
    ['the host’s key made trusted by the user', () => token.change(host.handle, { CKA_TRUSTED: true }), 'CKR_ATTRIBUTE_READ_ONLY'],
    ['a trusted key created by the user', () => token.create({ ...wrappingKeyTemplate(custodian.profile, host.key), CKA_TRUSTED: true }), 'CKR_ATTRIBUTE_READ_ONLY'],
    ['decrypted as data', () => {
      token.lib.C_DecryptInit(token.session, OAEP_SHA1, privateKey);
      return token.lib.C_Decrypt(token.session, Buffer.from(wrapped), Buffer.alloc(512));
    }, 'CKR_KEY_FUNCTION_NOT_PERMITTED'],
    ['unwrapped as PKCS#1 v1.5, whose answers would be an oracle', () => token.unwrap(privateKey, { mechanism: pkcs11js.CKM_RSA_PKCS }, wrapped, ESCROW_KEYS.heldShare()), 'CKR_MECHANISM_INVALID'],
    ['the private key wrapped', () => token.wrap(token.create({ ...secret(pkcs11js.CKK_AES), CKA_WRAP: true, CKA_VALUE: new Uint8Array(32) }), { mechanism: 0x1085, parameter: Buffer.alloc(16) }, privateKey, 4096), 'CKR_KEY_UNEXTRACTABLE'],
    ['the private key made to decrypt', () => token.change(privateKey, { CKA_DECRYPT: true }), 'CKR_ATTRIBUTE_READ_ONLY'],
    ['the private key told another template', () => token.change(privateKey, { CKA_UNWRAP_TEMPLATE: new Uint8Array(0) }), 'CKR_ATTRIBUTE_READ_ONLY'],
  ])('%s: the token itself refuses', (_what, act, expected) => {
    expect(ckr(act)).toBe(expected);
  });

  it('what the caller leaves out is imposed', () => {
    const { CKA_WRAP_WITH_TRUSTED: _bound, CKA_SENSITIVE: _sensitive, ...silent } = ESCROW_KEYS.heldShare();
    const key = held(silent);
    expect(['CKA_WRAP_WITH_TRUSTED', 'CKA_SENSITIVE', 'CKA_DERIVE'].map((name) => token.flag(key, name as 'CKA_DERIVE'))).toEqual([true, true, false]);
    expect(ckr(() => token.wrap(host.handle, OAEP_SHA1, key, 512))).toBe('CKR_KEY_NOT_WRAPPABLE');
  });

  it('and a key without the condition the host does get: the refusals are the condition’s', () => {
    const free = token.create({ ...secret(pkcs11js.CKK_GENERIC_SECRET), CKA_VALUE: share, CKA_EXTRACTABLE: true });
    const opened = token.wrap(host.handle, OAEP_SHA1, free, 512);
    expect(toHex(privateDecrypt({ key: createPrivateKey(host.opens.export({ type: 'pkcs8', format: 'pem' })), ...oaep }, opened))).toBe(toHex(share));
  });
});
