import { join } from 'node:path';
import { type Invocation } from '../command.js';
import { CommandClient } from '../command-client.js';
import { AppError, isAppError } from '#libs/platform/domain';
import { Product } from '../product.js';
import { SOCKETS } from '../setup-config.js';
import { requireRunId, writeReport } from '../report-files.js';

/** Writes the report of a run again: the same bytes, or an error. Uses the product that is up, else starts it for this. */
export async function run({ args, checkout, state, terminal }: Invocation): Promise<number> {
  if (args.length !== 1) throw new AppError('COMMAND_INVALID', { reason: 'report RUN' });
  const runId = requireRunId(args[0] as string);
  const write = async (client: CommandClient): Promise<number> => {
    const files = await writeReport(client, runId, join(state.home, 'reports', runId));
    for (const file of Object.values(files)) terminal.line(file);
    return 0;
  };
  const up = await CommandClient.open(SOCKETS.command(state)).catch((error: unknown) => {
    if (isAppError(error) && error.code === 'SERVICE_UNREACHABLE') return undefined;
    throw error;
  });
  if (up !== undefined) return write(up).finally(() => up.close());
  const product = await Product.start({ state, checkout, terminal, httpPort: 0, requireDevices: false });
  try {
    const client = await CommandClient.open(product.commandSocket);
    return await write(client).finally(() => client.close());
  } finally {
    await product.stop();
  }
}
