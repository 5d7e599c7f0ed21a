import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { harden, loadProfiles, type VendorProfile } from '#libs/hsm/token';
import { AppError, environment, loadConfig, Logger, TerminalInput } from '#libs/platform/host';
import { AgentServer } from './agent-server.js';
import { UkeyAgentConfig } from './config.js';
import { Pkcs11Driver } from './pkcs11-driver.js';
import { QuestionDesk } from './question.js';
import { Signatures } from './signatures.js';

/** From dist/apps/ukey-agent/src to the checkout. */
const PROFILES = join(import.meta.dirname, '../../../../libs/hsm/profiles');
const PROCESS_NAME = 'ukey-agent';

/** The UKey agent of one operator's machine. Start it with `--disable-sigusr1`: no debugger attaches by a signal. */
async function main(): Promise<void> {
  const configFile = environment().configFile;
  const config = loadConfig(configFile, UkeyAgentConfig);
  const terminal = TerminalInput.open({ zh: 'UKey 的 PIN', en: 'the PIN of the UKey' });
  const profile = profileNamed(config.driver.profile, configFile ?? '');
  harden({ undumpable: !profile.simulator, dieWithParent: false });
  const { logFile } = config;
  const log = new Logger(PROCESS_NAME, logFile === undefined ? undefined : (line) => appendFileSync(logFile, line, { mode: 0o600 }));
  const driver = new Pkcs11Driver({ module: config.driver.module, profile, serial: config.driver.tokenSerial });
  const server = new AgentServer(config, driver, new Signatures(driver, new QuestionDesk(terminal, config.answerSeconds)), log);
  // Ending gives the terminal its mode back (TerminalInput).
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(0));
  await server.listen();
  log.info('ready', { port: config.port, pid: process.pid });
  process.stdout.write(`UKey 代理已就绪 / UKey agent ready: http://127.0.0.1:${config.port} (${config.origins.join(', ')})\n`);
}

function profileNamed(name: string, file: string): VendorProfile {
  const profile = loadProfiles(PROFILES).get(name);
  if (profile === undefined) throw new AppError('CONFIG_INVALID', { file, reason: `driver.profile: no profile ${name}` });
  return profile;
}

main().catch((error: unknown) => {
  new Logger(PROCESS_NAME).error('start failed', error);
  process.exit(1);
});
