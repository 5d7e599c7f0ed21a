import { describe, expect, it } from '@jest/globals';
import { isAppError } from '#libs/platform/domain';
import { loadProfiles } from '../profile-files.js';
import { PACKED_RECIPES } from './batch.js';
import { Capabilities, missingCapabilities } from './capabilities.js';
import { numberOf } from './mechanisms.js';
import type { VendorProfile } from './vendor-profile.js';

const profiles = loadProfiles('libs/hsm/profiles');
const profile = (name: string): VendorProfile => profiles.get(name) as VendorProfile;
const all = (of: VendorProfile): number[] =>
  [...new Set([...Object.keys(of.numbers), 'CKM_RSA_PKCS_KEY_PAIR_GEN', 'CKM_RSA_PKCS_OAEP', 'CKM_SHA256_RSA_PKCS', 'CKM_DES3_ECB', 'CKM_DES3_CBC', 'CKM_SHA256_HMAC',
    'CKM_CONCATENATE_BASE_AND_DATA', 'CKM_CONCATENATE_DATA_AND_BASE', 'CKM_EC_KEY_PAIR_GEN', 'CKM_ECDSA', 'CKM_AES_KEY_GEN', 'CKM_DES3_ECB_ENCRYPT_DATA',
    'CKM_AES_ECB_ENCRYPT_DATA', 'CKM_AES_KEY_WRAP', 'CKM_GENERIC_SECRET_KEY_GEN', 'CKM_CONCATENATE_BASE_AND_KEY', 'CKM_SHA256_KEY_DERIVATION'])].map((name) => numberOf(of, name) as number);
const detailsOf = (act: () => void): unknown => {
  try {
    act();
    return 'ok';
  } catch (error) {
    return isAppError(error) ? [error.code, error.details] : error;
  }
};

describe('capabilities', () => {
  it.each([...profiles.keys()])('%s claims nothing that its own numbers do not bear', (name) => {
    expect(missingCapabilities(profile(name), all(profile(name)))).toEqual([]);
  });

  it('a mechanism that the probe does not find takes its recipes with it, and only those', () => {
    const sim = profile('hsm-sim');
    const without = (name: string): string[] => missingCapabilities(sim, all(sim).filter((number) => number !== numberOf(sim, name)));
    expect(without('CKM_XOR_HALVES')).toEqual(['tacs (3des2)']);
    expect(without('CKM_SM4_ECB_ENCRYPT_DATA')).toEqual(PACKED_RECIPES.map((recipe) => `${recipe} (sm4)`));
    expect(without('CKM_SM2_SM3')).toEqual(['sign (sm2)']);
    expect(without('CKM_CONCATENATE_DATA_AND_BASE')).toEqual(['protectForCard (3des2)', 'protectForCard (sm4)', 'escrow']);
    expect(without('CKM_AES_KEY_WRAP')).toEqual(['transfer', 'escrow']);
  });

  it('unlisted mechanisms count as there', () => {
    const nss = profile('nss');
    const listed = all(nss).filter((number) => !nss.unlisted.map((name) => numberOf(nss, name)).includes(number));
    expect(missingCapabilities(nss, listed)).toEqual([]);
    expect(missingCapabilities({ ...nss, unlisted: [] }, listed)).toContain('protectForCard (3des2)');
  });

  it('refuses by name', () => {
    const softhsm = new Capabilities('general-1', profile('softhsm'), all(profile('softhsm')));
    const lacks = (recipe: string): unknown => ['HSM_CAPABILITY_MISSING', { device: 'general-1', recipe }];
    expect(detailsOf(() => softhsm.require('protectForCard', '3des2'))).toEqual(lacks('protectForCard'));
    expect(detailsOf(() => softhsm.require('commandMacs', 'aes128'))).toEqual(lacks('commandMacs (aes128)'));
    expect(detailsOf(() => softhsm.requireMethod('cmac5', '3des2'))).toEqual(lacks('checkValues (cmac5, 3des2)'));
    expect(detailsOf(() => softhsm.requireRoot('sm4'))).toEqual(lacks('generateKey (sm4)'));
    expect(detailsOf(() => softhsm.requireSigning('sign', 'sm2'))).toEqual(lacks('sign (sm2)'));
    expect(detailsOf(() => softhsm.require('commandMacs', '3des2'))).toBe('ok');
    expect(detailsOf(() => softhsm.requireEscrow('rsaOaep'))).toEqual(lacks('escrow'));
  });

  it('escrow: shares by RSA and by SM2 where the vendor has its encryption, by RSA alone elsewhere, and not at all without joining keys', () => {
    const offers = (name: string, without?: string): unknown[] => {
      const device = new Capabilities('d', profile(name), all(profile(name)).filter((number) => number !== numberOf(profile(name), without ?? '')));
      return (['rsaOaep', 'sm2'] as const).map((algorithm) => (detailsOf(() => device.requireEscrow(algorithm)) as [string, { recipe: string }] | 'ok')).map((each) => (each === 'ok' ? each : each[1].recipe));
    };
    expect(offers('hsm-sim')).toEqual(['ok', 'ok']);
    expect(offers('hsm-sim-ep11')).toEqual(['ok', 'ok']);
    expect(offers('hsm-sim-tass')).toEqual(['ok', 'escrow (sm2)']);
    expect(offers('hsm-sim', 'CKM_SM2_ENCRYPT')).toEqual(['ok', 'escrow (sm2)']);
    for (const needed of ['CKM_CONCATENATE_BASE_AND_KEY', 'CKM_SHA256_KEY_DERIVATION', 'CKM_RSA_PKCS_OAEP', 'CKM_SHA256_HMAC']) expect(offers('hsm-sim', needed)).toEqual(['escrow', 'escrow']);
    for (const name of ['nss', 'sansec', 'tass', 'ep11']) expect(offers(name)).toEqual(['escrow', 'escrow']);
  });
});
