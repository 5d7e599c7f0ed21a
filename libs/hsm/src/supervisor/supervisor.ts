import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '#libs/platform/domain';
import { GuardedClock, Logger, onStop } from '#libs/platform/host';
import { harden } from '../agent/harden.js';
import { ALL_KEY_CLASSES } from '../domain/class-rules.js';
import type { VendorProfile } from '../domain/vendor-profile.js';
import type { KeyObject } from '../hsm.js';
import type { DeviceConfig, HsmConfig } from '../hsm-config.js';
import { loadProfiles } from '../profile-files.js';
import { ClientServer } from './client-server.js';
import { DeviceAgent, type AgentOptions } from './device-agent.js';
import { DeviceRecords } from './device-records.js';
import { FingerprintRecord } from './fingerprint-record.js';
import { Fleet } from './fleet.js';
import { Gate } from './gate.js';
import { KnownAnswerWatch } from './known-answer-watch.js';
import { PolicyFolder } from './policy-folder.js';
import { SupervisorTime } from './supervisor-time.js';
import { TokenPins } from './token-pins.js';

/** Agents that start at the same time: more would only wait for the processors. */
const STARTS_AT_ONCE = 8;
const CERTIFICATE_WARNING_DAYS = [90, 30, 0];
/** Variables that make the dynamic linker or a wrapper load other code than the module. */
const OTHER_CODE = ['LD_PRELOAD', 'LD_AUDIT', 'PKCS11SPY'];

/**
 * The supervisor: knows where the PINs are, loads no PKCS#11 module, listens on one socket per client and keeps one agent per
 * device. Its log line `ready` says that the sockets listen and every device has come up or failed once.
 * Throws CONFIG_INVALID, POLICY_INVALID, POLICY_CHANGED.
 */
export async function runSupervisor(config: HsmConfig, agentEntry: URL): Promise<void> {
  const log = new Logger('hsm');
  const now = (): Date => new Date();
  process.umask(0o077);
  const profiles = requireProfiles(config);
  harden({ undumpable: [...profiles.values()].some(({ simulator }) => !simulator), dieWithParent: false });
  mkdirSync(config.stateDir, { recursive: true, mode: 0o700 });
  const policies = new PolicyFolder(config.policyDir, config.stateDir);
  log.info('approval policy', { version: policies.current().version, bootstrap: policies.bootstrapDigest });
  const time = new SupervisorTime(join(config.stateDir, 'latest-time'), new GuardedClock(), log);
  const gate = new Gate(policies, config.stateDir, () => time.now());
  const fingerprints = new FingerprintRecord(config.stateDir);
  const records = new DeviceRecords(config.stateDir, now);
  const pins = new TokenPins(config.stateDir, config.devices.map(({ device }) => device));
  const agents = new Map<string, DeviceAgent>();
  let watch: KnownAnswerWatch | undefined = undefined;
  const fleet = new Fleet({ agents, gate, policies, records, fingerprints, pins, now, watch: () => watch as KnownAnswerWatch });

  const options: AgentOptions = {
    mode: config.mode,
    stateDir: config.stateDir,
    agentEntry,
    deadlineSeconds: config.deadlineSeconds,
    pingMs: config.pingMs,
    log,
    fingerprints: () => fingerprints.values(),
    pins,
    onFingerprint: (device, keyId, value, keyClass) => {
      if (fingerprints.add(keyId, value, keyClass)) return;
      log.error('fingerprint differs from the recorded one', new AppError('HSM_ANSWER_WRONG', { device, what: keyId }));
      const liar = agents.get(device);
      if (liar !== undefined) fleet.doubt(liar);
      liar?.quarantine(`fingerprint of ${keyId}`);
    },
    onUp: async (agent, token, shown) => {
      agent.keys.clear();
      for (const { keyId } of (await agent.run('inventory', {}, ALL_KEY_CLASSES)) as KeyObject[]) agent.keys.add(keyId);
      const fault = pins.keysFault(agent.name, agent.keys);
      if (fault !== undefined) throw new AppError('TOKEN_REPLACED', { device: agent.name, reason: fault, pin: pins.fileOf(agent.name) });
      if (pins.take(agent.name, shown, agent.keys)) log.warn('token pinned', { device: agent.name, tokenSerial: token.serial, identity: shown.proof !== undefined });
      const changes = records.take(agent.name, token);
      if (changes.length > 0) log.warn('device is not as it was', { device: agent.name, changes: changes.join('; ') });
      if (token.missing.length > 0) log.warn('device lacks what its profile claims', { device: agent.name, missing: token.missing.join(', ') });
      // A device that comes back has to prove itself before it serves; a lie quarantines it.
      await (watch as unknown as KnownAnswerWatch).look(agent);
    },
  };
  for (const device of config.devices) agents.set(device.device, new DeviceAgent(device, profiles.get(device.device) as VendorProfile, options));
  watch = new KnownAnswerWatch(agents, fingerprints, log, config.knownAnswerSeconds, (agent) => fleet.doubt(agent), (agent, sinceMs) => fleet.believe(agent, sinceMs));

  const servers: ClientServer[] = [];
  for (const client of config.clients) servers.push(await ClientServer.listen(config.socketDir, client, fleet, log));
  onStop(async () => {
    watch?.stop();
    time.stop();
    await Promise.all([...servers.map((server) => server.close()), ...[...agents.values()].map((agent) => agent.stop())]);
    gate.close();
  });
  warnOfCertificates(config.devices, now(), log);
  // A device that is slow to start must not keep lies of the others from being found.
  watch.start();
  time.start();
  await startAll([...agents.values()]);
  log.info('ready', Object.fromEntries([...agents.values()].map((agent) => [agent.name, agent.status().state])));
}

