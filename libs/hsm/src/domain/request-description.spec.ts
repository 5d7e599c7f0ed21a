import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { ascii, canonicalJson } from '#libs/platform/domain';
import { escrowOf } from '../../../../test/builders/escrow-package.js';
import { authorityOf } from './authority.js';
import { packBatch } from './batch.js';
import { type RecipeName, RECIPES } from './recipes.js';
import { describeRequest } from './request-description.js';

const [K1, K2] = ['11'.repeat(16), '22'.repeat(16)];
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex').toUpperCase();
const factors = [new Uint8Array(8).fill(1)];

const wrapping = (octet: number) => ({ algorithm: 'rsaOaep' as const, publicKey: Uint8Array.of(octet) });

/** One request of each recipe that a quorum decides on, another value for each of its fields, and what approvers read. */
const PRIVILEGED = {
  generateKey: [{ keyId: K1, label: 'a', keyClass: 'dataRoot', algorithm: '3des2' }, { keyId: K2, label: 'b', keyClass: 'purchaseRoot', algorithm: 'sm4' }],
  generateKeyPair: [{ keyId: K1, label: 'a', keyClass: 'caSigning', algorithm: 'p256' }, { keyId: K2, label: 'b', keyClass: 'reportSigning', algorithm: 'sm2' }],
  importTestTransportKey: [{ keyId: K1, label: 'a' }, { keyId: K2, label: 'b' }],
  transfer: [{ keyId: K1, from: 'a', to: 'b' }, { keyId: K2, from: 'c', to: 'd' }],
  seal: [{ keyId: K1 }, { keyId: K2 }],
  escrowTrust: [{ keys: [wrapping(1)] }, { keys: [wrapping(1), wrapping(2)] }],
  escrowSplit: [
    { keyId: K1, splitId: K1, m: 2, custodians: [{ index: 1, ...wrapping(1) }, { index: 2, ...wrapping(2) }] },
    { keyId: K2, splitId: K2, m: 3, custodians: [{ index: 2, ...wrapping(1) }, { index: 1, ...wrapping(2) }] },
  ],
  escrowTarget: [{ splitId: K1, algorithm: 'rsaOaep' }, { splitId: K2, algorithm: 'sm2' }],
  escrowRecover: [
    { keyId: K1, escrow: escrowOf(2, 3), shares: [{ index: 1, wrapped: Uint8Array.of(1) }] },
    { keyId: K2, escrow: { ...escrowOf(2, 3), tokenSerial: 'A2' }, shares: [{ index: 1, wrapped: Uint8Array.of(2) }] },
  ],
  destroy: [{ keyId: K1 }, { keyId: K2 }],
  start: [{ rule: 'tacs' }, { rule: 'seal' }],
} as const satisfies Partial<Record<RecipeName, readonly [object, object]>>;

const text = (recipe: RecipeName, request: unknown): string => Buffer.from(canonicalJson(describeRequest(recipe, request) as never)).toString();

describe('describeRequest', () => {
  it.each(Object.entries(PRIVILEGED) as [RecipeName, readonly [Record<string, unknown>, Record<string, unknown>]][])('%s: every field changes the description', (recipe, [one, two]) => {
    expect(Object.keys(one).sort()).toEqual(Object.keys(RECIPES[recipe].shape).sort());
    for (const [field, value] of Object.entries(two)) expect([field, text(recipe, { ...one, [field]: value })]).not.toEqual([field, text(recipe, one)]);
    expect(describeRequest(recipe, one)).toMatchObject({ keys: 'keyId' in one ? [K1] : [], count: 1 });
  });

  it('covers every recipe that needs approvals or a ticket', () => {
    const unsaid = (Object.keys(RECIPES) as RecipeName[]).filter((recipe) => recipe !== 'sign' && authorityOf(recipe, {}).authority === 'approvals' && !Object.hasOwn(PRIVILEGED, recipe));
    expect(unsaid).toEqual([]);
  });

  it('a batch: its keys in one order, and what a ticket is charged', () => {
    const tac = (keyId: string) => ({ key: { keyId, factors: [...factors, ...factors] }, data: new Uint8Array(16) });
    const batch = packBatch('tacs', [tac(K2), tac(K1), tac(K2)]);
    expect(describeRequest('tacs', { batch })).toEqual({ keys: [K1, K2], parameters: {}, count: 3 });
  });

  it('a signature: the digest of each item under its key and purpose, in order', () => {
    const items = [
      { keyId: K2, purpose: 'tbsCertificate', bytes: ascii('one') },
      { keyId: K1, purpose: 'tbsCertificate', bytes: ascii('two') },
      { keyId: K2, purpose: 'report', bytes: ascii('three') },
    ];
    expect(describeRequest('sign', { items })).toEqual({
      keys: [K1, K2],
      parameters: { sha256: [`${K2} tbsCertificate ${sha256('one')}`, `${K1} tbsCertificate ${sha256('two')}`, `${K2} report ${sha256('three')}`] },
      count: 3,
    });
  });

  it('nothing for what is free', () => {
    expect(describeRequest('devices', {})).toEqual({ keys: [], parameters: {}, count: 1 });
  });
});
