import { describe, expect, it } from '@jest/globals';
import { escrowOf } from '../../../../test/builders/escrow-package.js';
import { ClientRequest, RECIPES, type RecipeName, SupervisorReply } from './recipes.js';

const keyId = '0123456789ABCDEF0123456789ABCDEF';
const bytes = (length: number): Uint8Array => new Uint8Array(length).fill(1);

const GOOD: { readonly [R in RecipeName]: object } = {
  devices: {},
  fleet: {},
  deviceNote: { device: 'general-1', step: 'patrol', by: 'duty', note: 'seals intact' },
  pinQuestions: {},
  pinAnswer: { device: 'general-1', tokenSerial: 'A1', pinId: keyId, answer: 'leave' },
  policyChain: {},
  addPolicy: { signed: '{}' },
  stop: { rule: 'sign:certificate' },
  start: { rule: 'tacs' },
  inventory: {},
  knownAnswers: {},
  generateKey: { keyId, label: '根密钥/1', keyClass: 'dataRoot', algorithm: 'aes128' },
  generateKeyPair: { keyId, label: 'ca', keyClass: 'caSigning', algorithm: 'p256' },
  importTestTransportKey: { keyId, label: 'transport' },
  transfer: { keyId, from: 'general-1', to: 'diversification-1' },
  seal: { keyId },
  escrowTrust: { keys: [{ algorithm: 'rsaOaep', publicKey: bytes(400) }] },
  escrowSplit: { keyId, splitId: keyId, m: 2, custodians: [1, 2].map((index) => ({ index, algorithm: 'sm2', publicKey: bytes(91) })) },
  escrowTarget: { splitId: keyId, algorithm: 'sm2' },
  escrowRecover: { keyId, escrow: escrowOf(2, 3), shares: [{ index: 1, wrapped: bytes(256) }, { index: 3, wrapped: bytes(256) }] },
  escrowAbort: { splitId: keyId },
  destroy: { keyId },
  checkValues: { batch: bytes(64) },
  fingerprints: { batch: bytes(64) },
  protectForCard: { batch: bytes(64) },
  commandMacs: { batch: bytes(64) },
  authenticateToCard: { batch: bytes(64) },
  purchaseMacs: { batch: bytes(64) },
  tacs: { batch: bytes(64) },
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
    ['checkValues', 'a batch that is no Uint8Array', { batch: '00' }],
    ['fingerprints', 'a batch of nothing', { batch: bytes(0) }],
    ['sign', 'an unknown purpose', { items: [{ keyId, purpose: 'anything', bytes: bytes(10) }] }],
    ['stop', 'a rule that is none by its form', { rule: 'tacs now' }],
    ['addPolicy', 'a policy that is no text', { signed: {} }],
    ['escrowSplit', 'an opening by one', { ...GOOD.escrowSplit, m: 1 }],
    ['escrowSplit', 'a custodian that brings a value', { ...GOOD.escrowSplit, custodians: [1, 2].map((index) => ({ index, algorithm: 'sm2', publicKey: bytes(91), value: bytes(32) })) }],
    ['escrowSplit', 'eight custodians', { ...GOOD.escrowSplit, custodians: [1, 2, 3, 4, 5, 6, 7, 7].map((index) => ({ index, algorithm: 'sm2', publicKey: bytes(91) })) }],
    ['escrowTarget', 'a public key of its own', { ...GOOD.escrowTarget, publicKey: bytes(400) }],
    ['escrowRecover', 'a template', { ...GOOD.escrowRecover, template: { CKA_SENSITIVE: false } }],
    ['escrowRecover', 'a share without its custodian', { ...GOOD.escrowRecover, shares: [{ wrapped: bytes(256) }] }],
    ['transfer', 'a device name with a path', { keyId, from: '../x', to: 'general-1' }],
  ])('%s refuses %s', (recipe, _, request) => {
    expect(RECIPES[recipe].safeParse(request).success).toBe(false);
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
