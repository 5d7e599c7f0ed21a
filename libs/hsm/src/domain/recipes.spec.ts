import { describe, expect, it } from '@jest/globals';
import { BATCH_MOST, ClientRequest, RECIPES, type RecipeName, SupervisorReply } from './recipes.js';

const keyId = '0123456789ABCDEF0123456789ABCDEF';
const bytes = (length: number): Uint8Array => new Uint8Array(length).fill(1);
const key = { keyId, factors: [bytes(8)] };

const GOOD: { readonly [R in RecipeName]: object } = {
  devices: {},
  inventory: {},
  knownAnswers: {},
  generateKey: { keyId, label: '根密钥/1', keyClass: 'dataRoot', algorithm: 'aes128' },
  generateKeyPair: { keyId, label: 'ca', keyClass: 'caSigning', algorithm: 'p256' },
  importTestTransportKey: { keyId, label: 'transport' },
  transfer: { keyId, from: 'general-1', to: 'diversification-1' },
  seal: { keyId },
  destroy: { keyId },
  checkValues: { items: [{ key, method: 'zero3' }] },
  fingerprints: { keyIds: [keyId] },
  protectForCard: { items: [{ key, controlKey: key, header: bytes(8), command: bytes(4), challenge: bytes(8) }] },
  commandMacs: { items: [{ key, command: bytes(4), data: bytes(0), challenge: bytes(4) }] },
  authenticateToCard: { items: [{ key, challenge: bytes(8) }] },
  purchaseMacs: { items: [{ key, sessionInput: bytes(8), data: bytes(18) }] },
  sign: { items: [{ keyId, purpose: 'report', bytes: bytes(100) }] },
};

describe('recipe requests', () => {
  it.each(Object.entries(GOOD))('%s: a good request passes, an extra field does not', (recipe, request) => {
    const schema = RECIPES[recipe as RecipeName];
    expect(schema.safeParse(request).success).toBe(true);
    expect(schema.safeParse({ ...request, extra: 1 }).success).toBe(false);
    expect(schema.safeParse(null).success).toBe(false);
  });

  it.each<[RecipeName, string, object]>([
    ['generateKey', 'a signing class', { ...GOOD.generateKey, keyClass: 'caSigning' }],
    ['generateKey', 'a lower-case key id', { ...GOOD.generateKey, keyId: keyId.toLowerCase() }],
    ['generateKey', 'a control character in the label', { ...GOOD.generateKey, label: 'a\nb' }],
    ['generateKeyPair', 'a diversification class', { ...GOOD.generateKeyPair, keyClass: 'dataRoot' }],
    ['checkValues', 'a factor of 7 bytes', { items: [{ key: { keyId, factors: [bytes(7)] }, method: 'zero3' }] }],
    ['checkValues', 'a factor that is no Uint8Array', { items: [{ key: { keyId, factors: ['12345678'] }, method: 'zero3' }] }],
    ['checkValues', 'four levels', { items: [{ key: { keyId, factors: [1, 2, 3, 4].map(() => bytes(8)) }, method: 'zero3' }] }],
    ['checkValues', 'an unknown method', { items: [{ key, method: 'zero16' }] }],
    ['fingerprints', 'an empty batch', { keyIds: [] }],
    ['fingerprints', 'a batch that is too large', { keyIds: Array.from({ length: BATCH_MOST + 1 }, () => keyId) }],
    ['protectForCard', 'a challenge of 5 bytes', { items: [{ key, controlKey: key, header: bytes(8), command: bytes(4), challenge: bytes(5) }] }],
    ['protectForCard', 'no header', { items: [{ key, controlKey: key, header: bytes(0), command: bytes(4), challenge: bytes(4) }] }],
    ['commandMacs', 'data beyond an APDU', { items: [{ key, command: bytes(4), data: bytes(252), challenge: bytes(4) }] }],
    ['sign', 'an unknown purpose', { items: [{ keyId, purpose: 'anything', bytes: bytes(10) }] }],
    ['transfer', 'a device name with a path', { keyId, from: '../x', to: 'general-1' }],
  ])('%s refuses %s', (recipe, _, request) => {
    expect(RECIPES[recipe].safeParse(request).success).toBe(false);
  });

  it('a batch of the largest size passes', () => {
    expect(RECIPES.fingerprints.safeParse({ keyIds: Array.from({ length: BATCH_MOST }, () => keyId) }).success).toBe(true);
  });
});

describe('envelopes', () => {
  it.each([
    [{ id: 1, recipe: 'sign', device: 'general-1', request: {} }, true],
    [{ id: 1, recipe: 'devices', device: '', request: {} }, true],
    [{ id: -1, recipe: 'devices', device: '', request: {} }, false],
    [{ id: 1.5, recipe: 'devices', device: '', request: {} }, false],
    [{ id: 1, recipe: 'decrypt', device: 'general-1', request: {} }, false],
    [{ id: 1, recipe: '__proto__', device: 'general-1', request: {} }, false],
    [{ id: 1, recipe: 'sign', device: 'general-1', request: {}, client: 'service' }, false],
  ])('request %#', (envelope, good) => {
    expect(ClientRequest.safeParse(envelope).success).toBe(good);
  });

  it('a reply is an answer or an error, not both', () => {
    expect(SupervisorReply.safeParse({ id: 1, ok: null }).success).toBe(true);
    expect(SupervisorReply.safeParse({ id: 1, error: { code: 'HSM_TIMEOUT', details: { device: 'a' } } }).success).toBe(true);
    expect(SupervisorReply.safeParse({ id: 1, ok: 1, error: { code: 'X', details: {} } }).success).toBe(false);
  });
});
