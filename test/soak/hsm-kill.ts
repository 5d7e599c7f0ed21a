import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { isAppError } from '#libs/platform/domain';
import { childEnvironment } from '#libs/platform/host';
import { familyOf } from '../../apps/cli/src/demo/process-sight.js';
import { seededRandom } from '../../apps/cli/src/soak/random.js';
import { SimControl, simDevice } from '../builders/hsm-sim.js';
import { startRunningJournal } from '../env/running-journal.js';
import { createTestDatabase } from '../env/test-database.js';
import { startTestHsm, type TestHsm } from '../env/test-hsm.js';
import { openKeys } from './hsm-kill/keys-app.js';

/**
 * `soak hsm-kill`: kill -9 of an agent, the supervisor or the client at a random moment while keys are generated, copied and
 * activated; afterwards the register and both devices must agree: no object that the register does not know, no key twice, no
 * wrong fingerprint. In every fourth round C_GenerateKey takes long, so that a command completes after its client is dead.
 *
 *   hsm-kill [--rounds 100] [--seed N]      last line: N passed, N failed; needs HUFU_TEST_DATABASE_URL
 */
const DEVICES = ['general-1', 'diversification-1'] as const;
const VICTIMS = ['client', 'agent', 'supervisor'] as const;
const LATE = 'C_GenerateKey latency=1500';
/** A late command waits once for each key that it makes. */
const LATE_LOOKS = 5;
const KILL_WITHIN_MS = 2500;
const UP_SECONDS = 60;

interface Round {
  readonly n: number;
  readonly victim: (typeof VICTIMS)[number];
  readonly afterMs: number;
  readonly late: boolean;
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { rounds: { type: 'string', default: '100' }, seed: { type: 'string', default: String(randomInt(2 ** 31)) } } });
  process.chdir(join(import.meta.dirname, '../../..'));
  const random = seededRandom(Number(values.seed));
  process.stdout.write(`seed ${values.seed}\n`);
  const database = await createTestDatabase();
  const log = await startRunningJournal(database.url);
  const dir = mkdtempSync(join(tmpdir(), 'hufu-hsm-kill-'));
  mkdirSync(join(dir, 'control'), { mode: 0o700 });
  const controls = DEVICES.map((device) => new SimControl(join(dir, 'control', device)));
  const devices = (): ReturnType<typeof simDevice>[] => DEVICES.map((device, i) => simDevice(dir, device, { group: i === 0 ? 'general' : 'diversification', control: controls[i] as SimControl }));
  let rig = await startTestHsm({ dir, devices });
  const totals = { passed: 0, failed: 0 };
  let lateObjects = 0;
  try {
    for (let n = 0; n < Number(values.rounds); n++) {
      const round: Round = { n, victim: VICTIMS[Math.floor(random() * VICTIMS.length)] as Round['victim'], afterMs: Math.floor(random() * KILL_WITHIN_MS), late: n % 4 === 3 };
      if (round.late) controls[0]?.set(LATE);
      rig = await trial(round, rig, database.url, () => startTestHsm({ dir, devices }));
      const { keys, late, wrong } = await look(rig, database.url, dir, round.late, () => controls.forEach((control) => control.set()));
      totals[wrong.length === 0 ? 'passed' : 'failed']++;
      lateObjects += late;
      process.stdout.write(`${wrong.length === 0 ? '✓' : '✗'} ${n} ${round.victim} after ${round.afterMs} ms${round.late ? ', late' : ''}: ${keys} keys${late > 0 ? `, ${late} late destroyed` : ''}${wrong.map((each) => `\n  ${each}`).join('')}\n`);
    }
  } finally {
    await rig.stop();
    await log.stop();
    await database.drop();
    rmSync(dir, { recursive: true, force: true });
  }
  process.stdout.write(`${lateObjects} objects came late and were destroyed\n${totals.passed} passed, ${totals.failed} failed\n`);
  return totals.failed === 0 ? 0 : 1;
}

