import type { HsmConfig as Config } from './hsm-config.js';

/*
 * The supervisor of apps/hsm, by a door of its own: it loads without Nest and without a database. The agents have another
 * (agent-process.ts), so that the supervisor maps no PKCS#11 module and an agent no schema.
 */

export { CustodianStation } from './custodian-token/custodian-station.js';
export type { CustodianObject, CustodianPlace, ShareToOpen } from './custodian-token/custodian-orders.js';
export type { EnrolledToken } from './custodian-token/custodian-token.js';
export { HsmConfig } from './hsm-config.js';

/** Runs the supervisor until it is told to stop. `agentEntry` is the program that it forks once per device. */
export async function runSupervisor(config: Config, agentEntry: URL): Promise<void> {
  await (await import('./supervisor/supervisor.js')).runSupervisor(config, agentEntry);
}
