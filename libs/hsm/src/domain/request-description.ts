import { hash } from 'node:crypto';
import { readBatch } from './batch.js';
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

const DESCRIBE: { readonly [R in RecipeName]?: (request: RecipeRequest<R>) => RequestDescription } = {
  generateKey: ({ keyId, ...rest }) => ({ keys: [keyId], parameters: rest, count: 1 }),
  generateKeyPair: ({ keyId, ...rest }) => ({ keys: [keyId], parameters: rest, count: 1 }),
  importTestTransportKey: ({ keyId, label }) => ({ keys: [keyId], parameters: { label }, count: 1 }),
  transfer: ({ keyId, from, to }) => ({ keys: [keyId], parameters: { from, to }, count: 1 }),
  seal: ({ keyId }) => ({ keys: [keyId], parameters: {}, count: 1 }),
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
    parameters: { sha256: items.map(({ keyId, purpose, bytes }) => `${keyId} ${purpose} ${hash('sha256', bytes, 'hex').toUpperCase()}`) },
    count: items.length,
  }),
};