/** The client works, the victim dies; a dead supervisor is started again. */
async function trial({ n, victim, afterMs }: Round, rig: TestHsm, databaseUrl: string, restart: () => Promise<TestHsm>): Promise<TestHsm> {
  const client = spawn(process.execPath, [resolve('dist/test/soak/hsm-kill/client.js'), databaseUrl, rig.dir, `kill/${n}`], { env: childEnvironment(), stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<void>((done) => client.once('close', () => done()));
  await new Promise<void>((begun) => {
    client.stdout.on('data', (piece: Buffer) => piece.toString().includes('begin') && begun());
    void ended.then(begun);
  });
  await new Promise((next) => setTimeout(next, afterMs));
  const pids = familyOf(rig.supervisor.pid ?? 0).filter((pid) => pid !== rig.supervisor.pid);
  kill({ client: client.pid, supervisor: rig.supervisor.pid, agent: pids[n % Math.max(1, pids.length)] }[victim]);
  if (victim === 'supervisor') {
    await rig.stop({ keep: true });
    // The client is told by its broken connection; what it asks after that finds nobody.
    await ended;
    return restart();
  }
  if (victim === 'agent') await Promise.race([ended, new Promise((next) => setTimeout(next, KILL_WITHIN_MS))]);
  kill(client.pid);
  await ended;
  return rig;
}

/** What start-up does (settle intents, destroy late objects); then both devices are compared with the register. */
async function look(rig: TestHsm, databaseUrl: string, dir: string, isLate: boolean, heal: () => void): Promise<{ keys: number; late: number; wrong: string[] }> {
  const { keys, hsm, app } = await openKeys(databaseUrl, dir, rig.quorum);
  try {
    await until(async () => (await hsm.devices()).every(({ state }) => state === 'up'));
    await again(() => keys.settleIntents());
    heal();
    // A dead client's command may be carried out after any look; the service looks every 30 seconds, here it is every second.
    let late = 0;
    for (let looks = 0; looks < (isLate ? LATE_LOOKS : 1); looks++) {
      if (looks > 0) await new Promise((next) => setTimeout(next, 1000));
      await again(async () => (late += await keys.destroyLate()));
    }
    const records = await keys.list();
    const wrong: string[] = [];
    for (const device of DEVICES) {
      const objects = (await hsm.inventory(device)).filter(({ label }) => label !== 'device-identity');
      const present = records.filter(({ copies }) => copies.some((copy) => copy.device === device && copy.state === 'present'));
      for (const { keyId, label } of objects) if (!present.some((record) => record.keyId === keyId)) wrong.push(`${device}: orphan ${label} ${keyId}`);
      for (const record of present) {
        const count = objects.filter(({ keyId }) => keyId === record.keyId).length;
        if (count !== 1) wrong.push(`${device}: ${count} objects of ${record.label}`);
        else {
          const { kcv, fingerprint } = await keys.measure(device, record.keyId, 'zero3');
          if (kcv !== record.kcv || fingerprint !== record.fingerprint) wrong.push(`${device}: ${record.label} has another fingerprint`);
        }
      }
    }
    for (const { label, copies, state } of records) {
      if (state === 'planned' || copies.some((copy) => copy.state === 'planned')) wrong.push(`unsettled: ${label}`);
      if (state === 'active' && copies.filter((copy) => copy.state === 'present').length < 2) wrong.push(`active with one copy: ${label}`);
    }
    return { keys: records.length, late, wrong };
  } finally {
    await app.close();
  }
}

/** A device that is still busy with a dead client's command, or comes back, is asked again. */
async function again(act: () => Promise<unknown>): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await act();
      return;
    } catch (error) {
      if (attempt === 20 || !isAppError(error) || !['HSM_DEVICE_DOWN', 'HSM_TIMEOUT', 'HSM_UNREACHABLE'].includes(error.code)) throw error;
      await new Promise((next) => setTimeout(next, 500));
    }
  }
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + UP_SECONDS * 1000;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`the devices are not up within ${UP_SECONDS} s`);
    await new Promise((next) => setTimeout(next, 100));
  }
}

function kill(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as { code?: string }).code !== 'ESRCH') throw error;
  }
}

main().then((code) => process.exit(code), (error: unknown) => {
  process.stderr.write(`${String((error as Error).stack)}\n`);
  process.exit(1);
});
