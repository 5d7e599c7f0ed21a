import type { KeyObject } from '#libs/hsm';
import type { Demo, Rig } from '../../../apps/cli/src/demo/context.js';
import { DIVERSIFICATION } from '../../../apps/cli/src/demo/context.js';
import { rewrite } from './spoil.js';

const otherDigit = (text: string): string => `${text.slice(0, -1)}${text.endsWith('0') ? '1' : '0'}`;

/** What each command says of the second token when the copies there are other keys, and of every object when none is sealed. */
const LIES: Readonly<Record<string, (answer: unknown, device: string) => unknown>> = {
  'keys.measure': (answer, device) => {
    const shown = answer as { kcv: string; fingerprint: string };
    return device === DIVERSIFICATION ? { ...shown, kcv: otherDigit(shown.kcv), fingerprint: otherDigit(shown.fingerprint) } : shown;
  },
  'keys.childCheckValue': (answer, device) => (device === DIVERSIFICATION ? otherDigit(answer as string) : answer),
  'hsm.inventory': (answer) => (answer as KeyObject[]).map((object) => ({ ...object, extractable: true })),
};

/**
 * Published vectors with another last digit, and a service whose answers are those of copies that are other keys. (To put other
 * keys into the tokens is no way any more: the supervisor knows their fingerprints and quarantines the device at once.)
 */
export const rig: Rig = {
  async afterKeys(demo) {
    rewrite(demo.vectors('diversification.json'), (text) => text.replace(/("expected": "[0-9A-F]*)([0-9A-F])"/g, (_all, head: string, last: string) => `${head}${last === '0' ? '1' : '0'}"`));
    lie(demo);
  },
};

function lie(demo: Demo): void {
  const honest = demo.client.call.bind(demo.client);
  demo.client.call = async <T>(command: string, args: object = {}, ...rest: [] | [(done: number, total: number) => void]): Promise<T> => {
    const answer = await honest<unknown>(command, args, ...rest);
    return (LIES[command]?.(answer, (args as { device?: string }).device ?? '') ?? answer) as T;
  };
}

/** Rows that must fail, and no others. */
export const fails = [/^knownAnswer\./, /^root\./, /^diversify\./];
