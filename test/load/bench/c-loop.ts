import { execFileSync, spawn } from 'node:child_process';
import { join, resolve } from 'node:path';
import type { TestHsm } from '../../env/test-hsm.js';
import { deviceConfig, type BenchDevice, type Module } from './devices.js';

export type LoopItem = 'protectForCard' | 'checkValues' | 'checkValuesByAttribute';

export interface LoopRates {
  readonly perSecond: number;
  /** Of 10,000 single items, one after the other; 0 when they were not asked for. */
  readonly p99Ms: number;
}

/** Compiles test/load/hsm-loop into `folder`; returns the program. */
export function compileLoop(folder: string): string {
  const program = join(folder, 'hsm-loop');
  execFileSync('cc', ['-O2', '-std=c11', '-D_GNU_SOURCE', '-I', resolve('hsm-sim/src'), '-o', program, resolve('test/load/hsm-loop/hsm-loop.c'), '-ldl']);
  return program;
}

/** What the module reads beside its token; the supervisor wrote the files for its own agent. */
const SETTINGS: Readonly<Record<Module, (rig: TestHsm, device: string) => { parameters: string; env: Record<string, string> }>> = {
  softhsm: ({ config }, device) => ({ parameters: '', env: { SOFTHSM2_CONF: join(config.stateDir, `${device}.softhsm2.conf`) } }),
  nss: ({ dir }, device) => ({
    parameters: `configdir='sql:${join(dir, 'tokens', device)}' certPrefix='' keyPrefix='' secmod='' dbTokenDescription='${device}' flags=`,
    env: { NSS_MAX_MP_PBE_ITERATION_COUNT: '1' },
  }),
  'hsm-sim': ({ config }, device) => ({ parameters: '', env: { HUFU_SIM_CONF: join(config.stateDir, `${device}.hsm-sim.conf`) } }),
};

/** The bare loop on the token of a device, in a process and a session of its own; its keys are session objects. */
export async function runLoop(program: string, rig: TestHsm, device: BenchDevice, item: LoopItem, seconds: number, singles = false): Promise<LoopRates> {
  const { module, pinFile } = deviceConfig(rig.dir, device);
  const { parameters, env } = SETTINGS[device.module](rig, device.device);
  const args = [module, parameters, device.device, pinFile, item, String(seconds), ...(singles ? ['singles'] : [])];
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (piece: Buffer) => (text += piece.toString()));
  const code = await new Promise<number | null>((resolvePromise, reject) => {
    child.once('error', reject);
    child.once('close', resolvePromise);
  });
  if (code !== 0) throw new Error(`hsm-loop on ${device.device} ended with ${code}`);
  return JSON.parse(text) as LoopRates;
}
