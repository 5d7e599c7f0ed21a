import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { concatBytes, fromHex, toHex } from '#libs/platform';
import { familyOf } from '../../apps/cli/src/demo/process-sight.js';
import { simDevice } from '../builders/hsm-sim.js';
import { checkValueOf, childOf, drawnKeys, encrypted, type RootAlgorithm, seededStream, withOddParity } from '../builders/seeded-keys.js';
import { pinTraces } from '../env/pin-traces.js';
import { type DemoRow, runCli } from '../env/demo-run.js';
import { type Hit, SecretSearch } from '../env/secret-search.js';
import { FACTORS, type Held, SESSION_INPUT } from './rigs/hold.js';

/*
 * No clear key outside the module. The product runs its whole demonstration on two hsm-sim devices whose generator is seeded, so the
 * test knows every key; it stops before the end, and the memory of every process, then the database, its log, the logs and every file
 * are searched for them. First a mark planted in each place has to be found there. The same for the PINs of both tokens.
 */
const DEVICES = ['general-1', 'diversification-1'] as const;
const STREAM_BYTES = 64 * 1024;
const WINDOW_BYTES = 8;

const mark = randomBytes(16);
const home = mkdtempSync(join(tmpdir(), `hufu-${toHex(mark).toLowerCase()}-`));
const pinFolder = join(home, 'hsm', 'pins');
const seeds = Object.fromEntries(DEVICES.map((device) => [device, randomBytes(16)]));
let demo: Promise<{ code: number | null; text: string }>;
let held: Held;
let secrets: Map<string, Uint8Array>;
let windows: Map<string, Uint8Array>;
/** By the name of their file. */
let pins: Map<string, Uint8Array>;
let root = 0;

beforeAll(async () => {
  writeFileSync(join(home, 'marker'), `mark/${mark.toString('base64url')}`);
  const devices = DEVICES.map((device) => {
    const made = simDevice(join(home, 'hsm'), device, { group: device === 'general-1' ? 'general' : 'diversification', lines: { seed: toHex(seeds[device] as Uint8Array) } });
    return made;
  });
  const configFile = join(tmpdir(), `hufu-devices-${process.pid}.json`);
  writeFileSync(configFile, JSON.stringify({ devices }));
  demo = runCli(home, ['demo', '--records', '1000', '--rig', resolve('dist/test/e2e/rigs/hold.js')], { HUFU_HSM_CONFIG: configFile });
  let ended = false;
  void demo.finally(() => (ended = true));
  while (!existsSync(join(home, 'held.json'))) {
    if (ended) throw new Error((await demo).text);
    await new Promise((next) => setTimeout(next, 100));
  }
  rmSync(configFile);
  held = JSON.parse(readFileSync(join(home, 'held.json'), 'utf8')) as Held;
  root = (JSON.parse(readFileSync(join(home, 'run', 'product.json'), 'utf8')) as { pid: number }).pid;
  ({ secrets, windows } = whatTheModuleKnows(held));
  pins = new Map(readdirSync(pinFolder).map((name) => [name, new Uint8Array(readFileSync(join(pinFolder, name)))]));
}, 180_000);
afterAll(async () => {
  writeFileSync(join(home, 'go'), '');
  await demo;
  rmSync(home, { recursive: true, force: true });
});

