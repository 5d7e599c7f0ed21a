import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, existsSync } from 'node:fs';
import { finished } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import PDFDocument from 'pdfkit';
import type { Rig } from '../../../apps/cli/src/demo/context.js';
import { asOwner, flipByte, ownerOf } from './spoil.js';

/** pg_advisory_xact_lock number of the journal's sequencer. */
const SEQUENCER_LOCK = 0x4855_4a4e;
const SOFTHSM = ['/usr/lib/softhsm/libsofthsm2.so', '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so', '/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so'];

/** Another report under the signature, a changed journal body, an entry that is never placed, and three strange processes. */
export const rig: Rig = {
  async afterReport(_demo, files) {
    const page = new PDFDocument();
    const out = page.pipe(createWriteStream(files.pdf));
    page.text('nothing to see');
    page.end();
    await finished(out);
    for (const file of [files.json, files.jsonCms, files.pdfCms]) flipByte(file, 3);
  },

  async beforeClosing(demo) {
    const holder = await ownerOf(demo);
    await holder.query('BEGIN');
    await holder.query('SELECT pg_advisory_xact_lock($1)', [SEQUENCER_LOCK]);
    await asOwner(
      demo,
      'ALTER TABLE journal_stage DISABLE TRIGGER USER',
      'ALTER TABLE journal_stage DROP CONSTRAINT leaf_hash_of_body',
      `UPDATE journal_stage SET body = body || 'x'::bytea WHERE id = (SELECT stage_id FROM journal_entry WHERE idx = 3)`,
      `INSERT INTO journal_stage (id, kind, subject, body, leaf_hash) VALUES (gen_random_uuid(), 'rig', 'rig', 'x', 'x')`,
    );
    const module = SOFTHSM.find((path) => existsSync(path)) ?? '';
    const children = [
      spawn('sleep', ['60'], { env: { LD_PRELOAD: module }, stdio: 'ignore' }),
      spawn(process.execPath, ['-e', 'const held = Buffer.alloc(1.7e9, 1); console.log("held"); setTimeout(() => held, 60_000)'], { stdio: ['ignore', 'pipe', 'ignore'] }),
    ];
    await held(children[1] as ChildProcess);
    await sleep(1_500);
    process.on('exit', () => children.forEach((child) => child.kill('SIGKILL')));
    (demo.worker.nodeFlags as string[]).push('--allow-fs-read=*');
  },
};

function held(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.stdout?.once('data', () => resolve());
    child.once('exit', (code) => reject(new Error(`the memory holder ended with ${code}`)));
  });
}

/** Rows that must fail, and no others. */
export const fails = [/^report\./, /^journal\./, /^processes\./, /^truth\./, /^memory\./];
