import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type DiversificationClass, POLICY_RULES, type SigningClass } from '#libs/hsm';
import { type ItemFields, packBatch, type PackedRecipe } from '#libs/hsm/agent';
import { fromHex } from '#libs/platform';
import { hsmTicket, newId } from '../builders/authorisations.js';
import { simulatedPair } from '../builders/hsm-sim.js';
import { RawHsmClient } from '../builders/raw-hsm-client.js';
import { REPORT_ATTRIBUTES, tbsCertificate } from '../builders/sign-structures.js';
import { startTestHsm, type TestHsm } from '../env/test-hsm.js';

const [GENERAL, DEVICE] = ['general-1', 'diversification-1'] as const;
const [REGION, CARD, FILE, OTHER] = ['3131303030307378', '1100000000000001', 'DF01000000000000', '1100000000000002'].map((hex) => fromHex(hex)) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
const [ZERO, ONES] = [new Uint8Array(8), new Uint8Array(8).fill(0xff)];
const COMMAND = Uint8Array.of(0x84, 0xd4, 1, 0);
const HEADER = new Uint8Array(8).fill(7);

let rig: TestHsm;
let service: RawHsmClient;
const keys = {} as Record<DiversificationClass | SigningClass, string>;
const ROOTS = ['psamControlRoot', 'psamMaintenanceRoot', 'purchaseRoot', 'dataRoot'] as const;
const PAIRS = ['caSigning', 'ocspSigning', 'reportSigning'] as const;

beforeAll(async () => {
  rig = await startTestHsm({ devices: simulatedPair });
  service = new RawHsmClient(rig.socketDir, 'service');
  keys.psamTransportRoot = newId();
  await rig.hsm.importTestTransportKey(DEVICE, { keyId: keys.psamTransportRoot, label: 'factory' });
  for (const keyClass of ROOTS) await rig.hsm.generateKey(DEVICE, { keyId: (keys[keyClass] = newId()), label: keyClass, keyClass, algorithm: '3des2' });
  for (const keyClass of PAIRS) await rig.hsm.generateKeyPair(GENERAL, { keyId: (keys[keyClass] = newId()), label: keyClass, keyClass, algorithm: 'p256' });
});
afterAll(async () => {
  service.close();
  await rig.stop();
});

const path = (keyClass: DiversificationClass, ...factors: Uint8Array[]): { keyId: string; factors: Uint8Array[] } => ({ keyId: keys[keyClass], factors });
/** One item over the raw socket, with a good ticket for its recipe and every root: what refuses it then is no missing signature. */
async function item(recipe: PackedRecipe, fields: ItemFields): Promise<string> {
  return (await raw(recipe, packBatch(recipe, [fields]))).code;
}
async function raw(recipe: string, batch: Uint8Array): Promise<{ code: string; ok: unknown }> {
  return service.ask(recipe, DEVICE, { batch }, { authorisation: await goodTicket(recipe) });
}
const tickets = new Map<string, object>();
async function goodTicket(recipe: string): Promise<object> {
  const ticket = hsmTicket({ recipe, keys: [...ROOTS, 'psamTransportRoot' as const].map((keyClass) => keys[keyClass]), count: 10_000 });
  const made = tickets.get(recipe) ?? { kind: 'ticket', ticket, approvals: await rig.quorum.approve(ticket) };
  tickets.set(recipe, made);
  return made;
}

/** What every card recipe answers, so that each attack below differs from a good call in one thing. */
const GOOD: Readonly<Record<PackedRecipe, () => ItemFields>> = {
  checkValues: () => ({ key: path('dataRoot', REGION), method: 'zero3' }),
  fingerprints: () => ({ key: path('dataRoot') }),
  protectForCard: () => ({ key: path('psamControlRoot', REGION, CARD, FILE), controlKey: path('psamControlRoot', REGION, CARD, FILE), header: HEADER, command: COMMAND, challenge: CARD }),
  commandMacs: () => ({ key: path('psamMaintenanceRoot', REGION, CARD, FILE), command: COMMAND, data: CARD, challenge: CARD }),
  authenticateToCard: () => ({ key: path('psamControlRoot', REGION, CARD, FILE), challenge: CARD }),
  purchaseMacs: () => ({ key: path('purchaseRoot', REGION, CARD), sessionInput: OTHER, data: CARD }),
  tacs: () => ({ key: path('dataRoot', REGION, CARD), data: CARD }),
};

