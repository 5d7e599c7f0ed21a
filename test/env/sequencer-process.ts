import { setTimeout as sleep } from 'node:timers/promises';
import { CAUGHT_UP_BELOW, type LogKey, Sequencer } from '#libs/journal';
import { openDataSource, SystemClock } from '#libs/platform';
import { LocalSigner } from '../builders/local-log.js';

/**
 * A sequencer as a process of its own, for tests that kill it: `node dist/test/env/sequencer-process.js DATABASE_URL KEY PKCS8 [IDLE_MS]`. KEY is
 * the log key as JSON with its SPKI in Base64, IDLE_MS how long it waits when it has caught up. Says `ready`, then places entries until it is killed or its stdin ends.
 */
const [url = '', key = '{}', pkcs8 = '', idleMs = '0'] = process.argv.slice(2);
const named = JSON.parse(key) as Omit<LogKey, 'spki'> & { spki: string };
const signer = new LocalSigner();
signer.take({ ...named, spki: Uint8Array.from(Buffer.from(named.spki, 'base64')) }, pkcs8);
const log = new Sequencer(await openDataSource({ url, role: 'hufu_journal', poolSize: 1 }), signer, new SystemClock());
process.stdin.on('end', () => process.exit(0));
process.stdin.resume();
process.stdout.write('ready\n');
for (;;) if ((await log.runOnce()) < CAUGHT_UP_BELOW) await sleep(Number(idleMs));
