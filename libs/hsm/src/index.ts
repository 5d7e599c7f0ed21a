import type { HsmConfig } from './hsm-config.js';

export * from './domain/key-class.js';
export { ALL_KEY_CLASSES, CARD_ROLES, type CardRole, classOfLabel } from './domain/class-rules.js';
export { NOT_ENFORCED, type NotEnforced, type ProfileName, VENDOR_PROFILES, type VendorProfile } from './domain/profiles.js';
export { CLIENTS, type Client } from './domain/policy.js';
export * from './hsm.js';
export * from './hsm.module.js';
export * from './hsm-config.js';
export * from './supervisor-hsm.js';

/*
 * The two programs of apps/hsm. They are loaded when called, so that no other process that imports this room maps
 * pkcs11js, graphene or koffi.
 */

/** Runs the supervisor until it is told to stop. `agentEntry` is the program that it forks once per device. */
export async function runSupervisor(config: HsmConfig, agentEntry: URL): Promise<void> {
  await (await import('./supervisor/supervisor.js')).runSupervisor(config, agentEntry);
}

/** Runs one agent: its orders come over IPC from the supervisor that forked it. */
export async function runAgent(): Promise<void> {
  await (await import('./agent/agent.js')).runAgent();
}
