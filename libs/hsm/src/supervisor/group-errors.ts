import { AppError } from '#libs/platform/domain';
import type { PackedRecipe } from '../domain/batch.js';
import { isDeviceFailure } from '../domain/failover.js';
import { pkcs11Error } from '../domain/pkcs11-errors.js';
import type { RecipeName } from '../domain/recipes.js';
import { QUEUE_FULL } from './agent-work.js';
import type { DeviceAgent } from './device-agent.js';

/** What became of a request at one device. */
export interface Failure {
  readonly agent: DeviceAgent;
  readonly error: AppError;
}

/** The error of all where they agree about the request or there is one device only, else what became of each. */
export function allFailed(group: string, devices: readonly DeviceAgent[], failures: readonly Failure[]): AppError {
  const last = (failures.at(-1) as { error: AppError }).error;
  if (devices.length === 1 || failures.every(({ error }) => refusesRequest(error) || !isDeviceFailure(error.code))) return last;
  const fate = (agent: DeviceAgent): string => {
    const { code, details } = failures.find((failure) => failure.agent === agent)?.error ?? {};
    return code === undefined ? agent.condition : [code, details?.['ckr'] ?? details?.['reason']].filter((part) => part !== undefined).join(' ');
  };
  return new AppError('HSM_DEVICE_DOWN', { device: group, reason: devices.map((agent) => `${agent.name}: ${fate(agent)}`).join(', ') });
}

/** No device of the group may be asked; `without`: those that have answered already or lied. */
export function nobodyAnswers(group: string, all: readonly DeviceAgent[], work: { readonly recipe: RecipeName; readonly keyIds: readonly string[] }, without: ReadonlySet<DeviceAgent>): AppError {
  const up = all.filter((agent) => agent.serves);
  if (up.length === 0) return new AppError('HSM_DEVICE_DOWN', { device: group, reason: all.map((agent) => `${agent.name}: ${agent.condition}`).join(', ') || 'no device' });
  if (without.size > 0) return new AppError('HSM_DEVICE_DOWN', { device: group, reason: `no second device to compare with: ${all.map((agent) => `${agent.name}: ${agent.condition}`).join(', ')}` });
  const missing = work.keyIds.find((keyId) => !up.some((agent) => agent.keys.has(keyId)));
  if (missing !== undefined) return new AppError('KEY_NOT_FOUND', { device: group, keyId: missing });
  if (!up.some((agent) => offers(agent, work.recipe))) return new AppError('HSM_CAPABILITY_MISSING', { device: group, recipe: work.recipe });
  return new AppError('HSM_DEVICE_DOWN', { device: group, reason: 'no device holds all keys of the batch' });
}

/** The device is well and says no to what it was asked. */
export function refusesRequest({ code, details }: AppError): boolean {
  return code === 'HSM_ERROR' && pkcs11Error(String(details['ckr'])).policy === 'refuse';
}

/** Too much was asked of it at once; that says nothing about its health. */
export function isBusy({ code, details }: AppError): boolean {
  return code === 'HSM_DEVICE_DOWN' && details['reason'] === QUEUE_FULL;
}

/** The profile has the recipe for some algorithm; for which, the agent knows, who reads the key. */
export function offers(agent: DeviceAgent, recipe: RecipeName): boolean {
  return recipe === 'sign' ? agent.profile.signing.length > 0 : (agent.profile.recipes[recipe as PackedRecipe]?.length ?? 0) > 0;
}
