import { join } from 'node:path';
import { AskingAuthoriser, type KeyObject, SupervisorHsm } from '#libs/hsm';
import type { Rig } from '../../../apps/cli/src/demo/context.js';
import { rewrite } from './spoil.js';

const CLASSES = { 'psam-control': 'psamControlRoot', 'psam-maintenance': 'psamMaintenanceRoot', purchase: 'purchaseRoot', data: 'dataRoot', 'data-aes': 'dataRoot' } as const;

/** Published vectors with another last digit, and every root replaced in both tokens by a key that is not its copy. */
export const rig: Rig = {
  async afterKeys(demo) {
    rewrite(demo.vectors('diversification.json'), (text) => text.replace(/("expected": "[0-9A-F]*)([0-9A-F])"/g, (_all, head: string, last: string) => `${head}${last === '0' ? '1' : '0'}"`));
    // Also a rig needs approvals: nothing else gets a sealed root destroyed.
    const terms = { client: 'service', ticketCount: 1, ticketHours: 1, requestMinutes: 5 };
    const authoriser = new AskingAuthoriser(terms, (subject) => demo.quorum.approve(subject));
    const hsm = new SupervisorHsm(join(demo.state.home, 'run', 'hsm', 'service.sock'), { authoriser });
    const keys = await demo.client.call<{ keyId: string; label: string }[]>('keys.list');
    for (const [name, keyClass] of Object.entries(CLASSES) as [keyof typeof CLASSES, (typeof CLASSES)[keyof typeof CLASSES]][]) {
      const label = `demo${demo.series}/${name}`;
      const keyId = keys.find((key) => key.label === label)?.keyId ?? '';
      for (const device of ['general-1', 'diversification-1']) {
        const found: KeyObject[] = await hsm.inventory(device);
        if (!found.some((object) => object.keyId === keyId)) throw new Error(`${label} is not in ${device}`);
        await hsm.destroy(device, keyId);
        await hsm.generateKey(device, { keyId, label, keyClass, algorithm: name === 'data-aes' ? 'aes128' : '3des2' });
      }
    }
    hsm.close();
  },
};

/** Rows that must fail, and no others. */
export const fails = [/^knownAnswer\./, /^root\./, /^diversify\./];
