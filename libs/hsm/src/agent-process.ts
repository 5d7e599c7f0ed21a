/*
 * The agent of apps/hsm, by a door of its own: it loads no schema, no YAML and no Nest. There is one such process per
 * device, so what it loads is paid for dozens of times. Beside it, what somebody needs who speaks to an agent directly.
 */

export type * from './ipc.js';
export type * from './custodian-token/custodian-orders.js';
export { type ItemFields, packBatch, type PackedRecipe, readAnswers } from './domain/batch.js';

/** Runs one agent: its orders come over IPC from the supervisor that forked it. */
export async function runAgent(): Promise<void> {
  await (await import('./agent/agent.js')).runAgent();
}

/** Runs the process of one custodian's token: its acts come over IPC from the ceremony station that forked it. */
export async function runCustodianToken(): Promise<void> {
  await (await import('./custodian-token/custodian-process.js')).runCustodianToken();
}
