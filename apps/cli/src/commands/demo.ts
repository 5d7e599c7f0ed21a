import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeFileAtomic } from '#libs/platform';
import { AppError } from '#libs/platform/domain';
import { type Invocation, parseArguments, wholeNumber } from '../command.js';
import { CommandClient } from '../command-client.js';
import type { RehearsalQuorum } from '../approver/rehearsal-quorum.js';
import { approvalStep, releasedIds } from '../demo/approval-step.js';
import { certificateStep } from '../demo/certificate-step.js';
import { Checks, holds } from '../demo/check.js';
import { closingStep } from '../demo/closing-step.js';
import type { Demo } from '../demo/context.js';
import { dayStep } from '../demo/day-step.js';
import { makeSubjects, type Plan } from '../demo/generator.js';
import { keyStep } from '../demo/key-step.js';
import { MemoryWatch } from '../demo/process-sight.js';
import { psamStep } from '../demo/psam-step.js';
import { REGIONS } from '../demo/regions.js';
import { reportStep } from '../demo/report-step.js';
import { loadRig } from '../demo/rig.js';
import { renderTable } from '../demo/table.js';
import { Product } from '../product.js';
import type { Terminal } from '../terminal.js';

const DEFAULT_RECORDS = 100_000;
/** Series are three digits in the numbers of cards and terminals. */
const SERIES_LIMIT = 1_000;

/** The main job against a started product: keys → PSAM → certificates → settlement day → report. 0 only if every check holds. */
export async function run({ args, checkout, state, terminal }: Invocation): Promise<number> {
  const { values } = parseArguments({
    args: [...args],
    options: {
      seed: { type: 'string', default: '1' },
      records: { type: 'string', default: String(DEFAULT_RECORDS) },
      clean: { type: 'boolean', default: false },
      rig: { type: 'string' },
    },
  });
  const seed = wholeNumber('seed', values.seed, 0, Number.MAX_SAFE_INTEGER);
  const records = wholeNumber('records', values.records, 1_000, 100_000_000);
  const rig = await loadRig(values.rig);
  const started = performance.now();
  const releasedBefore = values.clean ? new Set<string>() : releasedIds(state);
  const product = await Product.start({ state, checkout, terminal, httpPort: 0, clean: values.clean, requireDevices: true });
  // A run that stops half-way must not leave the rows of the one before as its own.
  rmSync(join(state.home, 'demo.json'), { force: true });
  const memory = new MemoryWatch(process.pid);
  const cardFolder = mkdtempSync(join(tmpdir(), 'hufu-cards-'));
  const checks = new Checks();
  const ended = new Promise<never>((_resolve, reject) => product.onFailure(reject));
  ended.catch(() => undefined);
  try {
    const client = await CommandClient.open(product.commandSocket);
    const series = await nextSeries(client);
    const work = state.file('demo', String(series));
    for (const folder of ['openssl', 'subjects']) mkdirSync(join(work, folder), { recursive: true, mode: 0o700 });
    cpSync(join(checkout, 'test', 'vectors'), join(work, 'vectors'), { recursive: true });
    const demo: Demo = {
      state, work, checkout, cardFolder, series, seed, records, client, checks, rig,
      httpUrl: product.httpUrl,
      worker: { nodeFlags: product.workerFlags },
      quorum: product.quorum as RehearsalQuorum,
      releasedBefore,
      vectors: (name) => join(work, 'vectors', name),
      say: (zh, en) => terminal.say(zh, en),
      progress: (zh, en) => progressOn(terminal, zh, en),
    };
    const { report, peakMiB } = await Promise.race([steps(demo, memory), ended]);
    client.close();
    writeFileAtomic(join(state.home, 'demo.json'), `${JSON.stringify(checks.rows, null, 2)}\n`);
    return conclude(terminal, checks, { report, peakMiB, seconds: (performance.now() - started) / 1_000, file: join(state.home, 'demo.json') });
  } finally {
    memory.stop();
    rmSync(cardFolder, { recursive: true, force: true });
    await product.stop();
  }
}

async function steps(demo: Demo, memory: MemoryWatch): Promise<{ report: string; peakMiB: number }> {
  const title = (n: number, zh: string, en: string): void => demo.say(`\n[${n}/6] ${zh}`, en);
  title(1, '根密钥', 'root keys');
  const roots = await keyStep(demo);
  title(2, 'PSAM 卡', 'PSAM cards');
  const plan = await enterPopulation(demo);
  await psamStep(demo, roots);
  title(3, '证书', 'certificates');
  const certificates = await certificateStep(demo, plan);
  title(4, '结算日与重新验签', 'a settlement day, verified again');
  const day = await dayStep(demo, plan, certificates.reportSigner);
  title(5, '报告', 'the report');
  const report = await reportStep(demo, day, certificates);
  title(6, '审批、日志与进程', 'approvals, journal and processes');
  await approvalStep(demo, roots);
  const { peakMiB } = await closingStep(demo, day.truthFile, memory);
  return { report, peakMiB };
}

/** Who exists: institutions, terminals and card holders, with keys of their own, made outside the product. */
async function enterPopulation(demo: Demo): Promise<Plan> {
  demo.say('生成机构、终端和持卡人的密钥对与证书请求', 'key pairs and certificate requests of institutions, terminals and cards');
  const plan = await makeSubjects(demo);
  await demo.client.call('organisations.register', { regions: REGIONS, institutions: plan.institutions, terminals: plan.terminals });
  return plan;
}

/** Every run names its keys, cards and CAs with a number of its own, so that runs in one state do not meet. */
async function nextSeries(client: CommandClient): Promise<number> {
  const keys = await client.call<{ label: string }[]>('keys.list');
  const used = keys.map((key) => Number(/^demo(\d+)\//.exec(key.label)?.[1] ?? 0));
  const next = Math.max(0, ...used) + 1;
  if (next >= SERIES_LIMIT) throw new AppError('DEMO_SERIES_FULL', { runs: SERIES_LIMIT });
  return next;
}

function progressOn(terminal: Terminal, zh: string, en: string): (done: number, total: number) => void {
  let told = -1;
  return (done, total) => {
    const tenth = Math.floor((done / total) * 10);
    if (tenth === told) return;
    told = tenth;
    terminal.line(`  ${String(Math.round((done / total) * 100)).padStart(3)} %  ${zh} ${done}/${total} / ${en}`);
  };
}

function conclude(terminal: Terminal, checks: Checks, facts: { report: string; peakMiB: number; seconds: number; file: string }): number {
  terminal.line('');
  terminal.line(renderTable(checks.rows));
  terminal.line('');
  terminal.line(`报告 report     ${join(facts.report, 'report.pdf')}`);
  terminal.line(`检查 checks     ${facts.file}`);
  terminal.say(`用时 ${facts.seconds.toFixed(0)} 秒，内存峰值 ${facts.peakMiB.toFixed(0)} MiB`, `${facts.seconds.toFixed(0)} s, peak memory (PSS) ${facts.peakMiB.toFixed(0)} MiB`);
  const failed = checks.failed;
  if (failed.length === 0) terminal.say(`全部 ${checks.rows.length} 项检查成立`, `all ${checks.rows.length} checks hold`);
  else terminal.warn(`${failed.length} 项检查不成立`, `${failed.length} checks do not hold: ${failed.map((row) => row.name).join(', ')}`);
  return checks.rows.every(holds) ? 0 : 1;
}
