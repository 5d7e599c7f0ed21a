import { createCipheriv, createDecipheriv, createPublicKey, randomBytes, verify } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { NestFactory } from '@nestjs/core';
import {
  ascii, checkpointBytes, concatBytes, derBitString, derContext, derInteger, derOctetString, derOid, derSequence, derSetOf, derTime, equalBytes, fromHex, isAppError, toHex,
} from '#libs/platform';
import { startTestHsm, type TestHsm } from '../../../test/env/test-hsm.js';
import type { DiversificationClass, SigningClass } from './domain/key-class.js';
import { KNOWN_ANSWERS } from './domain/known-answers.js';
import { Hsm, type KeyPath, type SymmetricAlgorithm } from './hsm.js';
import { HsmModule } from './hsm.module.js';

const SOFTHSM = 'general-1';
const NSS = 'diversification-1';
const DEVICES = [SOFTHSM, NSS];
const REGION = ascii('110000sx');
const CARD = fromHex('1100000000000001');
const MF = fromHex('3F00000000000000');
const ADF = fromHex('DF01000000000000');
const CHIP = fromHex('00112233445566AA');
const TRANSPORT_KEY = fromHex('404142434445464748494A4B4C4D4E4F');

let rig: TestHsm;
beforeAll(async () => {
  rig = await startTestHsm();
});
afterAll(() => rig.stop());

const newId = (): string => toHex(randomBytes(16));
const codeOf = async (act: Promise<unknown>): Promise<string> => {
  try {
    await act;
    return 'ok';
  } catch (error) {
    return isAppError(error) ? error.code : String(error);
  }
};
const root = async (device: string, keyClass: DiversificationClass, algorithm: SymmetricAlgorithm = '3des2'): Promise<string> => {
  const keyId = newId();
  await rig.hsm.generateKey(device, { keyId, label: `测试/${keyClass}`, keyClass, algorithm });
  return keyId;
};
const kcv = async (device: string, key: KeyPath, method: 'zero3' | 'cmac5' = 'zero3'): Promise<string> =>
  toHex((await rig.hsm.checkValues(device, [{ key, method }]))[0] as Uint8Array);

/* The card's side, by node:crypto. */
const ecb = (key: Uint8Array, data: Uint8Array): Buffer => {
  const cipher = createCipheriv('des-ede-ecb', key, null).setAutoPadding(false);
  return Buffer.concat([cipher.update(data), cipher.final()]);
};
const open = (key: Uint8Array, data: Uint8Array): Buffer => {
  const cipher = createDecipheriv('des-ede-ecb', key, null).setAutoPadding(false);
  return Buffer.concat([cipher.update(data), cipher.final()]);
};
const childOf = (key: Uint8Array, factor: Uint8Array): Buffer => ecb(key, concatBytes(factor, factor.map((octet) => octet ^ 0xff)));
const pad = (data: Uint8Array): Uint8Array => concatBytes(data, Uint8Array.of(0x80), new Uint8Array(7 - (data.length % 8)));
const desCbc = (key: Uint8Array, initial: Uint8Array, data: Uint8Array): Buffer => {
  const cipher = createCipheriv('des-ede-cbc', concatBytes(key, key), initial).setAutoPadding(false);
  return Buffer.concat([cipher.update(data), cipher.final()]);
};
const retailMac = (key: Uint8Array, challenge: Uint8Array, data: Uint8Array): Uint8Array => {
  const blocks = pad(data);
  const initial = concatBytes(challenge, new Uint8Array(8)).subarray(0, 8);
  const chained = Buffer.concat([initial, desCbc(key.subarray(0, 8), initial, blocks.subarray(0, -8))]).subarray(-8);
  return ecb(key, blocks.subarray(-8).map((octet, i) => octet ^ (chained[i] as number))).subarray(0, 4);
};

