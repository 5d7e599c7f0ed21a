import { join } from 'node:path';
import { closingLine } from '../closing-line.js';
import { type Invocation, parseArguments } from '../command.js';
import { runJest } from '../jest-run.js';
import { withTestServer } from '../test-server.js';

/** All tests, or those whose path matches a pattern. The last line of stdout is `N passed, N failed`. */
export async function run({ args, checkout, state, terminal }: Invocation): Promise<number> {
  const { positionals } = parseArguments({ args: [...args], options: {}, allowPositionals: true });
  terminal.say('启动测试数据库，运行测试', 'starting the test database, running the tests');
  const count = await withTestServer(state, checkout, (url) =>
    runJest({
      folder: checkout,
      checkout,
      config: join(checkout, 'jest.config.mjs'),
      patterns: positionals,
      environment: { HUFU_TEST_DATABASE_URL: url },
      reportFile: join(state.testHome, 'jest.json'),
    }),
  );
  terminal.line(closingLine(count));
  return count.failed === 0 ? 0 : 1;
}
