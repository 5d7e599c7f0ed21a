import { AppError, equalBytes } from '#libs/platform/domain';
import { packBatch, readAnswers } from '../domain/batch.js';
import { ALL_KEY_CLASSES } from '../domain/class-rules.js';
import type { KeyClass } from '../domain/key-class.js';
import type { RecipeRequest } from '../domain/recipes.js';
import type { DeviceAgent } from './device-agent.js';

/** Copies of roots from device to device. A target holds one open transfer: the next waits for it. */
export class Transfers {
  readonly #running = new Map<string, Promise<unknown>>();

  constructor(private readonly agents: ReadonlyMap<string, DeviceAgent>) {}

  run(request: RecipeRequest<'transfer'>, classes: readonly KeyClass[]): Promise<null> {
    const before = this.#running.get(request.to) ?? Promise.resolve();
    const transfer = before.then(() => this.#transfer(request, classes));
    this.#running.set(request.to, transfer.catch(() => undefined));
    return transfer;
  }

  /**
   * Target makes a session pair → source wraps a fresh AES key to it and the root under that → target unwraps → both
   * compute the fingerprint. A copy that differs is destroyed.
   */
  async #transfer({ keyId, from, to }: RecipeRequest<'transfer'>, classes: readonly KeyClass[]): Promise<null> {
    const [source, target] = [this.agents.get(from), this.agents.get(to)];
    if (source === undefined || target === undefined) throw new AppError('TOKEN_MISSING', { device: source === undefined ? from : to });
    const offer = await target.run('transferOpen', { keyId }, classes);
    let parcel: unknown;
    try {
      parcel = await source.run('transferWrap', { keyId, offer }, classes);
    } catch (error) {
      await target.run('transferAbort', {}, classes).catch(() => undefined);
      throw error;
    }
    await target.run('transferClose', { keyId, parcel }, classes);
    target.keys.add(keyId);
    const [here, there] = await Promise.all([source, target].map((agent) => fingerprint(agent, keyId)));
    if (!equalBytes(here as Uint8Array, there as Uint8Array)) {
      await target.run('destroy', { keyId }, classes);
      target.keys.delete(keyId);
      throw new AppError('HSM_ANSWER_WRONG', { device: to, what: `copy of ${keyId}` });
    }
    return null;
  }
}

async function fingerprint(agent: DeviceAgent, keyId: string): Promise<Uint8Array> {
  const batch = packBatch('fingerprints', [{ key: { keyId, factors: [] } }]);
  return readAnswers(agent.name, (await agent.run('fingerprints', { batch }, ALL_KEY_CLASSES)) as Uint8Array, 1)[0] as Uint8Array;
}