describe.each(DEVICES)('%s', (device) => {
  it('computes every published answer that it can, inside', async () => {
    const answers = await rig.hsm.knownAnswers(device);
    for (const { name, actual, expected } of answers) expect(`${name} ${actual}`).toBe(`${name} ${expected}`);
    // Neither has SM4 or the XOR of a key's halves; SoftHSM has no concatenation and no 3DES wrap.
    const offered = KNOWN_ANSWERS.filter(({ algorithm, recipe }) => algorithm !== 'sm4' && recipe !== 'tacs' && !(device === SOFTHSM && recipe === 'protectForCard'));
    expect(answers.map(({ name }) => name)).toEqual(offered.map(({ name }) => name));
  });

  it('leaves no object behind after known answers', async () => {
    const before = await rig.hsm.inventory(device);
    await rig.hsm.knownAnswers(device);
    expect(await rig.hsm.inventory(device)).toEqual(before);
  });

  it.each(['3des2', 'aes128'] as const)('makes a %s root that can derive and nothing else', async (algorithm) => {
    const keyId = await root(device, 'dataRoot', algorithm);
    const objects = (await rig.hsm.inventory(device)).filter((object) => object.keyId === keyId);
    expect(objects).toEqual([{ keyId, label: 'dataRoot/测试/dataRoot', objectClass: 'secret', sensitive: true, extractable: true, usages: ['DERIVE'] }]);
    await rig.hsm.seal(device, keyId);
    await rig.hsm.seal(device, keyId);
    const sealed = (await rig.hsm.inventory(device)).find((object) => object.keyId === keyId);
    expect(sealed?.extractable).toBe(false);
    expect(await rig.hsm.destroy(device, keyId)).toBe(1);
    expect(await rig.hsm.destroy(device, keyId)).toBe(0);
    expect(await codeOf(kcv(device, { keyId, factors: [] }))).toBe('KEY_NOT_FOUND');
  });

  it('never gives a key id twice', async () => {
    const keyId = await root(device, 'dataRoot');
    const key = { keyId, label: 'x' };
    expect(await codeOf(rig.hsm.generateKey(device, { ...key, keyClass: 'dataRoot', algorithm: '3des2' }))).toBe('KEY_ID_TAKEN');
    expect(await codeOf(rig.hsm.generateKeyPair(device, { ...key, keyClass: 'reportSigning', algorithm: 'p256' }))).toBe('KEY_ID_TAKEN');
    expect(await codeOf(rig.hsm.importTestTransportKey(device, key))).toBe('KEY_ID_TAKEN');
  });

  it.each([
    ['p256', 'caSigning'],
    ['rsa2048', 'reportSigning'],
  ] as const)('signs with %s so that the public key verifies it', async (algorithm, keyClass) => {
    const keyId = newId();
    const { publicKey } = await rig.hsm.generateKeyPair(device, { keyId, label: 'sign', keyClass, algorithm });
    const items = [1, 2, 3].map((n) => structure(keyClass, keyId, n));
    const signatures = await rig.hsm.sign(device, items);
    const key = createPublicKey({ key: Buffer.from(publicKey), format: 'der', type: 'spki' });
    expect(signatures.map((signature, i) => verify('sha256', (items[i] as { bytes: Uint8Array }).bytes, key, signature))).toEqual([true, true, true]);
    expect(verify('sha256', (items[0] as { bytes: Uint8Array }).bytes, key, signatures[1] as Uint8Array)).toBe(false);
    const pair = (await rig.hsm.inventory(device)).filter((object) => object.keyId === keyId && object.objectClass === 'private');
    expect(pair).toEqual([expect.objectContaining({ sensitive: true, extractable: false, usages: ['SIGN'] })]);
    expect(await rig.hsm.destroy(device, keyId)).toBe(2);
  });

  it('signs only what the key is for, and nothing of a batch with one wrong item', async () => {
    const keyId = newId();
    await rig.hsm.generateKeyPair(device, { keyId, label: 'report', keyClass: 'reportSigning', algorithm: 'p256' });
    const certificate = structure('caSigning', keyId, 1);
    expect(await codeOf(rig.hsm.sign(device, [certificate]))).toBe('KEY_CLASS_MISMATCH');
    expect(await codeOf(rig.hsm.sign(device, [structure('reportSigning', keyId, 1), { ...certificate, purpose: 'report' }]))).toBe('SIGN_TYPE_MISMATCH');
    expect(await codeOf(rig.hsm.sign(device, [{ keyId: newId(), purpose: 'report', bytes: certificate.bytes }]))).toBe('KEY_NOT_FOUND');
    const diversification = await root(device, 'dataRoot');
    expect(await codeOf(rig.hsm.sign(device, [structure('reportSigning', diversification, 1)]))).toBe('KEY_NOT_FOUND');
    expect(await codeOf(kcv(device, { keyId, factors: [] }))).toBe('KEY_NOT_FOUND');
  });

  it('refuses reserved factors everywhere', async () => {
    const keyId = await root(device, 'purchaseRoot');
    for (const octet of [0x00, 0xff]) {
      const key = { keyId, factors: [REGION, new Uint8Array(8).fill(octet)] };
      expect(await codeOf(kcv(device, key))).toBe('FACTOR_RESERVED');
      expect(await codeOf(rig.hsm.purchaseMacs(device, [{ key, sessionInput: CARD, data: CARD }]))).toBe('FACTOR_RESERVED');
    }
  });

  it('makes command MACs and authentications as the card computes them', async () => {
    const keyId = newId();
    await rig.hsm.importTestTransportKey(device, { keyId, label: 'factory' });
    const object = (await rig.hsm.inventory(device)).find((each) => each.keyId === keyId);
    expect(object).toEqual(expect.objectContaining({ label: 'psamTransportRoot/factory', sensitive: true, extractable: false, usages: ['DERIVE'] }));
    const key = { keyId, factors: [CHIP] };
    const cardKey = childOf(TRANSPORT_KEY, CHIP);
    const challenges = [randomBytes(4), randomBytes(8)];
    const command = fromHex('84D60000');
    for (const size of [0, 3, 10, 11, 100, 251]) {
      for (const challenge of challenges) {
        const data = randomBytes(size);
        const [mac] = await rig.hsm.commandMacs(device, [{ key, command, data, challenge }]);
        expect(toHex(mac as Uint8Array)).toBe(toHex(retailMac(cardKey, challenge, concatBytes(command, Uint8Array.of(size + 4), data))));
      }
    }
    const answers = await rig.hsm.authenticateToCard(device, challenges.map((challenge) => ({ key, challenge })));
    expect(answers.map(toHex)).toEqual(challenges.map((challenge) => toHex(ecb(cardKey, concatBytes(challenge, new Uint8Array(8)).subarray(0, 8)))));
    expect(await codeOf(rig.hsm.authenticateToCard(device, [{ key: { keyId, factors: [CHIP, CARD] }, challenge: CARD }]))).toBe('KEY_PATH_DEPTH');
    expect(await codeOf(rig.hsm.purchaseMacs(device, [{ key, sessionInput: CARD, data: CARD }]))).toBe('KEY_CLASS_MISMATCH');
    await rig.hsm.destroy(device, keyId);
  });

  it('computes both check values of AES, and says that 3DES has no CMAC', async () => {
    const aes = await root(device, 'dataRoot', 'aes128');
    expect(await kcv(device, { keyId: aes, factors: [] }, 'cmac5')).toMatch(/^[0-9A-F]{10}$/);
    const des = await root(device, 'dataRoot');
    expect(await codeOf(kcv(device, { keyId: des, factors: [] }, 'cmac5'))).toBe('HSM_CAPABILITY_MISSING');
    const control = await root(device, 'psamControlRoot', 'aes128');
    const item = { key: { keyId: control, factors: [REGION, CARD, MF] }, challenge: CARD };
    expect(await codeOf(rig.hsm.authenticateToCard(device, [item]))).toBe('HSM_CAPABILITY_MISSING');
  });
});

