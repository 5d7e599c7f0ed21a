import { mkdirSync } from 'node:fs';
import { Logger, onStop } from '#libs/platform';
import { vendorProfile } from '../domain/profiles.js';
import type { HsmConfig } from '../hsm-config.js';
import { harden } from '../agent/harden.js';
import { ClientServer } from './client-server.js';
import { DeviceAgent } from './device-agent.js';
import { Fleet } from './fleet.js';

/**
 * The supervisor: knows where the PINs are, loads no PKCS#11 module, listens on one socket per client and keeps one agent per
 * device. Its log line `ready` says that the sockets listen and every device has come up or failed once.
 */
export async function runSupervisor(config: HsmConfig, agentEntry: URL): Promise<void> {
  const log = new Logger('hsm');
  process.umask(0o077);
  harden({ undumpable: config.devices.some(({ profile }) => !vendorProfile(profile).simulator), dieWithParent: false });
  mkdirSync(config.stateDir, { recursive: true, mode: 0o700 });
  const options = { stateDir: config.stateDir, agentEntry, deadlineSeconds: config.deadlineSeconds, log };
  const agents = new Map(config.devices.map((device) => [device.device, new DeviceAgent(device, options)]));
  const fleet = new Fleet(agents);
  const servers: ClientServer[] = [];
  for (const client of config.clients) servers.push(await ClientServer.listen(config.socketDir, client, fleet, log));
  onStop(async () => {
    await Promise.all([...servers.map((server) => server.close()), ...[...agents.values()].map((agent) => agent.stop())]);
  });
  for (const agent of agents.values()) agent.start();
  await Promise.all([...agents.values()].map((agent) => agent.firstStart));
  log.info('ready', Object.fromEntries([...agents.values()].map((agent) => [agent.status().device, agent.status().state])));
}
