import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { DeviceConfig } from '#libs/hsm';

export interface SimOptions {
  readonly group?: DeviceConfig['group'];
  /** Faults on command. */
  readonly control?: SimControl;
  /** Further lines of the simulator's configuration (hsm-sim/README.md). */
  readonly lines?: Readonly<Record<string, string>>;
  readonly profile?: string;
}

/** A device of hsm-sim with a token of its own below `dir`, test keys allowed. */
export function simDevice(dir: string, device: string, { group = 'diversification', control, lines = {}, profile = 'hsm-sim' }: SimOptions = {}): DeviceConfig {
  return {
    device,
    group,
    profile,
    module: resolve('hsm-sim/build/libhsm-sim.so'),
    tokenDir: join(dir, 'tokens', device),
    pinFile: join(dir, 'pins', device),
    initialise: true,
    testKeys: true,
    env: {},
    simulator: { ...lines, ...(control === undefined ? {} : { control: control.file }) },
    site: 'test',
  };
}

/** `general-1` and `diversification-1`, both hsm-sim: what they do not refuse themselves, no field device would either. */
export function simulatedPair(dir: string): DeviceConfig[] {
  return [simDevice(dir, 'general-1', { group: 'general' }), simDevice(dir, 'diversification-1')];
}

const CONTROL_BYTES = 4096;
const TEXT_AT = 64;

/** The control file of one simulator: mapped there, so it is written in place, its generation last (hsm-sim/README.md). */
export class SimControl {
  #generation = 0n;

  /** Makes the file, with no fault in it. */
  constructor(readonly file: string) {
    mkdirSync(join(file, '..'), { recursive: true, mode: 0o700 });
    writeFileSync(file, new Uint8Array(CONTROL_BYTES));
  }

  /** The faults from now on; none = the device is well. Counts begin anew. */
  set(...lines: readonly string[]): void {
    const text = Buffer.alloc(CONTROL_BYTES - TEXT_AT);
    text.write(lines.join('\n'));
    const generation = Buffer.alloc(8);
    generation.writeBigUInt64LE(++this.#generation);
    const file = openSync(this.file, 'r+');
    writeSync(file, text, 0, text.length, TEXT_AT);
    writeSync(file, generation, 0, generation.length, 0);
    closeSync(file);
  }
}