describe('transfer', () => {
  it.each([
    [SOFTHSM, NSS, '3des2'],
    [SOFTHSM, NSS, 'aes128'],
    [NSS, SOFTHSM, '3des2'],
    [NSS, SOFTHSM, 'aes128'],
  ] as const)('%s → %s keeps a %s root: check values and fingerprint are equal', async (from, to, algorithm) => {
    const keyId = await root(from, 'dataRoot', algorithm);
    await rig.hsm.transfer({ keyId, from, to });
    for (const factors of [[], [REGION], [REGION, CARD]]) {
      expect(await kcv(to, { keyId, factors })).toBe(await kcv(from, { keyId, factors }));
    }
    const [here, there] = await Promise.all([from, to].map(async (device) => (await rig.hsm.fingerprints(device, [keyId]))[0] as Uint8Array));
    expect(toHex(there as Uint8Array)).toBe(toHex(here as Uint8Array));
    expect((here as Uint8Array).length).toBe(16);
    const copies = await Promise.all([from, to].map(async (device) => (await rig.hsm.inventory(device)).filter((object) => object.keyId === keyId)));
    expect(copies[1]).toEqual(copies[0]);
    expect(await codeOf(rig.hsm.transfer({ keyId, from, to }))).toBe('KEY_ID_TAKEN');
  });

  it.each([
    [SOFTHSM, NSS],
    [NSS, SOFTHSM],
  ])('a sealed key does not leave %s, and nothing stays behind in %s', async (from, to) => {
    const keyId = await root(from, 'dataRoot');
    await rig.hsm.seal(from, keyId);
    const before = await rig.hsm.inventory(to);
    await expect(rig.hsm.transfer({ keyId, from, to })).rejects.toMatchObject({ code: 'HSM_ERROR', details: { ckr: 'CKR_KEY_UNEXTRACTABLE' } });
    expect(await rig.hsm.inventory(to)).toEqual(before);
  });

  it('several at once into one device take turns', async () => {
    const keyIds = await Promise.all([1, 2, 3].map(() => root(SOFTHSM, 'dataRoot')));
    await Promise.all(keyIds.map((keyId) => rig.hsm.transfer({ keyId, from: SOFTHSM, to: NSS })));
    const [here, there] = [await rig.hsm.fingerprints(SOFTHSM, keyIds), await rig.hsm.fingerprints(NSS, keyIds)];
    expect(there.map(toHex)).toEqual(here.map(toHex));
    expect(new Set(here.map(toHex)).size).toBe(3);
  });
});

