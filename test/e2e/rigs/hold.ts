import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AskingAuthoriser, SupervisorHsm } from '#libs/hsm';
import { fromHex, writeFileAtomic } from '#libs/platform';
import type { Rig } from '../../../apps/cli/src/demo/context.js';

/** What the test that searches memories is told, in `held.json` of the state folder. */
export interface Held {
  readonly keys: readonly { readonly label: string; readonly keyClass: string; readonly algorithm: string; readonly kcv: string | null }[];
  /** Label → check value of the key at `FACTORS`. */
  readonly cards: Readonly<Record<string, string>>;
}

/** Region and card, and what a purchase and a TAC are computed over. */
export const FACTORS = ['3131303030307378', '1100000000000001'] as const;
export const SESSION_INPUT = '0102030400050006';
const DATA = fromHex('0000000100000000');
const LOOK_MS = 50;

/**
 * Not a spoiled demo: it has the devices compute with keys at every level, makes a key whose label stands in `marker`, writes `held.json`
 * and waits for a file `go` while somebody looks at the processes.
 */
export const rig: Rig = {
  async beforeClosing(demo) {
    const { client, state, quorum } = demo;
    const authoriser = new AskingAuthoriser({ client: 'service', ticketCount: 100, ticketHours: 1, requestMinutes: 5 }, (subject) => quorum.approve(subject));
    const hsm = new SupervisorHsm(join(state.home, 'run', 'hsm', 'service.sock'), { authoriser });
    const keys = (await client.call<Held['keys'][number] & { keyId: string }[]>('keys.list')) as unknown as (Held['keys'][number] & { keyId: string })[];
    const factors = FACTORS.map((factor) => fromHex(factor));
    const cards: Record<string, string> = {};
    for (const { label, keyId, keyClass, algorithm } of keys) {
      if (!/\/(psam-control|psam-maintenance|purchase|data|data-aes)$/.test(label)) continue;
      cards[label] = await client.call<string>('keys.childCheckValue', { label, factors: FACTORS, device: 'diversification-1' });
      const key = { keyId, factors };
      if (keyClass === 'purchaseRoot') await hsm.purchaseMacs('diversification-1', [{ key, sessionInput: fromHex(SESSION_INPUT), data: DATA }]);
      if (keyClass === 'dataRoot' && algorithm === '3des2') await hsm.tacs('diversification-1', [{ key, data: DATA }]);
    }
    hsm.close();
    await client.call('keys.generateRoot', { label: readFileSync(join(state.home, 'marker'), 'utf8'), keyClass: 'dataRoot', algorithm: '3des2', device: 'general-1' });
    writeFileAtomic(join(state.home, 'held.json'), JSON.stringify({ keys, cards } satisfies Held));
    while (!existsSync(join(state.home, 'go'))) await new Promise((next) => setTimeout(next, LOOK_MS));
  },
};
