import { AppError } from '#libs/platform/domain';
import type { KeyClass } from '../domain/key-class.js';
import type { RecipeName, RecipeRequest } from '../domain/recipes.js';
import { authenticateToCard, commandMacs, protectForCard, purchaseMacs } from './card-recipes.js';
import { checkValues, fingerprints } from './check-values.js';
import type { Grant } from './key-lookup.js';
import { destroy, generateKey, generateKeyPair, importTestTransportKey, inventory, seal } from './key-making.js';
import { knownAnswers } from './known-answer-run.js';
import { sign } from './signing.js';
import type { Token } from './token.js';
import { type TransferOffer, type TransferPackage, TransferTarget, wrapForTransfer } from './transfer.js';

/** What the supervisor may order: the recipes of clients that touch one device, and the steps of a transfer. */
type AgentRequests = { [R in Exclude<RecipeName, 'devices' | 'transfer'>]: RecipeRequest<R> } & {
  transferOpen: { keyId: string };
  transferWrap: { keyId: string; offer: TransferOffer };
  transferClose: { keyId: string; parcel: TransferPackage };
  transferAbort: object;
};
type AgentRecipe = keyof AgentRequests;

interface AgentState {
  readonly token: Token;
  readonly transferTarget: TransferTarget;
  readonly testKeys: boolean;
}

const RUN: { readonly [R in AgentRecipe]: (state: AgentState, request: AgentRequests[R], grant: Grant) => unknown } = {
  generateKey: ({ token }, request, grant) => generateKey(token, request, grant),
  generateKeyPair: ({ token }, request, grant) => generateKeyPair(token, request, grant),
  importTestTransportKey: ({ token, testKeys }, request, grant) => importTestTransportKey(token, request, grant, testKeys),
  seal: ({ token }, request, grant) => seal(token, request, grant),
  checkValues: ({ token }, request, grant) => checkValues(token, request, grant),
  fingerprints: ({ token }, request, grant) => fingerprints(token, request, grant),
  protectForCard: ({ token }, request, grant) => protectForCard(token, request, grant),
  commandMacs: ({ token }, request, grant) => commandMacs(token, request, grant),
  authenticateToCard: ({ token }, request, grant) => authenticateToCard(token, request, grant),
  purchaseMacs: ({ token }, request, grant) => purchaseMacs(token, request, grant),
  sign: ({ token }, request, grant) => sign(token, request, grant),
  destroy: ({ token }, request, grant) => destroy(token, request, grant),
  inventory: ({ token }) => inventory(token),
  knownAnswers: ({ token }) => knownAnswers(token),
  transferOpen: ({ token, transferTarget }, { keyId }) => transferTarget.open(token, keyId),
  transferWrap: ({ token }, { keyId, offer }, grant) => wrapForTransfer(token, keyId, offer, grant),
  transferClose: ({ token, transferTarget }, { keyId, parcel }, grant) => transferTarget.close(token, keyId, parcel, grant),
  transferAbort: ({ token, transferTarget }) => transferTarget.abort(token),
};

export class RecipeRunner {
  readonly #state: AgentState;

  constructor(token: Token, testKeys: boolean) {
    this.#state = { token, testKeys, transferTarget: new TransferTarget() };
  }

  /** The supervisor has parsed `request` by the recipe's schema. Runs synchronously. Throws AppError or Pkcs11Error. */
  run(recipe: string, request: unknown, classes: readonly KeyClass[]): unknown {
    if (!Object.hasOwn(RUN, recipe)) throw new AppError('HSM_REFUSED', { reason: recipe });
    const run = RUN[recipe as AgentRecipe] as (state: AgentState, request: unknown, grant: Grant) => unknown;
    return run(this.#state, request, { recipe, classes }) ?? null;
  }
}