describe('key loads', () => {
  const challenge = fromHex('5A5B5C5D');
  const command = fromHex('84D40100');
  const header = fromHex('010100080F040F33');
  let roots: Record<'transport' | 'control' | 'maintenance' | 'purchase', string>;
  beforeAll(async () => {
    const transport = newId();
    await rig.hsm.importTestTransportKey(NSS, { keyId: transport, label: 'factory' });
    roots = { transport, control: await root(NSS, 'psamControlRoot'), maintenance: await root(NSS, 'psamMaintenanceRoot'), purchase: await root(NSS, 'purchaseRoot') };
  });

  it('bring a card, by its own arithmetic, the keys that the token computes with', async () => {
    const transport = { keyId: roots.transport, factors: [CHIP] };
    const control = { keyId: roots.control, factors: [REGION, CARD, MF] };
    const load = async (key: KeyPath, controlKey: KeyPath, value: Uint8Array): Promise<Buffer> => {
      const [parts] = await rig.hsm.protectForCard(NSS, [{ key, controlKey, header, command, challenge }]);
      const { cipher, mac } = parts as { cipher: Uint8Array; mac: Uint8Array };
      expect(toHex(mac)).toBe(toHex(retailMac(value, challenge, concatBytes(command, Uint8Array.of(cipher.length + 4), cipher))));
      const clear = open(value, cipher);
      expect(toHex(clear.subarray(0, 9))).toBe(`18${toHex(header)}`);
      expect(toHex(clear.subarray(25))).toBe('80000000000000');
      return clear.subarray(9, 25);
    };
    const controlValue = await load(control, transport, childOf(TRANSPORT_KEY, CHIP));
    expect(toHex(ecb(controlValue, new Uint8Array(8)).subarray(0, 3))).toBe(await kcv(NSS, control));
    const purchase = { keyId: roots.purchase, factors: [REGION] };
    const purchaseValue = await load(purchase, control, controlValue);
    expect(toHex(ecb(purchaseValue, new Uint8Array(8)).subarray(0, 3))).toBe(await kcv(NSS, purchase));

    // The PSAM diversifies once more and makes MAC1; the token must make the same.
    const session = ecb(childOf(purchaseValue, CARD), fromHex('1122334400010005'));
    const data = fromHex('0000138806110000000123202109151430 00'.replace(' ', ''));
    const [mac1] = await rig.hsm.purchaseMacs(NSS, [{ key: { keyId: roots.purchase, factors: [REGION, CARD] }, sessionInput: fromHex('1122334400010005'), data }]);
    expect(toHex(mac1 as Uint8Array)).toBe(toHex(desCbc(session, new Uint8Array(8), pad(data)).subarray(-8, -4)));
  });

  it.each([1, 7, 8, 15, 32])('a header of %i bytes is padded to whole blocks', async (size) => {
    const own = randomBytes(size);
    const [parts] = await rig.hsm.protectForCard(NSS, [
      { key: { keyId: roots.control, factors: [REGION, CARD, MF] }, controlKey: { keyId: roots.transport, factors: [CHIP] }, header: own, command, challenge },
    ]);
    const clear = open(childOf(TRANSPORT_KEY, CHIP), (parts as { cipher: Uint8Array }).cipher);
    expect([clear[0], toHex(clear.subarray(1, 1 + size))]).toEqual([size + 16, toHex(own)]);
    const tail = clear.subarray(1 + size + 16);
    expect(toHex(tail)).toBe(`80${'00'.repeat(tail.length - 1)}`);
  });

  it('never work with the wrong keys', async () => {
    const transport = { keyId: roots.transport, factors: [CHIP] };
    const control = { keyId: roots.control, factors: [REGION, CARD, MF] };
    const refused = (key: KeyPath, controlKey: KeyPath): Promise<string> => codeOf(rig.hsm.protectForCard(NSS, [{ key, controlKey, header, command, challenge }]));
    expect(await refused(control, { keyId: roots.purchase, factors: [REGION] })).toBe('KEY_CLASS_MISMATCH');
    expect(await refused(transport, control)).toBe('KEY_CLASS_MISMATCH');
    expect(await refused({ keyId: roots.control, factors: [REGION] }, control)).toBe('KEY_PATH_DEPTH');
    expect(await refused({ keyId: roots.purchase, factors: [] }, control)).toBe('KEY_PATH_DEPTH');
    expect(await refused(control, { keyId: roots.control, factors: [REGION, CARD] })).toBe('KEY_PATH_DEPTH');
    expect(await refused({ keyId: roots.purchase, factors: [REGION] }, transport)).toBe('KEY_LOAD_NOT_ALLOWED');
    expect(await refused({ keyId: roots.maintenance, factors: [REGION, CHIP, MF] }, control)).toBe('KEY_LOAD_NOT_ALLOWED');
    expect(await refused({ keyId: roots.control, factors: [REGION, CARD, new Uint8Array(8)] }, transport)).toBe('FACTOR_RESERVED');
    expect(await refused({ keyId: roots.control, factors: [REGION, CARD, ADF] }, control)).toBe('ok');
  });

  it('are refused by name where the module cannot do them', async () => {
    const control = { keyId: await root(SOFTHSM, 'psamControlRoot'), factors: [REGION, CARD, MF] };
    await expect(rig.hsm.protectForCard(SOFTHSM, [{ key: control, controlKey: control, header, command, challenge }])).rejects.toMatchObject({
      code: 'HSM_CAPABILITY_MISSING',
      details: { device: SOFTHSM, recipe: 'protectForCard' },
    });
  });
});