describe('a client cannot even say', () => {
  const AGENT_ONLY = ['transferOpen', 'transferWrap', 'transferClose', 'transferAbort', 'initialise', 'start', 'run'];
  const GENERIC = ['encrypt', 'decrypt', 'wrap', 'unwrap', 'derive', 'digest', 'getAttribute', 'setAttribute', 'copyObject', 'createObject', 'concatenate', 'extract', 'C_WrapKey', 'exportKey', 'importKey'];
  it.each([...GENERIC, ...AGENT_ONLY, 'constructor', '__proto__', ''])('%s', async (recipe) => {
    expect((await service.ask(recipe, DEVICE, { keyId: keys.dataRoot })).code).toBe('REQUEST_INVALID');
  });

  const key = (more: object): object => ({ keyId: newId(), label: 'x', keyClass: 'dataRoot', algorithm: '3des2', ...more });
  it.each([
    ['a child or root that is not sensitive', 'generateKey', () => key({ sensitive: false })],
    ['attributes of its own', 'generateKey', () => key({ template: { CKA_ENCRYPT: true } })],
    ['a derivation key that encrypts', 'generateKey', () => key({ usages: ['DERIVE', 'ENCRYPT'] })],
    ['a value', 'generateKey', () => key({ value: CARD })],
    ['a class of its own', 'generateKey', () => key({ keyClass: 'wrapping' })],
    ['a root of a signing class', 'generateKey', () => key({ keyClass: 'caSigning' })],
    ['a label with control characters', 'generateKey', () => key({ label: 'a\u0000b' })],
    ['an extractable pair', 'generateKeyPair', () => ({ keyId: newId(), label: 'x', keyClass: 'caSigning', algorithm: 'p256', extractable: true })],
    ['a pair of a root class', 'generateKeyPair', () => ({ keyId: newId(), label: 'x', keyClass: 'dataRoot', algorithm: 'p256' })],
    ['a transport key with a value of its own', 'importTestTransportKey', () => ({ keyId: newId(), label: 'x', value: CARD })],
    ['a transfer to a public key of its own', 'transfer', () => ({ keyId: keys.dataRoot, from: DEVICE, to: GENERAL, offer: { modulus: CARD, exponent: CARD } })],
    ['a weak unwrap template', 'transfer', () => ({ keyId: keys.dataRoot, from: DEVICE, to: GENERAL, template: { CKA_SENSITIVE: false } })],
    ['how to unseal', 'seal', () => ({ keyId: keys.dataRoot, extractable: true })],
    ['a signature over a bare digest', 'sign', () => ({ items: [{ keyId: keys.caSigning, purpose: 'digest', bytes: new Uint8Array(32) }] })],
    ['a destruction of many', 'destroy', () => ({ keyId: '*' })],
  ])('%s', async (_what, recipe, request) => {
    expect((await service.ask(recipe, recipe === 'transfer' ? '' : DEVICE, request())).code).toBe('REQUEST_INVALID');
  });

  it.each([['a field of the envelope', { approved: true }], ['another client', { client: 'service' }], ['no check', { unchecked: true }], ['classes of its own', { classes: ['caSigning'] }]])('%s', async (_what, envelope) => {
    expect((await service.ask('devices', '', {}, envelope)).code).toBe('REQUEST_INVALID');
  });

  it('an act that changes a device, to a group: it would run nobody knows where', async () => {
    for (const [recipe, request] of [['generateKey', key({})], ['destroy', { keyId: keys.dataRoot }], ['seal', { keyId: keys.dataRoot }]] as const) {
      expect((await service.ask(recipe, '@diversification', request)).code).toBe('HSM_REFUSED');
    }
    expect((await service.ask('destroy', '', { keyId: keys.dataRoot })).code).toBe('TOKEN_MISSING');
  });
});

