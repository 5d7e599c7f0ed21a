import { generateKeyPairSync } from 'node:crypto';
import { afterAll, describe, expect, it } from '@jest/globals';
import { isAppError } from '#libs/platform';
import { AUTHENTICATOR_FLAGS, makeMaker, type Misbehaviour, MODEL, SoftAuthenticator } from '../../../../test/builders/authenticator.js';
import { OpensslFolder } from '../../../../test/builders/openssl.js';
import { SignInConfig } from '../sign-in-terms.js';
import { Attestations } from './attestation.js';

const challenge = new Uint8Array(32).fill(7);
const page = { challenge: Buffer.from(challenge).toString('base64url'), rpId: 'approve.hufu.test', origin: 'https://approve.hufu.test' };
const terms = { challenge, rpId: page.rpId, origins: [page.origin], mayBeBackedUp: false };
const folder = new OpensslFolder();
const [maker, stranger] = [makeMaker(folder, 'maker'), makeMaker(folder, 'stranger')];
afterAll(() => folder.remove());

const admitting = (...roots: string[]): Attestations => new Attestations(SignInConfig.parse({ authenticators: [{ aaguid: MODEL, name: 'test', roots }] }));
const asked = (device: SoftAuthenticator, wrong: Misbehaviour & { format?: string } = {}): Parameters<Attestations['verify']>[0] => {
  const { credentialId, attestationObject, clientDataJson } = device.create(page, wrong);
  const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'base64url'));
  return { credentialId: bytes(credentialId), attestationObject: bytes(attestationObject), clientDataJson: bytes(clientDataJson) };
};
const reasonOf = (act: Promise<unknown>): Promise<string> => act.then(() => 'taken', (error: unknown) => (isAppError(error) ? `${error.code}: ${String(error.details['reason'])}` : String(error)));

describe('an attestation', () => {
  it('of an admitted model whose certificate leads to its maker is taken, with key, model and count', async () => {
    const device = new SoftAuthenticator(MODEL, maker.maker);
    expect(await admitting(maker.rootFile).verify(asked(device), terms)).toMatchObject({ keyDigest: device.keyDigest, algorithm: 'p256Sha256', webauthn: { aaguid: MODEL.replaceAll('-', '').toUpperCase(), rpId: page.rpId, origins: [page.origin], signCount: 0 } });
  });

  it('of a model that is not admitted is refused', async () => {
    expect(await reasonOf(admitting().verify(asked(new SoftAuthenticator('d0c0ffee-0000-4000-8000-000000000002')), terms))).toContain('is not admitted');
    expect(await reasonOf(new Attestations(SignInConfig.parse({})).verify(asked(new SoftAuthenticator()), terms))).toContain('is not admitted');
  });

  it('that only claims an admitted model is refused where the maker is known', async () => {
    const attestations = admitting(maker.rootFile);
    expect(await reasonOf(attestations.verify(asked(new SoftAuthenticator()), terms))).toContain('does not lead to');
    expect(await reasonOf(attestations.verify(asked(new SoftAuthenticator(MODEL, stranger.maker)), terms))).toContain('does not lead to');
    expect(await reasonOf(admitting(stranger.rootFile, maker.rootFile).verify(asked(new SoftAuthenticator(MODEL, stranger.maker)), terms))).toBe('taken');
    const [leaf, foreign] = [maker.maker.x5c[0] as Uint8Array, stranger.maker.x5c[0] as Uint8Array];
    // A leaf certifies nobody: another maker's certificate between changes nothing.
    expect(await reasonOf(attestations.verify(asked(new SoftAuthenticator(MODEL, { key: stranger.maker.key, x5c: [foreign, leaf] })), terms))).toContain('does not lead to');
    expect(await reasonOf(attestations.verify(asked(new SoftAuthenticator(MODEL, { key: stranger.maker.key, x5c: [leaf] })), terms))).toContain('ENROLMENT_REFUSED');
  });

  it.each<[string, Misbehaviour & { format?: string }, string]>([
    ['of no format', { format: 'none' }, 'packed is taken'],
    ['of a format that asks the network', { format: 'android-safetynet' }, 'packed is taken'],
    ['made for a foreign origin', { origin: 'https://hufu.example' }, 'origin'],
    ['made at the console for the key that approves', { origin: 'https://hufu.test' }, 'origin'],
    ['made inside a foreign page', { crossOrigin: true }, 'another site'],
    ['for another relying party', { rpId: 'hufu.test' }, 'RP ID'],
    ['with another challenge', { challenge: Buffer.alloc(32).toString('base64url') }, 'challenge'],
    ['without a person', { flags: AUTHENTICATOR_FLAGS.verified }, 'presence'],
    ['without verification of the person', { flags: AUTHENTICATOR_FLAGS.present }, 'verification'],
    ['of a key that can be backed up, to approve', { flags: AUTHENTICATOR_FLAGS.present | AUTHENTICATOR_FLAGS.verified | AUTHENTICATOR_FLAGS.backupEligible }, 'backed up'],
    ['signed by another key', { key: generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey }, 'signature'],
  ])('%s is refused', async (_what, wrong, reason) => {
    expect(await reasonOf(admitting().verify(asked(new SoftAuthenticator(), wrong), terms))).toMatch(new RegExp(`ENROLMENT_REFUSED: .*${reason}`, 'i'));
  });

  it('of a key that can be backed up may sign in', async () => {
    const synced = asked(new SoftAuthenticator(), { flags: AUTHENTICATOR_FLAGS.present | AUTHENTICATOR_FLAGS.verified | AUTHENTICATOR_FLAGS.backupEligible });
    expect(await reasonOf(admitting().verify(synced, { ...terms, mayBeBackedUp: true }))).toBe('taken');
  });

  it('that is cut short or exchanged is refused by name', async () => {
    const good = asked(new SoftAuthenticator());
    for (const attestationObject of [new Uint8Array(), good.attestationObject.subarray(0, 40), new Uint8Array(200).fill(0xff)]) expect(await reasonOf(admitting().verify({ ...good, attestationObject }, terms))).toContain('ENROLMENT_REFUSED');
    expect(await reasonOf(admitting().verify({ ...good, credentialId: new Uint8Array(48) }, terms))).toContain('another than its attestation says');
  });

  it('wants its roots at the start', () => {
    expect(() => admitting('/nowhere.pem')).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });
});
