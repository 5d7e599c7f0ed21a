import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EscrowPackage } from '#libs/hsm';
import { toHex, writeFileAtomic } from '#libs/platform';
import { simDevice } from '../../builders/hsm-sim.js';
import { TestCustodian } from '../../env/test-custodian.js';
import { startTestHsm } from '../../env/test-hsm.js';

/** What the test that searches memories is told, in `held.json`. */
export interface HeldEscrow {
  readonly escrow: EscrowPackage;
  /** Of the root that came back. */
  readonly recovered: string;
}

const LOOK_MS = 50;
const CUSTODIANS = [1, 2, 3];
const QUORUM = [1, 3];

/**
 * A ceremony station: splits a root among three custodians and brings it back into an empty device, all generators seeded. It keeps what
 * passed through its hands (package, shares on their way), writes `held.json` and waits for a file `go`.
 */
const [folder, seeds] = [process.argv[2] as string, JSON.parse(process.argv[3] as string) as { source: string; target: string; custodians: string[] }];
const rig = await startTestHsm({
  dir: join(folder, 'hsm'),
  devices: (dir) => [simDevice(dir, 'source-1', { lines: { seed: seeds.source } }), simDevice(dir, 'target-1', { lines: { seed: seeds.target } })],
});
const custodians = await Promise.all(CUSTODIANS.map((index, at) => TestCustodian.enrol(index, 'sm2', { lines: { seed: seeds.custodians[at] as string } })));
const [keyId, splitId] = [toHex(randomBytes(16)), toHex(randomBytes(16))];
await rig.hsm.generateKey('source-1', { keyId, label: readFileSync(join(folder, 'marker'), 'utf8'), keyClass: 'dataRoot', algorithm: 'aes128' });
await rig.hsm.escrowTrust('source-1', custodians.map(({ named: { algorithm, publicKey } }) => ({ algorithm, publicKey })));
const escrow = await rig.hsm.escrowSplit('source-1', { keyId, splitId, m: QUORUM.length, custodians: custodians.map(({ named }) => named) });
const target = await rig.hsm.escrowTarget('target-1', { splitId, algorithm: 'sm2' });
const shares: { index: number; wrapped: Uint8Array }[] = [];
for (const index of QUORUM) {
  const custodian = custodians[index - 1] as TestCustodian;
  await custodian.trust(target);
  shares.push({ index, wrapped: await custodian.open(escrow.wrappedShares[index - 1] as string, target) });
}
await rig.hsm.escrowRecover('target-1', { keyId, escrow, shares });
const [fingerprint] = await rig.hsm.fingerprints('target-1', [keyId]);
writeFileSync(join(folder, 'package.json'), JSON.stringify(escrow));
writeFileAtomic(join(folder, 'held.json'), JSON.stringify({ escrow, recovered: toHex(fingerprint as Uint8Array) } satisfies HeldEscrow));
while (!existsSync(join(folder, 'go'))) await new Promise((next) => setTimeout(next, LOOK_MS));
await Promise.all(custodians.map((custodian) => custodian.stop()));
await rig.stop({ keep: true });