describe('a card recipe', () => {
  it.each(Object.keys(GOOD) as PackedRecipe[])('%s works as it is meant', async (recipe) => {
    expect(await item(recipe, GOOD[recipe]())).toBe('ok');
  });

  const FACTORED = (Object.keys(GOOD) as PackedRecipe[]).filter((recipe) => recipe !== 'fingerprints');
  it.each(FACTORED)('%s refuses the reserved factors at every level', async (recipe) => {
    const good = GOOD[recipe]();
    for (const field of ['key', 'controlKey'] as const) {
      for (let level = 0; level < (good[field]?.factors.length ?? 0); level++) {
        for (const reserved of [ZERO, ONES]) {
          const bad = { ...good, [field]: { ...good[field], factors: good[field]?.factors.map((factor, i) => (i === level ? reserved : factor)) } };
          expect(`${field} ${level} ${await item(recipe, bad)}`).toBe(`${field} ${level} FACTOR_RESERVED`);
        }
      }
    }
  });
  it('purchaseMacs refuses a session input that makes the reserved child', async () => {
    for (const sessionInput of [ZERO, ONES]) expect(await item('purchaseMacs', { ...GOOD.purchaseMacs(), sessionInput })).toBe('FACTOR_RESERVED');
  });

  // E(K, X) ‖ E(K, ~X) is a child in clear: a level that is a parent must answer nothing else (PBOC 2.0 diversification).
  it.each([
    ['authenticateToCard', 'psamControlRoot', [0, 1, 2, 4]],
    ['commandMacs', 'psamMaintenanceRoot', [0, 1, 2, 4]],
    ['purchaseMacs', 'purchaseRoot', [0, 1, 3]],
    ['tacs', 'dataRoot', [0, 1, 3]],
    ['protectForCard', 'psamControlRoot', [0, 1, 2, 4]],
    ['authenticateToCard', 'psamTransportRoot', [0, 2]],
  ] as const)('%s with %s works at no other depth', async (recipe, keyClass, depths) => {
    for (const depth of depths) {
      const key = path(keyClass, ...[REGION, CARD, FILE, OTHER].slice(0, depth));
      expect(`${depth} ${await item(recipe, { ...GOOD[recipe](), key })}`).toBe(`${depth} KEY_PATH_DEPTH`);
      if (recipe === 'protectForCard') expect(await item(recipe, { ...GOOD[recipe](), controlKey: key })).toBe('KEY_PATH_DEPTH');
    }
  });
  it('checkValues stops below the card and never beside the reserved child', async () => {
    expect(await item('checkValues', { key: path('dataRoot', REGION, CARD, FILE, OTHER), method: 'zero3' })).toBe('KEY_PATH_DEPTH');
    expect(await item('fingerprints', { key: path('dataRoot', REGION) })).toBe('REQUEST_INVALID');
  });

  it.each([
    ['authenticateToCard', 'purchaseRoot'], ['authenticateToCard', 'dataRoot'], ['authenticateToCard', 'psamMaintenanceRoot'], ['commandMacs', 'purchaseRoot'], ['purchaseMacs', 'psamControlRoot'],
    ['purchaseMacs', 'dataRoot'], ['tacs', 'purchaseRoot'], ['tacs', 'psamControlRoot'],
  ] as const)('%s never works with a %s', async (recipe, keyClass) => {
    expect(await item(recipe, { ...GOOD[recipe](), key: path(keyClass, REGION, CARD, FILE) })).toBe('KEY_CLASS_MISMATCH');
  });

  it('protectForCard loads a key only under the control key that may bring it', async () => {
    const load = (key: object, controlKey: object): Promise<string> => item('protectForCard', { ...GOOD.protectForCard(), key, controlKey } as ItemFields);
    const [own, transport] = [path('psamControlRoot', REGION, CARD, FILE), path('psamTransportRoot', CARD)];
    expect([await load(own, transport), await load(path('purchaseRoot', REGION), own)]).toEqual(['ok', 'ok']);
    expect(await load(path('purchaseRoot', REGION), transport)).toBe('KEY_LOAD_NOT_ALLOWED');
    expect(await load(path('psamMaintenanceRoot', REGION, CARD, FILE), transport)).toBe('KEY_LOAD_NOT_ALLOWED');
    expect(await load(path('psamMaintenanceRoot', REGION, OTHER, FILE), own)).toBe('KEY_LOAD_NOT_ALLOWED');
    expect(await load(path('psamControlRoot', REGION, OTHER, FILE), own)).toBe('KEY_LOAD_NOT_ALLOWED');
    // The factory key is published: what leaves under it, anybody reads. It neither travels itself nor is a load.
    expect(await load(transport, own)).toBe('KEY_CLASS_MISMATCH');
    expect(await load(own, path('purchaseRoot', REGION, CARD, FILE))).toBe('KEY_CLASS_MISMATCH');
    expect(await load(own, path('psamMaintenanceRoot', REGION, CARD, FILE))).toBe('KEY_CLASS_MISMATCH');
  });

  it('refuses a batch that lies about itself, and one bad item refuses all', async () => {
    const batch = packBatch('tacs', [GOOD.tacs(), GOOD.tacs()]);
    const changed = (at: number, value: number): Uint8Array => batch.map((octet, i) => (i === at ? value : octet));
    expect((await raw('tacs', batch)).code).toBe('ok');
    const bad = [changed(0, 2), changed(0, 99), changed(1, 2), changed(3, 0), changed(3, 2), changed(7, 0), changed(7, 3), changed(27, 9), changed(28, 200), batch.subarray(0, -1), Buffer.concat([batch, Uint8Array.of(0)]), batch.subarray(0, 8)];
    for (const [n, each] of bad.entries()) expect(`${n} ${(await raw('tacs', each)).code}`).toBe(`${n} REQUEST_INVALID`);
    expect((await raw('purchaseMacs', batch)).code).toBe('REQUEST_INVALID');
    const mixed = await raw('tacs', packBatch('tacs', [GOOD.tacs(), { key: path('dataRoot', REGION), data: CARD }]));
    expect([mixed.code, mixed.ok]).toEqual(['KEY_PATH_DEPTH', undefined]);
  });
});

