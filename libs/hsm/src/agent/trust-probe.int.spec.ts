import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import pkcs11js from 'pkcs11js';
import { libraryPath } from '../../../../test/env/library-path.js';
import { Capabilities } from '../domain/capabilities.js';
import type { WrappingKey } from '../domain/escrow.js';
import type { VendorProfile } from '../domain/vendor-profile.js';
import { loadProfiles } from '../profile-files.js';
import { initialiseToken } from './initialise.js';
import { findToken } from './open-token.js';
import { Token } from './token.js';
import { brokenTrustRule } from './trust-probe.js';

/* NSS wraps a key with CKA_WRAP_WITH_TRUSTED to whatever key it is given: the token that the probe is for. */
const dir = mkdtempSync(join(tmpdir(), 'hufu-probe-'));
let token: Token;

beforeAll(() => {
  const profile = loadProfiles('libs/hsm/profiles').get('nss') as VendorProfile;
  mkdirSync(join(dir, 'token'));
  const libraryParameters = `configdir='sql:${join(dir, 'token')}' certPrefix='' keyPrefix='' secmod='' dbTokenDescription='nss' flags=`;
  const place = { device: 'probed', module: libraryPath('libsoftokn3.so'), moduleSha256: undefined, libraryParameters, label: 'nss', serial: undefined, slot: undefined };
  initialiseToken(place, profile, 'nss', Buffer.from('135791-so'), Buffer.from('246810-user'));
  const { lib, slot } = findToken(place);
  const session = lib.C_OpenSession(slot, pkcs11js.CKF_SERIAL_SESSION | pkcs11js.CKF_RW_SESSION);
  lib.C_Login(session, pkcs11js.CKU_USER, '246810-user');
  token = new Token('probed', profile, new Capabilities('probed', profile, []), lib, session);
});
afterAll(() => {
  token.lib.C_Finalize();
  rmSync(dir, { recursive: true, force: true });
});

it('a token that has the attribute in name only is found out', async () => {
  const publicKey = Uint8Array.from(generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ type: 'spki', format: 'der' }));
  const key: WrappingKey = { algorithm: 'rsaOaep', publicKey };
  expect(await brokenTrustRule(token, key)).toBe('WRAP_WITH_TRUSTED');
  // It leaves nothing behind.
  expect([pkcs11js.CKO_SECRET_KEY, pkcs11js.CKO_PUBLIC_KEY].map((objectClass) => token.find({ CKA_CLASS: objectClass }).length)).toEqual([0, 0]);
});