/** A new one begins when one has come up or failed. */
async function startAll(agents: readonly DeviceAgent[]): Promise<void> {
  const waiting = [...agents];
  const lane = async (): Promise<void> => {
    for (let agent = waiting.shift(); agent !== undefined; agent = waiting.shift()) {
      agent.start();
      await agent.firstStart;
    }
  };
  await Promise.all(Array.from({ length: STARTS_AT_ONCE }, lane));
}

/** Device → profile. In production no simulator, no token of our making, no test key and no module that is not pinned. Throws CONFIG_INVALID. */
function requireProfiles(config: HsmConfig): ReadonlyMap<string, VendorProfile> {
  const known = loadProfiles(config.profilesDir);
  const invalid = (device: DeviceConfig, reason: string): AppError => new AppError('CONFIG_INVALID', { file: `${device.device}`, reason });
  return new Map(
    config.devices.map((device) => {
      const profile = known.get(device.profile);
      if (profile === undefined) throw invalid(device, `没有此型号文件 / unknown profile ${device.profile}: ${[...known.keys()].join(', ')}`);
      if (profile.initialisation !== 'none' && device.tokenDir === undefined) throw invalid(device, `型号 ${device.profile} 需要 tokenDir / profile ${device.profile} needs tokenDir`);
      if (device.initialise && !profile.simulator) throw invalid(device, '只有模拟器可被初始化 / only simulators are initialised');
      if (config.mode === 'production') {
        if (profile.simulator) throw invalid(device, `${profile.title.zh}不得用于生产环境 / ${profile.title.en} is not for production`);
        if (device.testKeys) throw invalid(device, '生产环境不得使用测试密钥 / test keys are not for production');
        if (device.moduleSha256 === undefined) throw invalid(device, '生产环境必须固定模块摘要 moduleSha256 / production wants moduleSha256, the pinned digest of the module');
        const other = OTHER_CODE.find((name) => Object.hasOwn(device.env, name));
        if (other !== undefined) throw invalid(device, `生产环境不得以 ${other} 载入其他代码 / ${other} loads code that no digest pins: not for production`);
      }
      return [device.device, profile];
    }),
  );
}

function warnOfCertificates(devices: readonly DeviceConfig[], now: Date, log: Logger): void {
  for (const { device, productCertificate } of devices) {
    if (productCertificate === undefined) continue;
    const days = Math.floor((new Date(productCertificate.validUntil).getTime() - now.getTime()) / 86_400_000);
    const limit = CERTIFICATE_WARNING_DAYS.findLast((each) => days <= each);
    if (limit !== undefined) log.warn('product certificate ends', { device, number: productCertificate.number, validUntil: productCertificate.validUntil, days });
  }
}