describe('a client asks for what is not its own', () => {
  const RECIPES = ['devices', 'fleet', 'deviceNote', 'inventory', 'knownAnswers', 'checkValues', 'fingerprints', 'sign', ...POLICY_RULES.filter((rule) => !rule.includes(':'))];
  const ALLOWED: Readonly<Record<string, readonly string[]>> = { worker: ['devices', 'sign'], journal: ['devices', 'sign'], doctor: ['devices', 'fleet', 'deviceNote'] };
  it.each(Object.keys(ALLOWED))('%s', async (name) => {
    const client = new RawHsmClient(rig.socketDir, name);
    for (const recipe of RECIPES.filter((each) => ALLOWED[name]?.includes(each) === false)) {
      expect(`${recipe} ${(await client.ask(recipe, DEVICE, {})).code}`).toBe(`${recipe} HSM_REFUSED`);
    }
    expect((await client.ask('devices', '', {})).code).toBe('ok');
    client.close();
  });

  it('the worker signs reports, and with no other key and nothing else', async () => {
    const worker = new RawHsmClient(rig.socketDir, 'worker');
    const sign = async (keyId: string, purpose: string, bytes: Uint8Array): Promise<string> => (await worker.ask('sign', GENERAL, { items: [{ keyId, purpose, bytes }] })).code;
    expect(await sign(keys.reportSigning, 'report', REPORT_ATTRIBUTES)).toBe('ok');
    expect(await sign(keys.caSigning, 'report', REPORT_ATTRIBUTES)).toBe('HSM_REFUSED');
    expect(await sign(keys.ocspSigning, 'report', REPORT_ATTRIBUTES)).toBe('HSM_REFUSED');
    expect(await sign(keys.reportSigning, 'report', tbsCertificate(1))).toBe('SIGN_TYPE_MISMATCH');
    // Its approvals make no right: the table is asked first.
    expect((await worker.ask('generateKey', DEVICE, { keyId: newId(), label: 'x', keyClass: 'dataRoot', algorithm: '3des2' }, { authorisation: await goodTicket('tacs') })).code).toBe('HSM_REFUSED');
    worker.close();
  });

  it('a signature of a type that its key is not for', async () => {
    const sign = async (keyId: string, purpose: string, bytes: Uint8Array): Promise<string> => (await service.ask('sign', GENERAL, { items: [{ keyId, purpose, bytes }] })).code;
    expect(await sign(keys.reportSigning, 'report', REPORT_ATTRIBUTES)).toBe('ok');
    expect(await sign(keys.caSigning, 'report', REPORT_ATTRIBUTES)).toBe('KEY_CLASS_MISMATCH');
    expect(await sign(keys.caSigning, 'tbsCrl', tbsCertificate(1))).toBe('SIGN_TYPE_MISMATCH');
    expect(await sign(keys.caSigning, 'report', tbsCertificate(1))).toBe('KEY_CLASS_MISMATCH');
    expect(await sign(keys.caSigning, 'tbsCertificate', tbsCertificate(1))).toBe('TICKET_REQUIRED');
    expect(await sign(keys.caSigning, 'tbsCertificate', tbsCertificate(1, 'ca'))).toBe('APPROVAL_REQUIRED');
    expect(await sign(keys.caSigning, 'tbsCertificate', Buffer.concat([tbsCertificate(1), ZERO]))).toBe('APPROVAL_REQUIRED');
    expect(await sign(keys.dataRoot, 'report', REPORT_ATTRIBUTES)).toBe('KEY_NOT_FOUND');
  });

  it('a sealed root, to copy it: with every approval the device itself says no', async () => {
    const keyId = newId();
    await rig.hsm.generateKey(DEVICE, { keyId, label: 'sealed', keyClass: 'dataRoot', algorithm: '3des2' });
    await rig.hsm.transfer({ keyId, from: DEVICE, to: GENERAL });
    expect(await rig.hsm.destroy(GENERAL, keyId)).toBe(1);
    await rig.hsm.seal(DEVICE, keyId);
    await expect(rig.hsm.transfer({ keyId, from: DEVICE, to: GENERAL })).rejects.toMatchObject({ code: 'HSM_ERROR', details: { ckr: 'CKR_KEY_UNEXTRACTABLE' } });
    expect((await rig.hsm.inventory(GENERAL)).filter((object) => object.keyId === keyId)).toEqual([]);
  });
});

