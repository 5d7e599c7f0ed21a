import { execFile } from 'node:child_process';
import { createWriteStream, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { exportFile, faultText, verifyFile } from '#libs/journal';
import { childEnvironment, fromHex, openDataSource } from '#libs/platform';
import { anchorFolder } from '../setup-config.js';
import type { Demo } from './context.js';
import { familyOf, holdersOfPkcs11, type MemoryWatch } from './process-sight.js';

const MEMORY_LIMIT_MIB = 1_536;

interface ShownJournal {
  readonly entries: number;
  readonly waiting: number;
  readonly root: string;
  readonly firstBad: string | null;
}

/** What must hold of the whole: the journal, the processes, the memory, and the fence around the verifier. */
export async function closingStep(demo: Demo, truthFile: string, memory: MemoryWatch): Promise<{ peakMiB: number }> {
  await demo.rig.beforeClosing?.(demo);
  const journal = await settledJournal(demo);
  demo.checks.add('journal.whole', 'every body matches its leaf', journal.firstBad ?? 'every body matches its leaf', 'RFC 9162 2.1.1, bodies hashed again');
  demo.checks.add('journal.sequenced', 0, journal.waiting, 'entries without a place in the log');
  await verifiedOffline(demo);
  demo.say(`日志 ${journal.entries} 条，根 ${journal.root.slice(0, 16)}…`, `journal: ${journal.entries} entries, root ${journal.root.slice(0, 16)}…`);

  demo.checks.add('processes.pkcs11', 'hsm/agent', holdersOfPkcs11(familyOf(process.pid)).join(', '), '/proc/*/maps of every process');
  demo.checks.add('truth.fenced', 'ERR_ACCESS_DENIED', await openBehindFence(demo, truthFile), "opened under the verifying process's own flags");
  const peakMiB = memory.stop();
  const verdict = (mib: number): string => (mib < MEMORY_LIMIT_MIB ? `below ${MEMORY_LIMIT_MIB} MiB` : `${Math.round(mib)} MiB`);
  demo.checks.add('memory.pss', `below ${MEMORY_LIMIT_MIB} MiB`, verdict(peakMiB), 'summed PSS of all processes, /proc/*/smaps_rollup');
  return { peakMiB };
}

/** As a stranger would: an export, the first log key, the anchor's file. */
async function verifiedOffline(demo: Demo): Promise<void> {
  const [key] = await demo.client.call<{ publicKey: string }[]>('journal.keys');
  const { databaseUrl } = JSON.parse(readFileSync(demo.state.file('run', 'product.json'), 'utf8')) as { databaseUrl: string };
  const file = join(demo.work, 'journal-export');
  const dataSource = await openDataSource({ url: databaseUrl, poolSize: 1 });
  try {
    await pipeline(Readable.from(exportFile(dataSource, new Date())), createWriteStream(file, { mode: 0o600 }));
  } finally {
    await dataSource.destroy();
  }
  const { anchored, fault } = verifyFile(file, { publicKey: fromHex(key?.publicKey ?? ''), anchorFiles: [join(anchorFolder(demo.state), 'checkpoints')] });
  const found = fault === undefined ? (anchored > 0 ? 'whole and anchored' : 'whole, no anchored head') : faultText(fault);
  demo.checks.add('journal.offline', 'whole and anchored', found, "export verified with the public key and the anchor's file alone");
}

/** The sequencer follows within moments; wait for it, then look. */
async function settledJournal(demo: Demo): Promise<ShownJournal> {
  let report = await demo.client.call<ShownJournal>('journal.check');
  for (let tries = 0; report.waiting > 0 && tries < 50; tries++) {
    await sleep(200);
    report = await demo.client.call<ShownJournal>('journal.check');
  }
  return report;
}

/** Tries to open a file in a process that is fenced exactly like the worker; returns how it ended. */
function openBehindFence(demo: Demo, file: string): Promise<string> {
  const script = `try { require('node:fs').readFileSync(${JSON.stringify(file)}); console.log('opened'); } catch (error) { console.log(error.code); }`;
  return new Promise((resolve) => {
    execFile(process.execPath, [...demo.worker.nodeFlags, '-e', script], { env: childEnvironment(), cwd: demo.state.home }, (_error, stdout, stderr) =>
      resolve(stdout.trim() || stderr.trim().split('\n')[0] || 'no answer'),
    );
  });
}
