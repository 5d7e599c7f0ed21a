import { Ceremony, FileTranscriptStore, readPolicy } from '#libs/ceremony';
import { SystemClock } from '#libs/platform';

/**
 * A station as a process of its own, for tests that kill it: `node dist/test/env/ceremony-writer.js FOLDER POLICY`. Resumes the ceremony of the
 * folder and enters deviations one after the other; says the number of each event once it is kept.
 */
const [folder = '', policy = ''] = process.argv.slice(2);
const ceremony = await Ceremony.resume({ store: FileTranscriptStore.open(folder), approvers: readPolicy(policy), clock: new SystemClock() }, { by: 'admin', station: 'writer' });
process.stdout.write('ready\n');
for (let n = 0; ; n++) {
  const state = await ceremony.record({ type: 'deviation', by: 'admin', text: `${n} ${'说明'.repeat(n % 200)}` });
  process.stdout.write(`${state.last?.event.seq ?? 0}\n`);
}
