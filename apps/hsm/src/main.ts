import { HsmConfig, runSupervisor } from '#libs/hsm/processes';
import { environment, loadConfig, Logger } from '#libs/platform/host';

/** The hsm-supervisor. Start it with `--disable-sigusr1`: no debugger attaches by a signal. */
async function main(): Promise<void> {
  const config = loadConfig(environment().configFile, HsmConfig);
  await runSupervisor(config, new URL('./agent.js', import.meta.url));
}

main().catch((error: unknown) => {
  new Logger('hsm').error('start failed', error);
  process.exit(1);
});