describe('a stream that is no protocol', () => {
  const frame = (...body: number[]): Uint8Array => Uint8Array.of(0, 0, 0, body.length, ...body);
  const length = (value: number): Uint8Array => Uint8Array.of(value >>> 24, (value >> 16) & 0xff, (value >> 8) & 0xff, value & 0xff);
  it.each([
    ['a frame of nothing', length(0)],
    ['a frame without end', length(4 * 1024 * 1024 + 1)],
    ['a length of 2^32 - 1', length(-1)],
    ['bytes that are no CBOR', frame(0xff)],
    ['a map of indefinite length', frame(0xbf, 0xff)],
    ['a key twice', frame(0xa2, 0x61, 0x61, 1, 0x61, 0x61, 2)],
    ['a request without an id', frame(0xa1, 0x61, 0x61, 1)],
    ['a request that is a list', frame(0x80)],
    ['a request that is null', frame(0xf6)],
    ['a negative id', frame(0xa1, 0x62, 0x69, 0x64, 0x20)],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  ])('%s is cut off, and nobody else notices', async (_what, bytes) => {
    const attacker = new RawHsmClient(rig.socketDir, 'doctor');
    attacker.send(bytes);
    await attacker.cut;
    expect((await service.ask('devices', '', {})).code).toBe('ok');
  });
});