/** Roots as they were drawn, their children on the way to the card, the reserved child, session keys; and every draw of the generators. */
function whatTheModuleKnows({ keys, cards }: Held): { secrets: Map<string, Uint8Array>; windows: Map<string, Uint8Array> } {
  const known = new Map<string, Uint8Array>();
  const draws = new Map<string, Uint8Array>();
  const add = (name: string, bytes: Uint8Array): void => {
    known.set(name, bytes);
    for (const at of [0, 8]) if (bytes.length === 16) known.set(`${name} half ${at / 8 + 1}`, bytes.subarray(at, at + 8));
  };
  for (const device of DEVICES) {
    const stream = seededStream(seeds[device] as Uint8Array, STREAM_BYTES);
    // A draw of 15 bytes or more holds one of these whole: key-encryption keys of transfers, private numbers, what else was drawn.
    for (let at = 0; at < stream.length; at += WINDOW_BYTES) draws.set(`draw ${at} of ${device}`, stream.subarray(at, at + WINDOW_BYTES));
    if (device !== 'general-1') continue;
    for (const [label, cardValue] of Object.entries(cards)) {
      const { algorithm, kcv } = keys.find((key) => key.label === label) as { algorithm: RootAlgorithm; kcv: string };
      const [region, card] = FACTORS.map((factor) => fromHex(factor)) as [Uint8Array, Uint8Array];
      const [value] = drawnKeys(stream, algorithm, kcv).filter((each) => checkValueOf(algorithm, childOf(algorithm, childOf(algorithm, each, region), card)) === cardValue);
      if (value === undefined) throw new Error(`${label} with check value ${kcv} is not in the stream of ${device}`);
      const regionKey = childOf(algorithm, value, region);
      const cardKey = childOf(algorithm, regionKey, card);
      add(`${label} root`, value);
      add(`${label} region key`, regionKey);
      add(`${label} card key`, cardKey);
      add(`${label} reserved child`, childOf(algorithm, value, new Uint8Array(8)));
      if (algorithm !== '3des2') continue;
      add(`${label} region key, odd parity`, withOddParity(regionKey));
      add(`${label} card key, odd parity`, withOddParity(cardKey));
      const session = encrypted(algorithm, cardKey, fromHex(SESSION_INPUT)).subarray(0, 8);
      const tac = cardKey.subarray(0, 8).map((octet, i) => octet ^ (cardKey[i + 8] as number));
      for (const [name, key] of [['session key', session], ['TAC key', tac]] as const) {
        known.set(`${label} ${name}`, key);
        known.set(`${label} ${name}, odd parity`, withOddParity(key));
      }
    }
  }
  return { secrets: known, windows: draws };
}

const argumentsOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
};
const isAgent = (pid: number): boolean => argumentsOf(pid).includes('apps/hsm/src/agent.js');
const programs = { supervisor: 'apps/hsm/src/main.js', service: 'apps/service/src/main.js', worker: 'apps/worker/src/main.js', cli: 'apps/cli/src/main.js', approver: 'apps/cli/src/approver/main.js', postgres: 'postgres' };
const processesOf = (program: string): number[] => familyOf(root).filter((pid) => argumentsOf(pid).includes(program));
const isSupervisor = (pid: number): boolean => argumentsOf(pid).includes(programs.supervisor);
let looked: { readonly hits: readonly (Hit & { readonly pid: number })[]; readonly processes: readonly number[] } | undefined;
/** All that is looked for, in the memory of all processes but the agents; once, since it takes a while. */
const memoryHits = (): NonNullable<typeof looked> => {
  if (looked !== undefined) return looked;
  const search = new SecretSearch([...secrets, ...windows, ...pins]);
  const seen = new Set<string>();
  const processes = familyOf(root).filter((pid) => !isAgent(pid));
  looked = { processes, hits: processes.flatMap((pid) => (search.inProcess(pid, seen) ?? []).map((hit) => ({ ...hit, pid }))) };
  return looked;
};
const shown = (hits: readonly Hit[]): string[] => [...new Set(hits.map(({ secret, form, where }) => `${secret} as ${form} in ${where}`))].slice(0, 20);

