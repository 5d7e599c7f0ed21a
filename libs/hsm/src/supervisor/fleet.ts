import { AppError, equalBytes } from '#libs/platform';
import type { KeyClass } from '../domain/key-class.js';
import { allowedClasses, type Client } from '../domain/policy.js';
import { type ClientRequest, RECIPES, type RecipeRequest } from '../domain/recipes.js';
import type { DeviceAgent } from './device-agent.js';

/** All devices of this host behind the policy: what a client asked becomes orders to agents. */
export class Fleet {
  readonly #transfers = new Map<string, Promise<unknown>>();

  constructor(private readonly agents: ReadonlyMap<string, DeviceAgent>) {}

  /** Throws HSM_REFUSED by the policy, REQUEST_INVALID by the schema, and what the device answers. */
  async run(client: Client, { recipe, device, request }: ClientRequest): Promise<unknown> {
    const classes = allowedClasses(client, recipe);
    if (classes === undefined) throw new AppError('HSM_REFUSED', { reason: `${recipe} by ${client}` });
    const parsed = RECIPES[recipe].safeParse(request);
    if (!parsed.success) throw new AppError('REQUEST_INVALID', { reason: `${recipe}: ${reasonOf(parsed.error)}` });
    if (recipe === 'devices') return [...this.agents.values()].map((agent) => agent.status());
    if (recipe === 'transfer') return this.#queueTransfer(parsed.data as RecipeRequest<'transfer'>, classes);
    return this.#agent(device).run(recipe, parsed.data, classes);
  }

  #agent(device: string): DeviceAgent {
    const agent = this.agents.get(device);
    if (agent === undefined) throw new AppError('TOKEN_MISSING', { device });
    return agent;
  }

  /** A target holds one open transfer: the next waits for it. */
  #queueTransfer(request: RecipeRequest<'transfer'>, classes: readonly KeyClass[]): Promise<null> {
    const before = this.#transfers.get(request.to) ?? Promise.resolve();
    const transfer = before.then(() => this.#transfer(request, classes));
    this.#transfers.set(request.to, transfer.catch(() => undefined));
    return transfer;
  }

  /**
   * Target makes a session pair → source wraps a fresh AES key to it and the root under that → target unwraps → both
   * compute the fingerprint. A copy that differs is destroyed.
   */
  async #transfer({ keyId, from, to }: RecipeRequest<'transfer'>, classes: readonly KeyClass[]): Promise<null> {
    if (from === to) throw new AppError('HSM_REFUSED', { reason: 'transfer to the same device' });
    const [source, target] = [this.#agent(from), this.#agent(to)];
    const offer = await target.run('transferOpen', { keyId }, classes);
    let parcel: unknown;
    try {
      parcel = await source.run('transferWrap', { keyId, offer }, classes);
    } catch (error) {
      await target.run('transferAbort', {}, classes).catch(() => undefined);
      throw error;
    }
    await target.run('transferClose', { keyId, parcel }, classes);
    const [here, there] = await Promise.all([source, target].map((agent) => agent.run('fingerprints', { keyIds: [keyId] }, classes) as Promise<Uint8Array[]>));
    if (!equalBytes(here?.[0] as Uint8Array, there?.[0] as Uint8Array)) {
      await target.run('destroy', { keyId }, classes);
      throw new AppError('HSM_ANSWER_WRONG', { device: to, what: `copy of ${keyId}` });
    }
    return null;
  }
}

function reasonOf(error: { issues: readonly { path: PropertyKey[]; message: string }[] }): string {
  const [first] = error.issues;
  return first === undefined ? '-' : `${first.path.map(String).join('.') || '(root)'}: ${first.message}`;
}
