import { type Invocation, parseArguments, wholeNumber } from '../command.js';
import { Product } from '../product.js';

const DEFAULT_HTTP_PORT = 7380;

/** Service, worker and agents in the foreground until ^C, SIGTERM or the end of the terminal. */
export async function run({ args, checkout, state, terminal }: Invocation): Promise<number> {
  const { values } = parseArguments({ args: [...args], options: { port: { type: 'string', default: String(DEFAULT_HTTP_PORT) } } });
  const httpPort = wholeNumber('port', values.port, 0, 65_535);
  const product = await Product.start({ state, checkout, terminal, httpPort, requireDevices: false });
  terminal.line(`HTTP      ${product.httpUrl}  (/health/ready, /ocsp)`);
  terminal.line(`命令 commands  ${product.commandSocket}`);
  terminal.line(`日志 logs      ${state.folder('logs')}`);
  terminal.say('运行中，按 Ctrl-C 停止', 'running; Ctrl-C stops it');
  const code = await new Promise<number>((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => resolve(0));
    product.onFailure((error) => {
      terminal.error(error);
      resolve(1);
    });
  });
  terminal.say('正在停止', 'stopping');
  await product.stop();
  return code;
}
