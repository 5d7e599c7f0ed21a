import { join, resolve } from 'node:path';
import { RehearsalQuorum } from '../../../apps/cli/src/approver/rehearsal-quorum.js';
import { openKeys } from './keys-app.js';

/**
 * The client that is killed: `client.js DATABASE_URL DIR LABEL`. It prints `begin`, then generates, copies and activates roots
 * LABEL/0, LABEL/1, … until somebody ends it or a command fails (its device or supervisor was killed).
 */
const [databaseUrl = '', dir = '', label = ''] = process.argv.slice(2);
const quorum = await RehearsalQuorum.start({ keysDir: join(dir, 'approvers'), policyDir: join(dir, 'policy'), program: resolve('dist/apps/cli/src/approver/main.js') });
const { keys } = await openKeys(databaseUrl, dir, quorum);
process.stdout.write('begin\n');
try {
  for (let n = 0; ; n++) {
    const key = { label: `${label}/${n}` };
    await keys.generateRoot({ ...key, keyClass: 'dataRoot', algorithm: '3des2', device: 'general-1' });
    await keys.copy(key.label, 'diversification-1');
    await keys.activate(key.label);
    process.stdout.write(`made ${key.label}\n`);
  }
} catch (error) {
  process.stdout.write(`failed ${(error as Error).message}\n`);
  process.exit(0);
}
