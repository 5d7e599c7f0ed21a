import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { CertificateProfiles } from './certificate-profiles.js';

const GOOD = `
title: { zh: 甲, en: a }
holder: ca
issuedBy: [a]
keys: [p256]
keyClass: caSigning
maxValidityDays: 10
ca: { pathLength: 1 }
keyUsage: [keyCertSign]
`;

describe('certificate profiles', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'profiles-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('reads the seven of the project, with the keys that the scheme allows', () => {
    const profiles = CertificateProfiles.load('certs/profiles').list();
    expect(profiles.map((profile) => `${profile.name} ${profile.keys.join('+')}`)).toEqual([
      'card p256',
      'hospital p256+rsa2048',
      'issuing-ca p256',
      'ocsp-responder p256',
      'report-signer p256',
      'root-ca p256',
      'terminal p256',
    ]);
  });

  it.each([
    ['an unknown field', `${GOOD}colour: red\n`, /colour/],
    ['a CA that may not certify', GOOD.replace('keyCertSign', 'digitalSignature'), /keyCertSign/],
    ['a token key without its class', GOOD.replace('keyClass: caSigning\n', ''), /keyClass/],
    ['an issuer that is no profile', GOOD.replace('[a]', '[b]'), /issuedBy: b/],
    ['broken YAML', 'title: [', /./],
  ])('refuses %s and names the file', (_name, content, reason) => {
    writeFileSync(join(folder, 'a.yaml'), content);
    expect(() => CertificateProfiles.load(folder)).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', details: { file: join(folder, 'a.yaml'), reason: expect.stringMatching(reason) } }),
    );
  });

  it('refuses an empty folder, a missing one, and an unknown name', () => {
    expect(() => CertificateProfiles.load(folder)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
    expect(() => CertificateProfiles.load(join(folder, 'x'))).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
    writeFileSync(join(folder, 'a.yaml'), GOOD);
    expect(() => CertificateProfiles.load(folder).get('b')).toThrow(expect.objectContaining({ code: 'PROFILE_UNKNOWN' }));
  });
});
