import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { childEnvironment, writeFileAtomic } from '#libs/platform/host';
import type { VendorProfile } from '../domain/vendor-profile.js';
import type { DeviceConfig } from '../hsm-config.js';
import type { TokenPlace } from '../ipc.js';

/** What an agent needs to reach the token in `tokenDir`: the place, and the environment its module reads. */
export interface AgentSetting {
  readonly place: TokenPlace;
  readonly environment: Record<string, string>;
}

/** The setting for a device's token, or for the one being made in `tokenDir` (`<tokenDir>.new`). Writes the module's configuration file. */
export function agentSetting(device: DeviceConfig, profile: VendorProfile, stateDir: string, tokenDir = device.tokenDir): AgentSetting {
  const label = device.tokenLabel ?? (device.tokenSerial === undefined && device.slot === undefined ? device.device : undefined);
  const folder = tokenDir === undefined ? '' : resolve(tokenDir);
  const place: TokenPlace = {
    device: device.device,
    module: device.module,
    moduleSha256: device.moduleSha256,
    libraryParameters: profile.initialisation === 'nss' ? nssParameters(folder, label ?? device.device) : '',
    label,
    serial: device.tokenSerial,
    slot: device.slot,
  };
  return { place, environment: childEnvironment({ ...profile.environment, ...MODULE_ENVIRONMENT[profile.initialisation](device, stateDir, folder), ...device.env }) };
}

/** Whether the files of an embedded token stand there. A token without a folder of ours is for its module to find. */
export function tokenFilesPresent(device: DeviceConfig, profile: VendorProfile): boolean {
  if (device.tokenDir === undefined) return true;
  return existsSync(profile.tokenFile === undefined ? device.tokenDir : join(device.tokenDir, profile.tokenFile));
}

const MODULE_ENVIRONMENT: Readonly<Record<VendorProfile['initialisation'], (device: DeviceConfig, stateDir: string, folder: string) => Record<string, string>>> = {
  none: () => ({}),
  nss: () => ({}),
  softhsm: (device, stateDir, folder) => {
    const lines = [`directories.tokendir = ${folder}`, 'objectstore.backend = file', 'log.level = ERROR', 'slots.removable = false', 'slots.mechanisms = ALL'];
    return { SOFTHSM2_CONF: configuration(stateDir, `${device.device}${ending(folder)}.softhsm2.conf`, lines) };
  },
  'hsm-sim': (device, stateDir, folder) => {
    const own = { label: device.tokenLabel ?? device.device, serial: simulatorSerial(device.device), dir: folder, ...device.simulator };
    return { HUFU_SIM_CONF: configuration(stateDir, `${device.device}${ending(folder)}.hsm-sim.conf`, Object.entries(own).map(([key, value]) => `${key} = ${value}`)) };
  },
};

/** A token that is being made has a configuration of its own. */
function ending(folder: string): string {
  return folder.endsWith('.new') ? '.new' : '';
}

/** Two simulators never have the same: 16 characters out of the device's name. */
function simulatorSerial(device: string): string {
  return `SIM${createHash('sha256').update(device).digest('hex').slice(0, 13).toUpperCase()}`;
}

/** The token's label comes from here at every start; NSS keeps none in its database. */
function nssParameters(folder: string, label: string): string {
  const quoted = (text: string): string => text.replace(/(['\\])/g, '\\$1');
  return `configdir='sql:${quoted(folder)}' certPrefix='' keyPrefix='' secmod='' dbTokenDescription='${quoted(label)}' flags=`;
}

function configuration(stateDir: string, name: string, lines: readonly string[]): string {
  const file = resolve(stateDir, name);
  writeFileAtomic(file, `${lines.join('\n')}\n`);
  return file;
}
