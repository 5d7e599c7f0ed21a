import { existsSync, readFileSync } from 'node:fs';
import { SupervisorHsm } from '#libs/hsm';
import { environment } from '#libs/platform';
import { type Invocation, parseArguments } from '../command.js';
import { openDatabase } from '../database.js';
import { checkDatabase, checkMachine, deviceFindings, type Finding, findingOf, type Verdict } from '../doctor-checks.js';
import { doctorHsm, tryLock } from '../doctor-hsm.js';
import { endLeftovers, startHsm } from '../product.js';
import { SOCKETS } from '../setup-config.js';
import type { StateFolder } from '../state-folder.js';

const SIGNS: Record<Verdict, string> = { ok: '✓', note: '·', bad: '✗' };

/**
 * `doctor hsm` looks at the devices, one page each. `doctor` looks at this machine and its data; exit code 1 when something is bad. Beside a product that is up it asks that one;
 * else it starts database and HSM supervisor for the look. It makes and changes nothing.
 */
export async function run(invocation: Invocation): Promise<number> {
  const { args, checkout, state, terminal } = invocation;
  if (args[0] === 'hsm') return doctorHsm(invocation, parseArguments({ args: args.slice(1), options: { json: { type: 'boolean', default: false } } }).values.json);
  parseArguments({ args: [...args], options: {} });
  let bad = false;
  const show = (findings: readonly Finding[]): void => {
    for (const { verdict, text } of findings) {
      terminal.line(`${SIGNS[verdict]} ${text.zh} / ${text.en}`);
      bad ||= verdict === 'bad';
    }
  };
  show(checkMachine(checkout, state.home));
  if (existsSync(state.home)) {
    const lock = tryLock(state);
    if (lock === undefined) await lookAtRunning(state, show);
    else {
      try {
        await endLeftovers(state, checkout);
        state.prepare();
        await lookAtResting(state, checkout, show);
      } finally {
        lock.release();
      }
    }
  }
  terminal.line('');
  if (bad) terminal.say('有问题需要处理（见 ✗）', 'something needs attention (see ✗)');
  else terminal.say('一切正常', 'all is well');
  return bad ? 1 : 0;
}

type Show = (findings: readonly Finding[]) => void;

async function lookAtRunning(state: StateFolder, show: Show): Promise<void> {
  let running: { pid: number; databaseUrl: string; httpUrl: string };
  try {
    running = JSON.parse(readFileSync(state.file('run', 'product.json'), 'utf8')) as typeof running;
  } catch {
    show([{ verdict: 'note', text: { zh: '另一命令正在使用该状态目录，稍后再查', en: 'another command uses this state folder: look again later' } }]);
    return;
  }
  show([{ verdict: 'ok', text: { zh: `运行中（进程 ${running.pid}）`, en: `running (process ${running.pid})` } }]);
  show(await checkDatabase(running.databaseUrl));
  show(await lookAtDevices(state));
  show([await lookAtHttp(running.httpUrl)]);
}

async function lookAtHttp(url: string): Promise<Finding> {
  try {
    const { status } = await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(5_000) });
    return { verdict: status === 200 ? 'ok' : 'bad', text: { zh: `服务 ${url} 应答 ${status}`, en: `the service at ${url} answers ${status}` } };
  } catch (error) {
    return { verdict: 'bad', text: { zh: `服务 ${url} 无应答`, en: `the service at ${url} does not answer: ${(error as Error).message}` } };
  }
}

async function lookAtResting(state: StateFolder, checkout: string, show: Show): Promise<void> {
  const { databaseUrl, hsmConfig } = environment();
  if (databaseUrl === undefined && !existsSync(state.file('pg', 'data'))) show([absent('内置数据库尚未建立', 'the embedded database is not made yet')]);
  else show(await lookAtDatabase(state, checkout, databaseUrl));
  if (hsmConfig === undefined && !existsSync(state.file('hsm', 'tokens'))) show([absent('令牌尚未建立', 'the tokens are not made yet')]);
  else show(await lookAtStoppedDevices(state, checkout, hsmConfig));
}

function absent(zh: string, en: string): Finding {
  return { verdict: 'note', text: { zh: `${zh}：运行 ./hufu demo 或 ./hufu up`, en: `${en}: run ./hufu demo or ./hufu up` } };
}

async function lookAtDatabase(state: StateFolder, checkout: string, databaseUrl: string | undefined): Promise<Finding[]> {
  try {
    const database = await openDatabase(state, checkout, databaseUrl);
    try {
      return await checkDatabase(database.ownerUrl);
    } finally {
      await database.stop();
    }
  } catch (error) {
    return [findingOf(error)];
  }
}

async function lookAtStoppedDevices(state: StateFolder, checkout: string, hsmConfig: string | undefined): Promise<Finding[]> {
  try {
    const program = await startHsm(state, checkout, hsmConfig);
    try {
      return await lookAtDevices(state);
    } finally {
      await program.stop();
    }
  } catch (error) {
    return [findingOf(error)];
  }
}

async function lookAtDevices(state: StateFolder): Promise<Finding[]> {
  process.chdir(state.home);
  const hsm = new SupervisorHsm(SOCKETS.hsm(state, 'doctor'), { deadlineSeconds: 10 });
  try {
    return deviceFindings(await hsm.devices());
  } catch (error) {
    return [findingOf(error)];
  } finally {
    hsm.close();
  }
}