describe('clients', () => {
  it('the worker signs reports and nothing else', async () => {
    const worker = rig.client('worker');
    const [report, authority] = [newId(), newId()];
    await rig.hsm.generateKeyPair(SOFTHSM, { keyId: report, label: 'report', keyClass: 'reportSigning', algorithm: 'p256' });
    await rig.hsm.generateKeyPair(SOFTHSM, { keyId: authority, label: 'ca', keyClass: 'caSigning', algorithm: 'p256' });
    expect(await codeOf(worker.sign(SOFTHSM, [structure('reportSigning', report, 1)]))).toBe('ok');
    expect(await codeOf(worker.sign(SOFTHSM, [structure('caSigning', authority, 1)]))).toBe('HSM_REFUSED');
    expect(await codeOf(worker.inventory(SOFTHSM))).toBe('HSM_REFUSED');
    expect(await codeOf(worker.destroy(SOFTHSM, report))).toBe('HSM_REFUSED');
  });

  it('the sequencer signs checkpoints under the log key, and nobody else does', async () => {
    const journal = rig.client('journal');
    const [log, report] = [newId(), newId()];
    await rig.hsm.generateKeyPair(SOFTHSM, { keyId: log, label: 'log', keyClass: 'journalSigning', algorithm: 'p256' });
    await rig.hsm.generateKeyPair(SOFTHSM, { keyId: report, label: 'report 2', keyClass: 'reportSigning', algorithm: 'p256' });
    expect(await codeOf(journal.sign(SOFTHSM, [structure('journalSigning', log, 1)]))).toBe('ok');
    expect(await codeOf(rig.hsm.sign(SOFTHSM, [structure('journalSigning', log, 1)]))).toBe('HSM_REFUSED');
    expect(await codeOf(journal.sign(SOFTHSM, [structure('reportSigning', report, 1)]))).toBe('HSM_REFUSED');
    expect(await codeOf(journal.sign(SOFTHSM, [{ ...structure('journalSigning', log, 1), bytes: structure('reportSigning', report, 1).bytes }]))).toBe('SIGN_TYPE_MISMATCH');
    expect(await codeOf(journal.inventory(SOFTHSM))).toBe('HSM_REFUSED');
  });

  it('the doctor sees devices and nothing else', async () => {
    const doctor = rig.client('doctor');
    const devices = await doctor.devices();
    expect(devices.map(({ device, state, profile }) => [device, state, profile])).toEqual([[SOFTHSM, 'up', 'softhsm'], [NSS, 'up', 'nss']]);
    expect(devices[1]?.notEnforced).toContain('unextractableWrap');
    expect(await codeOf(doctor.knownAnswers(SOFTHSM))).toBe('HSM_REFUSED');
  });

  it('get the port from HsmModule', async () => {
    const app = await NestFactory.createApplicationContext(HsmModule.forRoot({ socket: join(rig.socketDir, 'doctor.sock') }), { logger: false });
    const hsm = app.get(Hsm);
    expect((await hsm.devices()).length).toBe(2);
    const waiting = codeOf(hsm.devices());
    await app.close();
    expect(await waiting).toBe('HSM_UNREACHABLE');
  });

  it('are told what is wrong with a request', async () => {
    await expect(rig.hsm.checkValues(SOFTHSM, [{ key: { keyId: 'abc', factors: [] }, method: 'zero3' }])).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
    await expect(rig.hsm.inventory('general-9')).rejects.toMatchObject({ code: 'TOKEN_MISSING' });
    expect(await codeOf(rig.hsm.transfer({ keyId: newId(), from: SOFTHSM, to: SOFTHSM }))).toBe('HSM_REFUSED');
  });

  it('may send more than one call holds: the answers come back in order', async () => {
    const keyId = await root(NSS, 'dataRoot');
    const items = Array.from({ length: 2300 }, (_, n) => ({ key: { keyId, factors: [REGION, fromHex((n + 1).toString(16).padStart(16, '0'))] }, method: 'zero3' as const }));
    const values = await rig.hsm.checkValues(NSS, items);
    expect(values.length).toBe(2300);
    for (const at of [0, 999, 1000, 2299]) {
      const [alone] = await rig.hsm.checkValues(NSS, [items[at] as (typeof items)[number]]);
      expect(equalBytes(values[at] as Uint8Array, alone as Uint8Array)).toBe(true);
    }
  });
});

