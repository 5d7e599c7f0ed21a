import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type DeviceConfig, HsmConfig } from '#libs/hsm';
import { loadConfig, writeFileAtomic } from '#libs/platform';
import { AppError } from '#libs/platform/domain';
import type { StateFolder } from './state-folder.js';

const LIBRARY_FOLDERS = [
  '/usr/lib/softhsm',
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib/x86_64-linux-gnu/softhsm',
  '/usr/lib/x86_64-linux-gnu/nss',
  '/usr/lib/aarch64-linux-gnu',
  '/usr/lib/aarch64-linux-gnu/softhsm',
  '/usr/lib/aarch64-linux-gnu/nss',
  '/usr/lib64/pkcs11',
  '/usr/lib64',
  '/usr/lib',
];

/** Path of an installed PKCS#11 module. Throws TOOL_MISSING. */
export function modulePath(file: string, debianPackage: string): string {
  const found = LIBRARY_FOLDERS.map((folder) => join(folder, file)).find((path) => existsSync(path));
  if (found === undefined) throw new AppError('TOOL_MISSING', { tool: file, package: debianPackage });
  return found;
}

/** The two software tokens of the embedded default, made at the first start. */
export function embeddedDevices(state: StateFolder): DeviceConfig[] {
  const place = (device: string, group: DeviceConfig['group']) => ({
    device,
    group,
    tokenDir: state.file('hsm', 'tokens', device),
    pinFile: state.file('hsm', 'pins', device),
    initialise: true,
    testKeys: true,
    env: {},
    simulator: {},
    site: '',
  });
  return [
    { ...place('general-1', 'general'), profile: 'softhsm', module: modulePath('libsofthsm2.so', 'softhsm2') },
    { ...place('diversification-1', 'diversification'), profile: 'nss', module: modulePath('libsoftokn3.so', 'libnss3') },
  ];
}

/** The devices of HUFU_HSM_CONFIG (`{"devices": […]}`), else the embedded ones. Throws CONFIG_INVALID. */
export function devices(state: StateFolder, hsmConfigFile: string | undefined): DeviceConfig[] {
  if (hsmConfigFile === undefined) return embeddedDevices(state);
  return loadConfig(hsmConfigFile, HsmConfig.pick({ devices: true })).devices;
}

export const SOCKETS = {
  hsm: (state: StateFolder, client: 'service' | 'worker' | 'journal' | 'doctor') => state.file('run', 'hsm', `${client}.sock`),
  command: (state: StateFolder) => state.file('run', 'command.sock'),
} as const;

export interface ProcessConfigs {
  readonly checkout: string;
  readonly serviceDatabaseUrl: string;
  readonly workerDatabaseUrl: string;
  readonly nameKeyFile: string;
  readonly httpPort: number;
  readonly threads: number;
}

/** The supervisor's file: the only one that names modules and PIN files. */
export function writeHsmConfig(state: StateFolder, checkout: string, devices: readonly DeviceConfig[]): string {
  return write(state, 'hsm', {
    mode: 'rehearsal',
    socketDir: state.file('run', 'hsm'),
    stateDir: state.file('hsm', 'state'),
    profilesDir: join(checkout, 'libs', 'hsm', 'profiles'),
    policyDir: state.file('hsm', 'policy'),
    clients: ['service', 'worker', 'journal', 'doctor'],
    devices,
  });
}

/** Of the embedded default's one anchor. A real one belongs to another account or another host. */
export function anchorFolder(state: StateFolder): string {
  return state.folder('anchors');
}

/** The pages that operators sign in and approve on. */
export function pagesFolder(checkout: string): string {
  return join(checkout, 'apps', 'service', 'pages');
}

/** One configuration file per process, 0600; each names only what that process may have. Returns their paths. */
export function writeConfigs(state: StateFolder, values: ProcessConfigs): { service: string; worker: string } {
  const evidenceDir = state.folder('evidence');
  return {
    service: write(state, 'service', {
      databaseUrl: values.serviceDatabaseUrl,
      hsmSocket: SOCKETS.hsm(state, 'service'),
      commandSocket: SOCKETS.command(state),
      http: { host: '127.0.0.1', port: values.httpPort },
      pagesDir: pagesFolder(values.checkout),
      evidenceDir,
      profilesDir: join(values.checkout, 'certs', 'profiles'),
      calendarsDir: join(values.checkout, 'libs', 'organisations', 'calendars'),
      access: { nameKeyFile: values.nameKeyFile },
    }),
    worker: write(state, 'worker', {
      mode: 'rehearsal',
      databaseUrl: values.workerDatabaseUrl,
      hsmSocket: SOCKETS.hsm(state, 'worker'),
      evidenceDir,
      journal: { hsmSocket: SOCKETS.hsm(state, 'journal'), anchors: [{ kind: 'file', name: 'file', path: join(anchorFolder(state), 'checkpoints') }] },
      threads: values.threads,
    }),
  };
}

/** The key under which the service hashes names; made once, since under another key they would match nothing. */
export function nameKey(state: StateFolder): string {
  const file = state.file('secrets', 'name-key');
  if (!existsSync(file)) writeFileAtomic(file, randomBytes(32), 0o600);
  return file;
}

function write(state: StateFolder, process: string, config: object): string {
  const file = state.file('config', `${process}.json`);
  writeFileAtomic(file, `${JSON.stringify(config, null, 2)}\n`, 0o600);
  return file;
}
