import { hash } from 'node:crypto';
import { readBatch } from './batch.js';
import { escrowDigest, keyDigestOf } from './escrow.js';
import type { RecipeName, RecipeRequest } from './recipes.js';

/** What approvers read and sign of a request, beside who asks and where: the keys it touches, and exactly what will be done. */
export interface RequestDescription {
  readonly keys: readonly string[];
  readonly parameters: Readonly<Record<string, string | readonly string[]>>;
  /** Operations that a ticket is charged with. */
  readonly count: number;
}

/** The parsed request of any recipe, described. Both ends compute it: the client to ask, the supervisor to compare. */
export function describeRequest(recipe: RecipeName, request: unknown): RequestDescription {
  const describe = DESCRIBE[recipe as keyof typeof DESCRIBE] as ((request: unknown) => RequestDescription) | undefined;
  return describe?.(request) ?? { keys: [], parameters: {}, count: 1 };
}

const packed = (request: { readonly batch: Uint8Array }): RequestDescription => {
  const { keyIds, itemCount } = readBatch(request.batch);
  return { keys: [...keyIds].sort(), parameters: {}, count: itemCount };
};

const sha256 = (bytes: Uint8Array): string => hash('sha256', bytes, 'hex').toUpperCase();
const wrappingKey = ({ algorithm, publicKey }: { readonly algorithm: string; readonly publicKey: Uint8Array }): string => `${algorithm} ${keyDigestOf(publicKey)}`;

const DESCRIBE: { readonly [R in RecipeName]?: (request: RecipeRequest<R>) => RequestDescription } = {
  generateKey: ({ keyId, ...rest }) => ({ keys: [keyId], parameters: rest, count: 1 }),
  generateKeyPair: ({ keyId, ...rest }) => ({ keys: [keyId], parameters: rest, count: 1 }),
  importTestTransportKey: ({ keyId, label }) => ({ keys: [keyId], parameters: { label }, count: 1 }),
  transfer: ({ keyId, from, to }) => ({ keys: [keyId], parameters: { from, to }, count: 1 }),
  seal: ({ keyId }) => ({ keys: [keyId], parameters: {}, count: 1 }),
  escrowTrust: ({ keys }) => ({ keys: [], parameters: { trusted: keys.map(wrappingKey) }, count: 1 }),
  escrowSplit: ({ keyId, splitId, m, custodians }) => ({
    keys: [keyId],
    parameters: { splitId, quorum: `${m} of ${custodians.length}`, custodians: custodians.map((each) => `${each.index} ${wrappingKey(each)}`) },
    count: 1,
  }),
  escrowTarget: ({ splitId, algorithm }) => ({ keys: [], parameters: { splitId, algorithm }, count: 1 }),
  escrowRecover: ({ keyId, escrow, shares }) => ({
    keys: [keyId],
    parameters: { splitId: escrow.splitId, quorum: `${escrow.m} of ${escrow.n}`, package: escrowDigest(escrow), shares: shares.map(({ index, wrapped }) => `${index} ${sha256(wrapped)}`) },
    count: 1,
  }),
  destroy: ({ keyId }) => ({ keys: [keyId], parameters: {}, count: 1 }),
  start: ({ rule }) => ({ keys: [], parameters: { rule }, count: 1 }),
  checkValues: packed,
  fingerprints: packed,
  protectForCard: packed,
  commandMacs: packed,
  authenticateToCard: packed,
  purchaseMacs: packed,
  tacs: packed,
  sign: ({ items }) => ({
    keys: [...new Set(items.map(({ keyId }) => keyId))].sort(),
    parameters: { sha256: items.map(({ keyId, purpose, bytes }) => `${keyId} ${purpose} ${sha256(bytes)}`) },
    count: items.length,
  }),
};