/** The smallest structure that a key of the class signs; `n` makes it unlike others. */
function structure(keyClass: SigningClass, keyId: string, n: number): { keyId: string; purpose: 'tbsCertificate' | 'report' | 'checkpoint'; bytes: Uint8Array } {
  const at = derTime(new Date('2026-01-01T00:00:00Z'));
  const algorithm = derSequence(derOid('1.2.840.10045.4.3.2'));
  if (keyClass === 'journalSigning') {
    return { keyId, purpose: 'checkpoint', bytes: checkpointBytes({ shard: 2026, size: n, sha256Root: 'A1'.repeat(32), sm3Root: 'B2'.repeat(32), at: new Date(0), keyId }) };
  }
  if (keyClass === 'reportSigning') {
    const attribute = (oid: string, value: Uint8Array): Uint8Array => derSequence(derOid(oid), derSetOf(value));
    const digest = new Uint8Array(32).fill(n);
    const bytes = derSetOf(attribute('1.2.840.113549.1.9.3', derOid('1.2.840.113549.1.7.1')), attribute('1.2.840.113549.1.9.4', derOctetString(digest)));
    return { keyId, purpose: 'report', bytes };
  }
  const bytes = derSequence(
    derContext(0, derInteger(2)), derInteger(n), algorithm, derSequence(), derSequence(at, at), derSequence(),
    derSequence(algorithm, derBitString(new Uint8Array(65))), derContext(3, derSequence()),
  );
  return { keyId, purpose: 'tbsCertificate', bytes };
}
