import { AppError } from '#libs/platform/domain';
import { PACKED_RECIPES, type PackedRecipe } from '../domain/batch.js';
import type { KeyClass } from '../domain/key-class.js';
import type { RecipeName, RecipeRequest, SupervisorRecipe } from '../domain/recipes.js';
import { type BatchWork, runBatch } from './batch-run.js';
import type { Grant } from './key-lookup.js';
import type { TransferOffer, TransferPackage, TransferTarget } from './transfer.js';

/** What the supervisor may order: the recipes of clients that touch one device, and the steps of a transfer. */
type AgentRequests = { [R in Exclude<RecipeName, SupervisorRecipe | 'transfer' | 'escrowTrust' | PackedRecipe>]: RecipeRequest<R> } & {
  transferOpen: { keyId: string };
  transferWrap: { keyId: string; offer: TransferOffer };
  transferClose: { keyId: string; parcel: TransferPackage };
  transferAbort: object;
};
type AgentRecipe = keyof AgentRequests;

interface AgentState extends BatchWork {
  readonly testKeys: boolean;
  readonly tokenSerial: string;
  /** The target's side of the transfer that runs. */
  transferTarget: TransferTarget | undefined;
}

/*
 * Set-up and signing are loaded when they are first asked for: most agents serve card recipes and nothing else, and each
 * pays for what it loads.
 */
const making = (): Promise<typeof import('./key-making.js')> => import('./key-making.js');
const transfer = (): Promise<typeof import('./transfer.js')> => import('./transfer.js');
const recovery = (): Promise<typeof import('./escrow-recover.js')> => import('./escrow-recover.js');
const target = async (state: AgentState): Promise<TransferTarget> => (state.transferTarget ??= new (await transfer()).TransferTarget());

/** A new key is fingerprinted at once: the record begins with its birth and not with its first use. */
const RUN: { readonly [R in AgentRecipe]: (state: AgentState, request: AgentRequests[R], grant: Grant, online: boolean) => Promise<unknown> } = {
  generateKey: async ({ token, directory }, request, grant) => {
    (await making()).generateKey(token, request, grant);
    await directory.root(request.keyId, grant);
  },
  generateKeyPair: async ({ token, directory }, request, grant) => {
    const made = (await making()).generateKeyPair(token, request, grant);
    await directory.signing(request.keyId, grant);
    return made;
  },
  importTestTransportKey: async ({ token, directory, testKeys }, request, grant) => {
    (await making()).importTestTransportKey(token, request, grant, testKeys);
    await directory.root(request.keyId, grant);
  },
  seal: async ({ token }, request, grant) => (await making()).seal(token, request, grant),
  sign: async (state, request, grant, online) => (await import('./signing.js')).sign(state, request, grant, online),
  destroy: async ({ token, directory }, request, grant) => {
    const { destroy } = await making();
    directory.forget([request.keyId]);
    const count = destroy(token, request, grant);
    directory.destroyed(request.keyId);
    return count;
  },
  escrowSplit: async (state, request, grant) => (await import('./escrow-split.js')).escrowSplit(state, state.tokenSerial, request, grant),
  escrowTarget: async ({ token }, request) => (await recovery()).escrowTarget(token, request),
  escrowRecover: async (state, request, grant) => (await recovery()).escrowRecover(state, request, grant),
  escrowAbort: async ({ token }, request) => (await recovery()).escrowAbort(token, request),
  inventory: async ({ token }) => (await making()).inventory(token),
  knownAnswers: async (state, _request, _grant, online) => (await import('./known-answer-run.js')).knownAnswers(state, state.testKeys, online),
  transferOpen: async (state, { keyId }) => (await target(state)).open(state.token, keyId),
  transferWrap: async ({ token }, { keyId, offer }, grant) => (await transfer()).wrapForTransfer(token, keyId, offer, grant),
  transferClose: async (state, { keyId, parcel }, grant) => {
    await (await target(state)).close(state.token, keyId, parcel, grant);
    await state.directory.root(keyId, grant);
  },
  transferAbort: async ({ token, transferTarget }) => transferTarget?.abort(token),
};

const isPacked = (recipe: string): recipe is PackedRecipe => (PACKED_RECIPES as readonly string[]).includes(recipe);

export class RecipeRunner {
  readonly #state: AgentState;

  constructor(work: BatchWork, testKeys: boolean, tokenSerial: string) {
    this.#state = { ...work, testKeys, tokenSerial, transferTarget: undefined };
  }

  /** The supervisor has parsed `request` by the recipe's schema. Throws AppError, Pkcs11Error or ExecutorError. */
  async run(recipe: string, request: unknown, classes: readonly KeyClass[], online: boolean): Promise<unknown> {
    const grant: Grant = { recipe, classes };
    if (isPacked(recipe)) return runBatch(this.#state, recipe, (request as { batch: Uint8Array }).batch, grant, online);
    if (!Object.hasOwn(RUN, recipe)) throw new AppError('HSM_REFUSED', { reason: recipe });
    const run = RUN[recipe as AgentRecipe] as (state: AgentState, request: unknown, grant: Grant, online: boolean) => Promise<unknown>;
    return run(this.#state, request, grant, online);
  }
}
