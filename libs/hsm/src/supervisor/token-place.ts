import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { childEnvironment, writeFileAtomic } from '#libs/platform';
import { vendorProfile } from '../domain/profiles.js';
import type { DeviceConfig } from '../hsm-config.js';
import type { TokenPlace } from '../ipc.js';

/** What an agent needs to reach the token in `tokenDir`: the place, and the environment its module reads. */
export interface AgentSetting {
  readonly place: TokenPlace;
  readonly environment: Record<string, string>;
}

/** The setting for a device's token, or for the one being made in `tokenDir` (`<tokenDir>.new`). Writes SoftHSM's configuration file. */
export function agentSetting(device: DeviceConfig, stateDir: string, tokenDir = device.tokenDir): AgentSetting {
  const { initialisation, environment = {} } = vendorProfile(device.profile);
  const label = device.tokenLabel ?? (device.tokenSerial === undefined && device.slot === undefined ? device.device : undefined);
  const folder = tokenDir === undefined ? '' : resolve(tokenDir);
  const place: TokenPlace = {
    device: device.device,
    profile: device.profile,
    module: device.module,
    libraryParameters: initialisation === 'nss' ? nssParameters(folder, label ?? device.device) : '',
    label,
    serial: device.tokenSerial,
    slot: device.slot,
  };
  const own: Record<string, string> = initialisation === 'softhsm' ? { SOFTHSM2_CONF: softhsmConfiguration(stateDir, device.device, folder) } : {};
  return { place, environment: childEnvironment({ ...environment, ...own, ...device.env }) };
}

/** Whether the files of an embedded token stand there. A token without a folder of ours is for its module to find. */
export function tokenFilesPresent(device: DeviceConfig): boolean {
  if (device.tokenDir === undefined) return true;
  const { tokenFile } = vendorProfile(device.profile);
  return existsSync(tokenFile === undefined ? device.tokenDir : join(device.tokenDir, tokenFile));
}

/** The token's label comes from here at every start; NSS keeps none in its database. */
function nssParameters(folder: string, label: string): string {
  const quoted = (text: string): string => text.replace(/(['\\])/g, '\\$1');
  return `configdir='sql:${quoted(folder)}' certPrefix='' keyPrefix='' secmod='' dbTokenDescription='${quoted(label)}' flags=`;
}

function softhsmConfiguration(stateDir: string, device: string, folder: string): string {
  const file = resolve(stateDir, `${device}${folder.endsWith('.new') ? '.new' : ''}.softhsm2.conf`);
  const lines = [`directories.tokendir = ${folder}`, 'objectstore.backend = file', 'log.level = ERROR', 'slots.removable = false', 'slots.mechanisms = ALL'];
  writeFileAtomic(file, `${lines.join('\n')}\n`);
  return file;
}
