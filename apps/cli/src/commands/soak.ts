import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError } from '#libs/platform/domain';
import { childEnvironment, networkEnvironment } from '#libs/platform';
import { type Invocation, parseArguments, wholeNumber } from '../command.js';
import { withTestServer } from '../test-server.js';
import { demoKill } from '../soak/demo-kill.js';

const FORMS = ['none', 'node18', 'home0700', 'space', 'offline'];

const SOAKS: Readonly<Record<string, (invocation: Invocation) => Promise<number>>> = {
  fresh,
  'demo-kill': killAgainAndAgain,
  'hsm-fleet': (invocation) => program('hsm-fleet.js', invocation),
  'hsm-kill': (invocation) => withTestServer(invocation.state, invocation.checkout, (url) => program('hsm-kill.js', invocation, { HUFU_TEST_DATABASE_URL: url })),
};

/** Long trials of the whole; they make and use trees of their own and leave this state folder alone. */
export async function run(invocation: Invocation): Promise<number> {
  const [name = '', ...args] = invocation.args;
  const soak = Object.hasOwn(SOAKS, name) ? SOAKS[name] : undefined;
  if (soak === undefined) throw new AppError('COMMAND_INVALID', { reason: `soak ${name}: ${Object.keys(SOAKS).join(', ')}` });
  return soak({ ...invocation, args });
}

/** A program of test/soak that says in its last line how many passed and failed; it reads its own arguments. */
function program(file: string, { args, checkout }: Invocation, environment: Readonly<Record<string, string>> = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    spawn(process.execPath, [join(checkout, 'dist', 'test', 'soak', file), ...args], { cwd: checkout, stdio: 'inherit', env: childEnvironment(environment) })
      .once('error', reject)
      .once('exit', (code) => resolve(code ?? 1));
  });
}

/** Fresh Debian 12 trees (test/soak/fresh.sh). */
async function fresh({ args, checkout, terminal }: Invocation): Promise<number> {
  const { values } = parseArguments({
    args: [...args],
    options: { forms: { type: 'string', default: FORMS.join(',') }, 'working-tree': { type: 'boolean', default: false }, pattern: { type: 'string', default: '' } },
  });
  const forms = values.forms.split(',');
  const unknown = forms.filter((form) => !FORMS.includes(form));
  if (unknown.length > 0) throw new AppError('COMMAND_INVALID', { reason: `--forms ${unknown.join(',')}: ${FORMS.join(', ')}` });
  const work = mkdtempSync(join(tmpdir(), 'hufu-fresh-'));
  const code = await new Promise<number | null>((resolve, reject) => {
    spawn('bash', [join(checkout, 'test', 'soak', 'fresh.sh'), checkout, work, ...forms], {
      stdio: 'inherit',
      env: childEnvironment({ ...networkEnvironment(), HUFU_SOAK_TREE: values['working-tree'] ? 'working' : 'head', HUFU_SOAK_PATTERN: values.pattern }),
    })
      .once('error', reject)
      .once('exit', resolve);
  });
  if (code === 0) rmSync(work, { recursive: true, force: true });
  else terminal.line(work);
  return code ?? 1;
}

async function killAgainAndAgain({ args, checkout, terminal }: Invocation): Promise<number> {
  const { values } = parseArguments({
    args: [...args],
    options: { rounds: { type: 'string', default: '50' }, seed: { type: 'string' }, records: { type: 'string', default: '2000' } },
  });
  const good = await demoKill({
    checkout,
    terminal,
    rounds: wholeNumber('rounds', values.rounds, 1, 10_000),
    seed: values.seed === undefined ? randomInt(2 ** 31) : wholeNumber('seed', values.seed, 0, 2 ** 32 - 1),
    records: wholeNumber('records', values.records, 1_000, 1_000_000),
  });
  return good ? 0 : 1;
}
