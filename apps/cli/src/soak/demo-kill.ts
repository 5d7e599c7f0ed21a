import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { SupervisorHsm } from '#libs/hsm';
import { endLeftovers, lockState, startHsm } from '../product.js';
import { signal, waitUntilNone } from '../process-table.js';
import { SOCKETS } from '../setup-config.js';
import { StateFolder } from '../state-folder.js';
import type { Terminal } from '../terminal.js';
import { planRounds, type Round, stageDurations, STAGES } from './kill-plan.js';
import { TrialTree } from './trial-tree.js';

export interface DemoKillOptions {
  readonly checkout: string;
  readonly rounds: number;
  readonly seed: number;
  readonly records: number;
  readonly terminal: Terminal;
}

/** How long the processes of a killed start may take to notice; what lives longer is an orphan. */
const ORPHAN_MILLISECONDS = 10_000;
/** A round whose moment does not come (the stage was already past) ends with the run. */
const ROUND_MILLISECONDS = 900_000;

/**
 * Kills `./hufu demo` again and again (kill -9, the leader or its whole group) at random moments, also of set-up; then it
 * must run to the end, no process may be left, the journal must be whole and no token may hold a key twice.
 */
export async function demoKill(options: DemoKillOptions): Promise<boolean> {
  const { terminal, checkout } = options;
  terminal.line(`seed ${options.seed}, ${options.rounds} rounds, ${options.records} records`);
  const tree = new TrialTree(checkout);
  const faults: string[] = [];
  const durations = await wholeRun(tree, options);
  if (durations === undefined) return false;
  for (const [name, milliseconds] of durations) terminal.line(`  ${name.padEnd(10)} ${(milliseconds / 1_000).toFixed(1).padStart(6)} s`);
  for (const [i, round] of planRounds(options.seed, options.rounds).entries()) {
    const delay = round.moment * (durations.get(round.stage.name) ?? 0);
    const { outcome, orphans } = await runRound(tree, round, delay, options.records);
    terminal.line(`${String(i + 1).padStart(3)}  ${round.stage.name.padEnd(10)} +${(delay / 1_000).toFixed(1).padStart(4)} s  ${round.whom.padEnd(6)}  ${outcome}`);
    if (orphans.length > 0) faults.push(`round ${i + 1}: orphans ${orphans.join('; ')}`);
    // A demo that was not killed in time must have ended well.
    if (outcome.startsWith('ended') && outcome !== 'ended 0') faults.push(`round ${i + 1}: ${outcome}, see ${tree.home}/logs`);
  }
  faults.push(...(await finalRun(tree, options)));
  for (const fault of faults) terminal.line(`✗ ${fault}`);
  if (faults.length === 0) {
    tree.remove();
    terminal.say('全部通过：无残留进程，日志完整，无重复密钥', 'all green: no orphan process, the journal whole, no doubled key');
  } else terminal.say(`失败；现场保留在 ${tree.folder}`, `failed; the scene is kept in ${tree.folder}`);
  return faults.length === 0;
}

/** The first run, from nothing to the end, unharmed: it tells how long each stage takes. */
async function wholeRun(tree: TrialTree, { records, terminal }: DemoKillOptions): Promise<Map<string, number> | undefined> {
  const begins = new Map<string, number>();
  let text = '';
  const code = await tree.start(demoArguments(records, false), (chunk) => {
    text += chunk;
    const now = performance.now();
    for (const { name, begins: mark } of STAGES) if (!begins.has(name) && mark.test(text)) begins.set(name, now);
  }).ended;
  terminal.line(`first ./hufu demo: ${code}`);
  if (code !== 0 || begins.size !== STAGES.length) {
    terminal.line(text);
    return undefined;
  }
  return stageDurations(begins, performance.now());
}

const demoArguments = (records: number, clean: boolean): string[] => ['demo', '--records', String(records), ...(clean ? ['--clean'] : [])];

async function runRound(tree: TrialTree, round: Round, delay: number, records: number): Promise<{ outcome: string; orphans: string[] }> {
  for (const { from, path } of round.stage.undo) rmSync(join(from === 'state' ? tree.home : tree.checkout, path), { force: true });
  let text = '';
  let outcome = 'killed';
  let timer: NodeJS.Timeout | undefined;
  const kill = (): void => signal(round.whom === 'group' ? -run.pid : run.pid, 'SIGKILL');
  const run = tree.start(demoArguments(records, round.stage.clean), (chunk) => {
    text += chunk;
    if (timer === undefined && round.stage.begins.test(text)) timer = setTimeout(kill, delay);
  });
  const late = setTimeout(() => {
    outcome = 'stuck';
    kill();
  }, ROUND_MILLISECONDS);
  const code = await run.ended;
  clearTimeout(late);
  clearTimeout(timer);
  if (code !== null) outcome = `ended ${code}`;
  await waitUntilNone(() => tree.living(), ORPHAN_MILLISECONDS);
  const orphans = tree.living();
  for (const { pid } of orphans) signal(pid, 'SIGKILL');
  return { outcome, orphans: orphans.map((seen) => seen.arguments.join(' ').slice(0, 200)) };
}

async function finalRun(tree: TrialTree, { terminal, records }: DemoKillOptions): Promise<string[]> {
  const faults: string[] = [];
  for (const args of [demoArguments(records, false), ['doctor']]) {
    let text = '';
    const code = await tree.start(args, (chunk) => (text += chunk)).ended;
    terminal.line(`final ./hufu ${args.join(' ')}: ${code}`);
    if (code !== 0) faults.push(`final ./hufu ${args[0]} ended with ${code}:\n${text.split('\n').slice(-25).join('\n')}`);
  }
  if (!(await waitUntilNone(() => tree.living(), ORPHAN_MILLISECONDS))) faults.push('processes are left after a clean end');
  faults.push(...(await doubledKeys(tree)));
  return faults;
}

/** Every token's inventory: an id stands once per kind of object. */
async function doubledKeys(tree: TrialTree): Promise<string[]> {
  const state = new StateFolder(tree.home);
  const lock = lockState(state);
  try {
    await endLeftovers(state, tree.checkout);
    const supervisor = await startHsm(state, tree.checkout, undefined);
    process.chdir(state.home);
    const hsm = new SupervisorHsm(SOCKETS.hsm(state, 'service'));
    try {
      const found: string[] = [];
      for (const { device } of await hsm.devices()) {
        const names = (await hsm.inventory(device)).map((key) => `${key.objectClass} ${key.keyId}`);
        for (const name of new Set(names.filter((each, i) => names.indexOf(each) !== i))) found.push(`${device}: two objects ${name}`);
        if (names.length === 0) found.push(`${device}: empty`);
      }
      return found;
    } finally {
      hsm.close();
      await supervisor.stop();
    }
  } finally {
    lock.release();
  }
}
