import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { AppError } from '#libs/platform/domain';
import { syncFolder, writeFileAtomic } from '#libs/platform/host';
import type { VendorProfile } from '../domain/vendor-profile.js';
import type { DeviceConfig } from '../hsm-config.js';
import { forkAgent, onReport, sendSecret } from './fork-agent.js';
import { ensurePinFile, readPin } from './pin-file.js';
import { agentSetting, tokenFilesPresent } from './token-place.js';

const INITIALISE_SECONDS = 60;

/**
 * Makes the embedded token of a device that is configured so and has none. It grows in `<tokenDir>.new`, which is renamed
 * when it is whole: a kill at any line leaves no token or a whole one, and what is left over is removed at the next start.
 * A token that was there once and is gone is not made anew: its keys would silently be missing.
 * Throws TOKEN_SETUP_FAILED.
 */
export async function ensureEmbeddedToken(device: DeviceConfig, profile: VendorProfile, stateDir: string, agentEntry: URL): Promise<void> {
  const { tokenDir } = device;
  if (!device.initialise || tokenDir === undefined) return;
  const fresh = `${tokenDir}.new`;
  const onceMade = join(stateDir, `${device.device}.initialised`);
  rmSync(fresh, { recursive: true, force: true });
  if (tokenFilesPresent(device, profile)) {
    if (!existsSync(onceMade)) writeFileAtomic(onceMade, '');
    return;
  }
  if (existsSync(onceMade)) return;
  ensurePinFile(device.pinFile);
  ensurePinFile(soPinFile(device));
  mkdirSync(fresh, { recursive: true, mode: 0o700 });
  await initialise(device, profile, stateDir, fresh, agentEntry);
  renameSync(fresh, tokenDir);
  syncFolder(dirname(tokenDir));
  writeFileAtomic(onceMade, '');
}

function initialise(device: DeviceConfig, profile: VendorProfile, stateDir: string, fresh: string, agentEntry: URL): Promise<void> {
  const { place, environment } = agentSetting(device, profile, stateDir, fresh);
  const child = forkAgent(agentEntry, environment);
  return new Promise<void>((resolve, reject) => {
    let outcome = 'ended without an answer';
    const timer = setTimeout(() => child.kill('SIGKILL'), INITIALISE_SECONDS * 1000);
    onReport(child, (report) => {
      if (report.kind === 'awake') {
        const [soPin, pin] = [readPin(soPinFile(device)), readPin(device.pinFile)];
        sendSecret(child, { kind: 'initialise', place, profile, label: place.label ?? device.device, soPin, pin }, [soPin, pin]);
      } else outcome = report.kind === 'failed' ? report.reason : report.kind;
    });
    child.on('error', (error) => (outcome = error.message));
    child.on('exit', () => {
      clearTimeout(timer);
      if (outcome === 'initialised') resolve();
      else reject(new AppError('TOKEN_SETUP_FAILED', { device: device.device, reason: `${profile.title.en}: ${outcome}` }));
    });
  });
}

/** The security officer's PIN: for the user PIN anew, and for keys that the token is to trust (supervisor/officer.ts). */
export function soPinFile(device: DeviceConfig): string {
  return `${device.pinFile}.so`;
}
