import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { isAppError, toHex } from '#libs/platform/domain';
import { simDevice } from '../../../../test/builders/hsm-sim.js';
import { TestCustodian } from '../../../../test/env/test-custodian.js';
import { startTestHsm, type TestHsm } from '../../../../test/env/test-hsm.js';
import type { EscrowPackage, KeyObject } from '../hsm.js';

/* Escrow through supervisor, gate and approvals: what the rooms above call, on two devices and three custodians. */
const newId = (): string => toHex(randomBytes(16));
const codeOf = async (act: Promise<unknown>): Promise<string> => {
  try {
    await act;
    return 'ok';
  } catch (error) {
    return isAppError(error) ? error.code : String(error);
  }
};

let rig: TestHsm;
let custodians: TestCustodian[];
const keyId = newId();
const splitId = newId();
let escrow: EscrowPackage;
const labels = async (device: string): Promise<string[]> => (await rig.hsm.inventory(device)).map(({ label }: KeyObject) => label).sort();

beforeAll(async () => {
  const devices = (dir: string) => [simDevice(dir, 'vault-1'), simDevice(dir, 'vault-2'), simDevice(dir, 'vault-3')];
  [rig, custodians] = await Promise.all([startTestHsm({ devices }), Promise.all([1, 2, 3].map((index) => TestCustodian.enrol(index, 'sm2')))]);
  await rig.hsm.generateKey('vault-1', { keyId, label: 'root', keyClass: 'purchaseRoot', algorithm: 'sm4' });
}, 120_000);
afterAll(async () => {
  await Promise.all([rig?.stop(), ...(custodians ?? []).map((custodian) => custodian.stop())]);
});

