import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parse, stringify } from 'yaml';
import type { DeviceConfig, VendorProfile } from '#libs/hsm';
import { simDevice } from '../../builders/hsm-sim.js';
import { libraryPath } from '../../env/library-path.js';

export type Module = 'softhsm' | 'nss' | 'hsm-sim';

/** Embedded tokens; those of hsm-sim are made by test/builders/hsm-sim.ts. */
const LIBRARIES: Readonly<Record<Exclude<Module, 'hsm-sim'>, string>> = { softhsm: 'libsofthsm2.so', nss: 'libsoftokn3.so' };

export interface BenchDevice {
  readonly device: string;
  readonly module: Module;
  readonly profile?: string;
}

export function deviceConfig(dir: string, { device, module, profile = module }: BenchDevice): DeviceConfig {
  const simulated = simDevice(dir, device, { profile });
  return module === 'hsm-sim' ? simulated : { ...simulated, module: libraryPath(LIBRARIES[module]) };
}

/** A folder with the shipped profiles and copies of them (`<name>-<sessions>`) that differ in the number of sessions alone. */
export function profilesWithSessions(dir: string, copies: readonly { readonly profile: Module; readonly sessions: number }[]): string {
  mkdirSync(dir, { recursive: true });
  for (const { profile, sessions } of copies) {
    const shipped = parse(readFileSync(resolve('libs/hsm/profiles', `${profile}.yaml`), 'utf8')) as Omit<VendorProfile, 'tuning'> & { tuning?: Partial<VendorProfile['tuning']> };
    const name = `${profile}-${sessions}`;
    writeFileSync(join(dir, `${name}.yaml`), stringify({ ...shipped, name, tuning: { ...shipped.tuning, sessions } }));
    writeFileSync(join(dir, `${profile}.yaml`), stringify(shipped));
  }
  return dir;
}
