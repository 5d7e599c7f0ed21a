import type { PsamKeySet } from './psam.js';

/** The class that the register must give each root of a key set. */
const USES: Readonly<Record<keyof PsamKeySet, string>> = {
  transportRoot: 'psamTransportRoot',
  controlRoot: 'psamControlRoot',
  maintenanceRoot: 'psamMaintenanceRoot',
  purchaseRoot: 'purchaseRoot',
  dataRoot: 'dataRoot',
};

/** As much of a key record as counts here. */
export interface RegisteredKey {
  readonly keyId: string;
  readonly keyClass: string;
  readonly algorithm: string;
  readonly state: string;
  /** Devices that hold it now, and groups in which two do (`places`). */
  readonly devices: readonly string[];
}

export interface Unfitness {
  readonly [detail: string]: string;
  readonly keyId: string;
  readonly use: string;
  readonly reason: string;
}

/** An order names a device, or a group of which two devices are to compute each load (`@diversification`). */
export function isGroup(device: string): boolean {
  return device.startsWith('@');
}

/** `holders` and the groups of which at least two devices are among them. */
export function places(holders: readonly string[], devices: readonly { readonly device: string; readonly group: string }[]): string[] {
  const groups = devices.filter(({ device }) => holders.includes(device)).map(({ group }) => `@${group}`);
  return [...holders, ...new Set(groups.filter((group, i) => groups.indexOf(group) !== i))];
}

/**
 * The first root that cannot serve an order on `device`, with the reason; undefined when all can. Cards take 3DES keys of
 * active roots. A transport root may be pre-active: it is the vendor's, one copy is enough, and it leaves with the blanks.
 */
export function keyUnfitness(keySet: PsamKeySet, device: string, register: readonly RegisteredKey[]): Unfitness | undefined {
  for (const use of Object.keys(USES) as (keyof PsamKeySet)[]) {
    const keyId = keySet[use];
    const reason = unfit(register.find((key) => key.keyId === keyId), use, device);
    if (reason !== undefined) return { keyId, use, reason };
  }
  return undefined;
}

function unfit(key: RegisteredKey | undefined, use: keyof PsamKeySet, device: string): string | undefined {
  if (key === undefined) return 'not in the register';
  if (key.keyClass !== USES[use]) return `class ${key.keyClass}`;
  if (key.algorithm !== '3des2') return `algorithm ${key.algorithm}`;
  const states = use === 'transportRoot' ? ['active', 'preActive'] : ['active'];
  if (!states.includes(key.state)) return `state ${key.state}`;
  return key.devices.includes(device) ? undefined : `not in ${device}`;
}