describe('escrow under approvals', () => {
  it('without approvals nothing of it is done, but giving up a recovery', async () => {
    const bare = rig.client('service', { bare: true });
    const keys = custodians.map(({ named: { algorithm, publicKey } }) => ({ algorithm, publicKey }));
    expect(await codeOf(bare.escrowTrust('vault-1', keys))).toBe('APPROVAL_REQUIRED');
    expect(await codeOf(bare.escrowSplit('vault-1', { keyId, splitId, m: 2, custodians: custodians.map(({ named }) => named) }))).toBe('APPROVAL_REQUIRED');
    expect(await codeOf(bare.escrowTarget('vault-2', { splitId, algorithm: 'sm2' }))).toBe('APPROVAL_REQUIRED');
    expect(await bare.escrowAbort('vault-2', splitId)).toBe(0);
    for (const client of ['worker', 'journal', 'doctor'] as const) expect(await codeOf(rig.client(client, { bare: true }).escrowAbort('vault-2', splitId))).toBe('HSM_REFUSED');
  });

  it('the officer enters the custodians, the device serves again, and the root is split', async () => {
    const custodiansOfSplit = custodians.map(({ named }) => named);
    expect(await codeOf(rig.hsm.escrowSplit('vault-1', { keyId, splitId, m: 2, custodians: custodiansOfSplit }))).toBe('ESCROW_KEY_UNTRUSTED');
    await rig.hsm.escrowTrust('vault-1', custodiansOfSplit.map(({ algorithm, publicKey }) => ({ algorithm, publicKey })));
    escrow = await rig.hsm.escrowSplit('vault-1', { keyId, splitId, m: 2, custodians: custodiansOfSplit });
    expect([escrow.n, escrow.wrappedRoots.length, escrow.fingerprint]).toEqual([3, 3, toHex((await rig.hsm.fingerprints('vault-1', [keyId]))[0] as Uint8Array)]);
    expect((await labels('vault-1')).filter((label) => label.startsWith('escrowWrapping/')).length).toBe(3);
    await rig.hsm.escrowTrust('vault-1', []);
    expect((await labels('vault-1')).filter((label) => label.startsWith('escrow'))).toEqual([]);
  });

  it('two custodians bring it into an empty device, where it works like the first', async () => {
    const before = await labels('vault-2');
    const offer = await rig.hsm.escrowTarget('vault-2', { splitId, algorithm: 'sm2' });
    const shares: { index: number; wrapped: Uint8Array }[] = [];
    for (const custodian of [custodians[0], custodians[2]] as TestCustodian[]) {
      await custodian.trust(offer);
      shares.push({ index: custodian.index, wrapped: await custodian.open(escrow.wrappedShares[custodian.index - 1] as string, offer) });
    }
    expect(await codeOf(rig.hsm.escrowRecover('vault-2', { keyId, escrow, shares: shares.slice(0, 1) }))).toBe('ESCROW_SHARES_MISSING');
    await rig.hsm.escrowRecover('vault-2', { keyId, escrow, shares });
    expect(await labels('vault-2')).toEqual([...before, 'purchaseRoot/root'].sort());
    const [first, second] = await Promise.all(['vault-1', 'vault-2'].map((device) => rig.hsm.purchaseMacs(device, [{ key: { keyId, factors: [Buffer.from('110000sx'), Buffer.from('00112233445566AA', 'hex')] }, sessionInput: Buffer.from('0011223344556677', 'hex'), data: new Uint8Array(16) }])));
    expect(second).toEqual(first);
    expect(await codeOf(rig.hsm.escrowRecover('vault-2', { keyId, escrow, shares }))).toBe('KEY_ID_TAKEN');
    // Used now: its maker may not undo it without a quorum. One that was not used yet, it may.
    expect(await codeOf(rig.client('service', { bare: true }).destroy('vault-2', keyId))).toBe('APPROVAL_REQUIRED');
    await rig.hsm.destroy('vault-2', keyId);
    expect(await labels('vault-2')).toEqual(before);
  });

  it('two officers’ acts at once: one after the other, and the last one counts', async () => {
    const one = custodians.slice(0, 1).map(({ named: { algorithm, publicKey } }) => ({ algorithm, publicKey }));
    const answers = await Promise.all([codeOf(rig.hsm.escrowTrust('vault-2', one)), codeOf(rig.hsm.escrowTrust('vault-2', one))]);
    // The second may find the device out of service before it comes to its turn.
    expect(answers.filter((answer) => answer === 'ok').length).toBeGreaterThan(0);
    expect(answers.every((answer) => answer === 'ok' || answer === 'HSM_DEVICE_DOWN')).toBe(true);
    expect((await labels('vault-2')).filter((label) => label.startsWith('escrowWrapping/')).length).toBe(1);
    await rig.hsm.escrowTrust('vault-2', []);
  });

  it('a group is no place for it', async () => {
    expect(await codeOf(rig.hsm.escrowTarget('@diversification', { splitId: newId(), algorithm: 'sm2' }))).toBe('HSM_REFUSED');
  });

  it('the officer’s PIN: missing asks nobody, wrong is tried once and latched, and the device serves all the same', async () => {
    const file = join(rig.dir, 'pins', 'vault-3.so');
    const right = readFileSync(file);
    const latch = join(rig.config.stateDir, 'vault-3.so-pin-latched');
    rmSync(file);
    expect(await codeOf(rig.client('service', { bare: true }).escrowTrust('vault-3', []))).toBe('HSM_REFUSED');
    writeFileSync(file, 'not-the-pin', { mode: 0o400 });
    expect(await codeOf(rig.hsm.escrowTrust('vault-3', []))).toBe('PIN_REFUSED');
    expect(existsSync(latch)).toBe(true);
    chmodSync(file, 0o600);
    writeFileSync(file, right);
    // The right one does not get a try either, before somebody has looked.
    expect(await codeOf(rig.hsm.escrowTrust('vault-3', []))).toBe('PIN_REFUSED');
    rmSync(latch);
    chmodSync(file, 0o400);
    expect(await codeOf(rig.hsm.escrowTrust('vault-3', []))).toBe('ok');
    expect((await labels('vault-3')).length).toBeGreaterThan(0);
  });
});