describe('the product on two seeded devices, held before its end', () => {
  it('made its roots from the seeded stream: the test knows them all', () => {
    expect(Object.keys(held.cards).length).toBe(5);
    expect([...secrets.keys()].filter((name) => name.endsWith(' root')).length).toBe(5);
    expect(secrets.size).toBeGreaterThan(60);
    expect(windows.size).toBe(2 * (STREAM_BYTES / WINDOW_BYTES));
  });

  it('agents and supervisor may leave no core file', () => {
    const limits = [...processesOf(programs.supervisor), ...familyOf(root).filter(isAgent)].map((pid) => /^Max core file size\s+(\S+)\s+(\S+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))?.slice(1));
    expect(limits).toEqual([['0', '0'], ['0', '0'], ['0', '0']]);
  });

  it('the search sees what was planted: in every process the folder’s name, in the module’s own agents the roots themselves', () => {
    const marks = new SecretSearch([['mark', mark]]);
    const unseen = familyOf(root).filter((pid) => marks.inProcess(pid, new Set())?.length === 0);
    expect(unseen.map(argumentsOf)).toEqual([]);
    for (const [name, program] of Object.entries(programs)) expect(`${name} ${processesOf(program).length > 0}`).toBe(`${name} true`);
    // The label of the last key, as Base64, came by these two.
    for (const program of [programs.service, programs.supervisor]) {
      const forms = processesOf(program).flatMap((pid) => marks.inProcess(pid, new Set()) ?? []).map(({ form }) => form.slice(0, 6));
      expect(forms).toContain('base64');
    }
    const agents = familyOf(root).filter(isAgent);
    expect(agents.length).toBe(2);
    const roots = new SecretSearch([...secrets].filter(([name]) => name.endsWith(' root')));
    for (const pid of agents) expect(roots.inProcess(pid, new Set())?.filter(({ form }) => form === 'raw').length).toBeGreaterThanOrEqual(5);
  });

  it('no process but the module’s own agents holds a root, a child, a session key, or anything that the generators drew', () => {
    const { hits, processes } = memoryHits();
    expect(processes.length).toBeGreaterThanOrEqual(8);
    expect(shown(hits.filter(({ secret }) => !pins.has(secret)))).toEqual([]);
  });

  it('the PINs are in no environment, on no command line and in no memory but of supervisor and agents; one that is planted there is found', () => {
    expect([...pins.keys()].sort()).toEqual(DEVICES.flatMap((device) => [device, `${device}.so`]).sort());
    expect(new SecretSearch(pins).inFolder(pinFolder).map(({ secret, form }) => `${secret} ${form}`).sort()).toEqual([...pins.keys()].map((name) => `${name} raw`).sort());
    const [first] = [...pins.values()].map((pin) => Buffer.from(pin).toString('utf8')) as [string];
    const planted = spawn(process.execPath, ['-e', 'setInterval(() => 0, 1000)', '--', first], { env: { PLANTED: first }, stdio: 'ignore' });
    try {
      expect(pinTraces([planted.pid as number], pins).map(({ where }) => where.replace(/^\d+ /, ''))).toEqual(expect.arrayContaining(['environment', 'command line', expect.stringContaining('[stack]')]));
    } finally {
      planted.kill('SIGKILL');
    }
    // Supervisor and agents read and take the PIN; what proc(5) shows of them holds none either.
    expect(shown(pinTraces(familyOf(root), pins, { memory: false }))).toEqual([]);
    const { hits, processes } = memoryHits();
    expect(processes.filter((pid) => !isSupervisor(pid)).length).toBeGreaterThanOrEqual(7);
    expect(shown(hits.filter(({ secret, pid }) => pins.has(secret) && !isSupervisor(pid)))).toEqual([]);
  });

  it('nor does the write-ahead log, nor what the database has on disk', () => {
    const pg = join(home, 'pg');
    const wal = readdirSync(pg, { recursive: true }).map(String).find((name) => name.endsWith('pg_wal')) ?? '';
    expect(new SecretSearch([['mark', mark]]).inFolder(join(pg, wal)).some(({ form }) => form.startsWith('base64'))).toBe(true);
    expect(shown(new SecretSearch([...secrets, ...windows]).inFolder(pg))).toEqual([]);
  });
});

describe('after its end', () => {
  it('the demonstration was whole', async () => {
    writeFileSync(join(home, 'go'), '');
    const { code, text } = await demo;
    const rows = JSON.parse(readFileSync(join(home, 'demo.json'), 'utf8')) as DemoRow[];
    expect(rows.filter(({ expected, actual }) => expected !== actual)).toEqual([]);
    expect([code, text.includes('INTERNAL')]).toEqual([0, false]);
  }, 120_000);

  it('no file has a key: tables, logs, evidence, reports, cores; and the token’s own file shows none', () => {
    for (const [folder, name] of [['logs', 'planted.log'], ['.', 'core.1'], ['run', 'core']] as const) writeFileSync(join(home, folder, name), concatBytes(randomBytes(5000), mark, randomBytes(7)));
    const marked = new SecretSearch([['mark', mark]]).inFolder(home).map(({ where, form }) => `${where.slice(home.length + 1)} ${form}`);
    expect(marked).toEqual(expect.arrayContaining(['logs/planted.log raw', 'core.1 raw', 'run/core raw']));
    expect(marked.some((line) => /^pg\/.*base\/\d+\/\d+ base64/.test(line))).toBe(true);
    // The PIN files are the one place for a PIN: no log, journal, table, evidence or report has one.
    expect(shown(new SecretSearch(pins).inFolder(home, (path) => path === pinFolder))).toEqual([]);
    // The seeds are the test's: they stand in the simulators' configuration. A token's file shows its own initial values and no key.
    expect(shown(new SecretSearch(secrets).inFolder(home))).toEqual([]);
    expect(shown(new SecretSearch(windows).inFolder(home, (path) => path === join(home, 'hsm', 'hsm') || path.endsWith('/tokens')))).toEqual([]);
    expect(readdirSync(home).filter((name) => name.startsWith('core'))).toEqual(['core.1']);
    expect(readdirSync('.').filter((name) => /^core(\.\d+)?$/.test(name))).toEqual([]);
  });
});
