import { existsSync } from 'node:fs';
import { AppError } from '#libs/platform/domain';
import type { WrappingKey } from '../domain/escrow.js';
import { pkcs11ErrorDetails } from '../domain/pkcs11-errors.js';
import type { AgentReport } from '../ipc.js';
import type { AgentOptions, DeviceAgent } from './device-agent.js';
import { forkAgent, onReport, sendSecret } from './fork-agent.js';
import { readPin, requirePinFile } from './pin-file.js';
import { soPinFile } from './token-folder.js';
import type { AgentSetting } from './token-place.js';

/*
 * What the security officer of a device does, in a process of its own while the device's agent is away: PKCS#11 has one login at a time.
 * The PIN stands in `<pinFile>.so`: made there with an embedded token; for a device with real keys the officer brings it to the ceremony
 * and takes it away again. A refused one latches as the user's does.
 */

const OFFICER_SECONDS = 60;

/** Throws HSM_REFUSED when there is no officer's PIN, PIN_REFUSED when one was refused before. */
export function requireOfficer(agent: DeviceAgent): void {
  const latch = agent.officerLatchFile;
  if (existsSync(latch)) throw new AppError('PIN_REFUSED', { device: `${agent.name} (SO)`, latch });
  try {
    requirePinFile(soPinFile(agent.config));
  } catch (error) {
    throw new AppError('HSM_REFUSED', { reason: (error as Error).message }, { cause: error });
  }
}

/** The device trusts these public keys and no others afterwards. */
export async function enterTrustedKeys(agent: DeviceAgent, keys: readonly WrappingKey[]): Promise<null> {
  const report = await agent.aside((setting, options) => officerProcess(agent, keys, setting, options));
  if (report?.kind === 'trusted') return null;
  if (report?.kind === 'pinLatched') throw new AppError('PIN_REFUSED', { device: `${agent.name} (SO)`, latch: agent.officerLatchFile });
  const reason = report !== undefined && 'reason' in report ? report.reason : 'ended without an answer';
  const ckr = /CKR_[A-Z0-9_]+/.exec(reason)?.[0];
  if (ckr !== undefined) throw new AppError('HSM_ERROR', pkcs11ErrorDetails(agent.name, ckr));
  throw new AppError('HSM_REFUSED', { reason: `escrowTrust in ${agent.name}: ${reason}` });
}

function officerProcess(agent: DeviceAgent, keys: readonly WrappingKey[], { place, environment }: AgentSetting, options: AgentOptions): Promise<AgentReport | undefined> {
  const child = forkAgent(options.agentEntry, options.mode === 'production' ? { ...environment, HUFU_PROFILE: 'production' } : environment);
  return new Promise((resolve, reject) => {
    let last: AgentReport | undefined;
    const timer = setTimeout(() => child.kill('SIGKILL'), OFFICER_SECONDS * 1000);
    onReport(child, (report) => {
      if (report.kind !== 'awake') return void (last = report);
      const soPin = readPin(soPinFile(agent.config));
      sendSecret(child, { kind: 'trust', place, profile: agent.profile, soPin, latchFile: agent.officerLatchFile, keys }, [soPin]);
    });
    child.on('error', reject);
    child.on('exit', () => {
      clearTimeout(timer);
      resolve(last);
    });
  });
}
