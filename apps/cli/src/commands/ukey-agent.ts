import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { z } from 'zod';
import { childEnvironment, loadConfig } from '#libs/platform/host';
import { AppError } from '#libs/platform/domain';
import { type Invocation, parseArguments } from '../command.js';
import { guardedCommand } from '../guarded-command.js';

/** All that the launcher reads: what the vendor's module finds in its environment. The agent reads the whole. */
const Launch = z.object({ driver: z.object({ environment: z.record(z.string().regex(/^[A-Z][A-Z0-9_]*$/), z.string()).default({}) }) });

/** The UKey agent at this terminal, until ^C or the end of the terminal. */
export async function run({ args, checkout }: Invocation): Promise<number> {
  const { values } = parseArguments({ args: [...args], options: { config: { type: 'string' } } });
  if (values.config === undefined) throw new AppError('COMMAND_INVALID', { reason: 'ukey-agent --config FILE' });
  const config = resolve(values.config);
  const { driver } = loadConfig(config, Launch);
  const [program, ...rest] = guardedCommand({
    leader: process.pid,
    onDeath: 'TERM',
    command: [process.execPath, '--disable-sigusr1', resolve(checkout, 'dist/apps/ukey-agent/src/main.js')],
  });
  // The terminal is the agent's: it asks there, and ^C ends it.
  for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined);
  const child = spawn(program, rest, { env: childEnvironment({ ...driver.environment, HUFU_CONFIG: config }), stdio: 'inherit' });
  process.once('SIGTERM', () => child.kill('SIGTERM'));
  return new Promise((settle, reject) => {
    child.once('error', (error) => reject(new AppError('TOOL_MISSING', { tool: 'setpriv', package: 'util-linux' }, { cause: error })));
    child.once('exit', (code) => settle(code ?? 1));
  });
}
