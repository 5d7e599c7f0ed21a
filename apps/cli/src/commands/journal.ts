import { hash } from 'node:crypto';
import { createWriteStream, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { exportFile, readPublicKey, reportLines, verifyFile } from '#libs/journal';
import { environment, openDataSource, requireMigrated } from '#libs/platform';
import { AppError } from '#libs/platform/domain';
import { type Invocation, parseArguments } from '../command.js';
import { openDatabase } from '../database.js';
import { tryLock } from '../doctor-hsm.js';
import { endLeftovers } from '../product.js';
import type { StateFolder } from '../state-folder.js';
import type { Terminal } from '../terminal.js';

const ACTIONS: Readonly<Record<string, (invocation: Invocation, args: string[]) => Promise<number>>> = { export: exportTo, verify, bundle };

/** `journal export --out FILE`, `journal verify FILE --key SPKI [--anchor FILE …]`, `journal bundle --out FILE`. */
export async function run(invocation: Invocation): Promise<number> {
  const [action = '', ...args] = invocation.args;
  const found = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined;
  if (found === undefined) throw new AppError('COMMAND_INVALID', { reason: `journal ${action}: ${Object.keys(ACTIONS).join(', ')}` });
  return found(invocation, args);
}

/** Beside a product that is up it reads that database; else it starts the database for the export. */
async function exportTo({ checkout, state, terminal }: Invocation, args: string[]): Promise<number> {
  const { values } = parseArguments({ args, options: { out: { type: 'string' } } });
  if (values.out === undefined) throw new AppError('COMMAND_INVALID', { reason: 'journal export --out FILE' });
  const out = resolve(values.out);
  const lock = tryLock(state);
  if (lock === undefined) return writeExport(runningDatabase(state), out, terminal);
  try {
    await endLeftovers(state, checkout);
    state.prepare();
    const database = await openDatabase(state, checkout, environment().databaseUrl);
    try {
      return await writeExport(database.ownerUrl, out, terminal);
    } finally {
      await database.stop();
    }
  } finally {
    lock.release();
  }
}

function runningDatabase(state: StateFolder): string {
  try {
    return (JSON.parse(readFileSync(state.file('run', 'product.json'), 'utf8')) as { databaseUrl: string }).databaseUrl;
  } catch (error) {
    throw new AppError('SERVICE_UNREACHABLE', {}, { cause: error });
  }
}

/** A snapshot: what is written while it runs is in the next export. A file that exists is not written over. */
async function writeExport(ownerUrl: string, out: string, terminal: Terminal): Promise<number> {
  const dataSource = await openDataSource({ url: ownerUrl, poolSize: 1 });
  try {
    await requireMigrated(dataSource);
    let [bytes, shown] = [0, 0];
    const counted = async function* (): AsyncGenerator<Uint8Array> {
      for await (const piece of exportFile(dataSource, new Date())) {
        bytes += piece.length;
        if (bytes - shown >= PROGRESS_BYTES) {
          shown = bytes;
          terminal.say(`已导出 ${mib(bytes)} MiB`, `${mib(bytes)} MiB written`);
        }
        yield piece;
      }
    };
    await pipeline(Readable.from(counted()), createWriteStream(out, { flags: 'wx', mode: 0o600 })).catch((error: unknown) => {
      const { code } = error as { code?: string };
      if (code === 'EEXIST' || code === 'ENOENT' || code === 'EACCES') throw new AppError('COMMAND_INVALID', { reason: `--out ${out}: ${code}` }, { cause: error });
      throw error;
    });
    terminal.say(`日志已导出：${out}（${mib(bytes)} MiB）`, `journal exported: ${out} (${mib(bytes)} MiB)`);
    return 0;
  } finally {
    await dataSource.destroy();
  }
}

/** Needs nothing but the file, the key and the anchors' files: no database, no device, no state folder. */
async function verify({ terminal }: Invocation, args: string[]): Promise<number> {
  const { values, positionals } = parseArguments({ args, options: { key: { type: 'string' }, anchor: { type: 'string', multiple: true, default: [] } }, allowPositionals: true });
  const [file, ...rest] = positionals;
  if (file === undefined || rest.length > 0 || values.key === undefined) throw new AppError('COMMAND_INVALID', { reason: 'journal verify FILE --key SPKI [--anchor FILE …]' });
  const started = performance.now();
  const report = verifyFile(readable(file), {
    publicKey: keyFrom(readable(values.key)),
    anchorFiles: values.anchor.map(readable),
    onProgress: (records) => terminal.say(`已核验 ${records} 条`, `${records} records verified`),
  });
  for (const { zh, en } of reportLines(report, (performance.now() - started) / 1000)) {
    if (zh === en) terminal.line(en);
    else terminal.say(zh, en);
  }
  return report.fault === undefined ? 0 : 1;
}

/** The verifier as one file that needs nothing but Node, for whoever is to trust neither this host nor its checkout. */
async function bundle({ checkout, terminal }: Invocation, args: string[]): Promise<number> {
  const { values } = parseArguments({ args, options: { out: { type: 'string' } } });
  if (values.out === undefined) throw new AppError('COMMAND_INVALID', { reason: 'journal bundle --out FILE' });
  const { build } = await import('esbuild');
  const outfile = resolve(values.out);
  await build({ entryPoints: [join(checkout, 'dist/apps/cli/src/journal-verifier/main.js')], outfile, bundle: true, platform: 'node', format: 'esm', target: 'node24', logLevel: 'silent' });
  const digest = hash('sha256', readFileSync(outfile), 'hex').toUpperCase();
  terminal.say(`独立核验程序：${outfile}（SHA-256 ${digest}）`, `stand-alone verifier: ${outfile} (SHA-256 ${digest})`);
  return 0;
}

const PROGRESS_BYTES = 64 * 1024 * 1024;
const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);

function readable(path: string): string {
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) throw new AppError('NOT_FOUND', { what: path });
  return path;
}

function keyFrom(path: string): Uint8Array {
  try {
    return readPublicKey(readFileSync(path));
  } catch (error) {
    throw new AppError('COMMAND_INVALID', { reason: `--key ${path}: not a public key (PEM or DER)` }, { cause: error });
  }
}
