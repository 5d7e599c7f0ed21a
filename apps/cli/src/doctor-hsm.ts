import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type FleetStatus, loadProfiles, SupervisorHsm } from '#libs/hsm';
import { environment } from '#libs/platform';
import { AppError, isAppError } from '#libs/platform/domain';
import type { Invocation } from './command.js';
import { devicePage, renderDevicePage } from './device-page.js';
import { endLeftovers, lockState, startHsm } from './product.js';
import { SOCKETS } from './setup-config.js';
import type { StateFolder } from './state-folder.js';

/** `./hufu doctor hsm`: the page of each device. 1 when one of them needs attention. Throws what kept the supervisor from starting. */
export async function doctorHsm({ checkout, state, terminal }: Invocation, json: boolean): Promise<number> {
  const profiles = loadProfiles(join(checkout, 'libs', 'hsm', 'profiles'));
  const fleet = await lookAtFleet(state, checkout);
  const now = new Date();
  const pages = fleet.devices.map((device) => devicePage(device, profiles.get(device.profile), now));
  if (json) terminal.line(JSON.stringify({ devices: pages, groups: fleet.groups, doubtful: fleet.doubtful }, null, 2));
  else {
    for (const page of pages) for (const line of renderDevicePage(page)) terminal.line(line);
    for (const { group, up, of } of fleet.groups) terminal.say(`设备组 ${group}：${of} 台中 ${up} 台可用`, `group ${group}: ${up} of ${of} serve`);
    for (const { device, recipe, at, keyIds } of fleet.doubtful) terminal.say(`存疑应答：${device} ${recipe} ${at} ${keyIds.join(' ')}`, 'an answer given before the device was quarantined: look at it again');
  }
  const bad = pages.some(({ findings }) => findings.some(({ verdict }) => verdict === 'bad')) || fleet.doubtful.length > 0;
  return bad ? 1 : 0;
}

/** Asks the supervisor that runs; without one, starts it for the look. */
async function lookAtFleet(state: StateFolder, checkout: string): Promise<FleetStatus> {
  const lock = existsSync(state.home) ? tryLock(state) : lockState(state);
  if (lock === undefined) return askFleet(state);
  try {
    await endLeftovers(state, checkout);
    state.prepare();
    const { hsmConfig } = environment();
    // Without a policy the supervisor does not start, and a doctor makes nothing.
    if (!existsSync(state.file('hsm', 'policy', '1.json'))) throw new AppError('POLICY_INVALID', { reason: '1.json: ./hufu up', directory: state.file('hsm', 'policy') });
    const program = await startHsm(state, checkout, hsmConfig);
    try {
      return await askFleet(state);
    } finally {
      await program.stop();
    }
  } finally {
    lock.release();
  }
}

async function askFleet(state: StateFolder): Promise<FleetStatus> {
  process.chdir(state.home);
  const hsm = new SupervisorHsm(SOCKETS.hsm(state, 'doctor'), { deadlineSeconds: 10 });
  try {
    return await hsm.fleet();
  } finally {
    hsm.close();
  }
}

/** The lock of the state folder; undefined while a product runs. */
export function tryLock(state: StateFolder): ReturnType<typeof lockState> | undefined {
  try {
    return lockState(state);
  } catch (error) {
    if (isAppError(error) && error.code === 'ALREADY_RUNNING') return undefined;
    throw error;
  }
}
