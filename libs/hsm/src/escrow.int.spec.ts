import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { isAppError, toHex } from '#libs/platform/domain';
import { SimControl } from '../../../test/builders/hsm-sim.js';
import { keyIdOf, TestAgent } from '../../../test/env/test-agent.js';
import { TestCustodian } from '../../../test/env/test-custodian.js';
import { SYMMETRIC_ALGORITHMS, type SymmetricAlgorithm } from './domain/algorithms.js';
import type { DiversificationClass } from './domain/key-class.js';
import { type EscrowPackage, type EscrowTarget, type ShareAlgorithm, subsetsOf } from './domain/escrow.js';
import type { KeyObject } from './hsm.js';

/*
 * Splits and recoveries on real tokens: a source, an empty target, and a process with a token of its own for each custodian.
 */
const newId = (): string => toHex(randomBytes(16));
const pick = <T>(from: readonly T[], index: number): T => from[index - 1] as T;
let lastRoot = 0;

const refusal = async (act: Promise<unknown>): Promise<[code: string, details: Readonly<Record<string, unknown>>]> => {
  try {
    await act;
    return ['ok', {}];
  } catch (error) {
    if (isAppError(error)) return [error.code, error.details];
    throw error;
  }
};

async function makeRoot(agent: TestAgent, algorithm: SymmetricAlgorithm, keyClass: DiversificationClass = 'dataRoot'): Promise<string> {
  const keyId = keyIdOf(++lastRoot);
  await agent.run('generateKey', { keyId, label: `root ${lastRoot}`, keyClass, algorithm });
  return keyId;
}

const fingerprint = async (agent: TestAgent, keyId: string): Promise<string> => (await agent.batch('fingerprints', [{ key: { keyId, factors: [] } }]))[0] as string;
const inventory = async (agent: TestAgent): Promise<string[]> => ((await agent.run('inventory', {})) as KeyObject[]).map((object) => JSON.stringify(object)).sort();
const split = (agent: TestAgent, keyId: string, m: number, custodians: readonly TestCustodian[], splitId = newId()): Promise<EscrowPackage> =>
  agent.run('escrowSplit', { keyId, splitId, m, custodians: custodians.map(({ named }) => named) }) as Promise<EscrowPackage>;
const open = (agent: TestAgent, splitId: string, algorithm: ShareAlgorithm = 'sm2'): Promise<EscrowTarget> => agent.run('escrowTarget', { splitId, algorithm }) as Promise<EscrowTarget>;
const recover = (agent: TestAgent, escrow: EscrowPackage, shares: readonly { index: number; wrapped: Uint8Array }[], keyId = escrow.rootId): Promise<unknown> => agent.run('escrowRecover', { keyId, escrow, shares });

/** What the custodians of a subset do, each with the officer of the own token. */
async function opened(custodians: readonly TestCustodian[], subset: readonly number[], escrow: EscrowPackage, target: EscrowTarget): Promise<{ index: number; wrapped: Uint8Array }[]> {
  const shares: { index: number; wrapped: Uint8Array }[] = [];
  for (const index of subset) {
    await pick(custodians, index).trust(target);
    shares.push({ index, wrapped: await pick(custodians, index).open(pick(escrow.wrappedShares, index), target) });
  }
  return shares;
}

let custodians: TestCustodian[];
let source: TestAgent;
let target: TestAgent;

beforeAll(async () => {
  const algorithms: ShareAlgorithm[] = ['rsaOaep', 'sm2', 'sm2', 'rsaOaep', 'sm2'];
  custodians = await Promise.all(algorithms.map((algorithm, at) => TestCustodian.enrol(at + 1, algorithm)));
  // Room for the objects of one split and not for those of two: a session object that stays is found.
  source = await (await TestAgent.start('hsm-sim', { lines: { objects_most: '60' } })).trust(custodians.map(({ named }) => named));
  target = await TestAgent.start('hsm-sim', { lines: { objects_most: '60' } });
}, 120_000);
afterAll(async () => {
  await Promise.all([source?.stop(), target?.stop(), ...(custodians ?? []).map((custodian) => custodian.stop())]);
});

describe.each<[number, number, SymmetricAlgorithm]>([[2, 3, '3des2'], [3, 5, 'sm4']])('%i of %i, a root of %s', (m, n, algorithm) => {
  let keyId: string;
  let escrow: EscrowPackage;
  const all = (): TestCustodian[] => custodians.slice(0, n);

  beforeAll(async () => {
    keyId = await makeRoot(source, algorithm);
    escrow = await split(source, keyId, m, all());
  });

  it('the package says what it is, and changes nothing in the device', async () => {
    expect(escrow).toMatchObject({ format: 'hufu/escrow/1', rootId: keyId, m, n, algorithm, fingerprint: await fingerprint(source, keyId), tokenSerial: source.token.serial });
    expect(escrow.custodians.map(({ keyDigest }) => keyDigest)).toEqual(all().map(({ token }) => token.keyDigest));
    expect(escrow.wrappedRoots.length).toBe(subsetsOf(n, m).length);
    const before = await inventory(source);
    await split(source, keyId, m, all());
    expect(await inventory(source)).toEqual(before);
  });

  it(`any ${m} bring it back into an empty device, with its fingerprint, class and label, still to be sealed; nothing else stays anywhere`, async () => {
    const before = await inventory(target);
    const tokens = await Promise.all(all().map((custodian) => custodian.inventory()));
    const [original] = ((await source.run('inventory', {})) as KeyObject[]).filter((object) => object.keyId === keyId);
    for (const subset of subsetsOf(n, m)) {
      const offer = await open(target, escrow.splitId, subset.includes(n) ? 'sm2' : 'rsaOaep');
      await recover(target, escrow, await opened(all(), subset, escrow, offer));
      expect(await fingerprint(target, keyId)).toBe(escrow.fingerprint);
      expect(((await target.run('inventory', {})) as KeyObject[]).filter((object) => object.keyId === keyId)).toEqual([original]);
      await target.run('destroy', { keyId });
      expect(await inventory(target)).toEqual(before);
    }
    expect(await Promise.all(all().map((custodian) => custodian.inventory()))).toEqual(tokens);
  }, 180_000);

  it(`${m - 1} never do, and one too many neither; the recovery stays open for the right number`, async () => {
    const before = await inventory(target);
    const offer = await open(target, escrow.splitId);
    const shares = await opened(all(), Array.from({ length: n }, (_, at) => at + 1), escrow, offer);
    const wrong = [...subsetsOf(n, m - 1), ...(m < n ? subsetsOf(n, m + 1) : [])];
    for (const subset of wrong) {
      const [code, details] = await refusal(recover(target, escrow, subset.map((index) => pick(shares, index))));
      expect([code, details]).toEqual(['ESCROW_SHARES_MISSING', { needed: m, of: n, given: subset.join(', ') }]);
    }
    // Twice the same share is not two custodians; another order is not another quorum.
    const twice = Array.from({ length: m }, () => pick(shares, 1));
    expect((await refusal(recover(target, escrow, twice)))[0]).toBe('ESCROW_SHARES_MISSING');
    // A quorum lowered in the package by its holder is not the quorum of the shares.
    const lowered = { ...escrow, m: m - 1, wrappedRoots: subsetsOf(n, m - 1).map((_, at) => toHex(Uint8Array.from({ length: 24 }, () => at))) };
    expect((await refusal(recover(target, lowered, shares.slice(0, m - 1))))[0]).toBe(m === 2 ? 'ESCROW_PACKAGE_INVALID' : 'ESCROW_SHARE_INVALID');
    expect(await target.run('escrowAbort', { splitId: escrow.splitId })).toBe(m === 2 ? 2 : 0);
    expect(await inventory(target)).toEqual(before);
  });
});

describe('blobs that do not belong together', () => {
  const TWO = [1, 2];
  let keyId: string;
  let escrow: EscrowPackage;
  let other: EscrowPackage;
  let before: string[];
  const three = (): TestCustodian[] => custodians.slice(0, 3);

  beforeAll(async () => {
    keyId = await makeRoot(source, 'aes128');
    [escrow, other] = [await split(source, keyId, 2, three()), await split(source, keyId, 2, three())];
    before = await inventory(target);
  });

  /** A recovery with what `exchange` makes of good parts; the target must be as before. */
  async function attempt(exchange: (shares: { index: number; wrapped: Uint8Array }[], offer: EscrowTarget) => Promise<[EscrowPackage, { index: number; wrapped: Uint8Array }[]]>): Promise<[string, Readonly<Record<string, unknown>>]> {
    const offer = await open(target, escrow.splitId);
    const [used, shares] = await exchange(await opened(three(), TWO, escrow, offer), offer);
    const answer = await refusal(recover(target, used, shares));
    await target.run('escrowAbort', { splitId: escrow.splitId });
    expect(await inventory(target)).toEqual(before);
    return answer;
  }

  it('the same without an exchange brings the root back: what follows is refused for its fault alone', async () => {
    const offer = await open(target, escrow.splitId);
    await recover(target, escrow, await opened(three(), TWO, escrow, offer));
    expect(await fingerprint(target, keyId)).toBe(escrow.fingerprint);
    expect((await refusal(open(target, escrow.splitId).then(async (again) => recover(target, escrow, await opened(three(), TWO, escrow, again)))))[0]).toBe('KEY_ID_TAKEN');
    await target.run('escrowAbort', { splitId: escrow.splitId });
    await target.run('destroy', { keyId });
  });

  it('shares under each other’s number', async () => {
    const [code, details] = await attempt(async (shares) => [escrow, [{ index: 1, wrapped: pick(shares, 2).wrapped }, { index: 2, wrapped: pick(shares, 1).wrapped }]]);
    expect([code, details['index']]).toEqual(['ESCROW_SHARE_INVALID', 1]);
  });

  it('a share of another split of the same root among the same custodians', async () => {
    const [code, details] = await attempt(async (shares, offer) => {
      await pick(custodians, 2).trust(offer);
      return [escrow, [pick(shares, 1), { index: 2, wrapped: await pick(custodians, 2).open(pick(other.wrappedShares, 2), offer) }]];
    });
    expect([code, details['index'], details['reasonEn']]).toEqual(['ESCROW_SHARE_INVALID', 2, 'it is not of this custodian and package']);
  });

  it.each<[string, (own: EscrowPackage, foreign: EscrowPackage) => EscrowPackage, string]>([
    ['the wrapped roots of another split', (own, { wrappedRoots }) => ({ ...own, wrappedRoots }), 'ESCROW_PACKAGE_INVALID'],
    ['the wrapped roots in another order', (own) => ({ ...own, wrappedRoots: own.wrappedRoots.toReversed() }), 'ESCROW_PACKAGE_INVALID'],
    ['one wrapped root less', (own) => ({ ...own, wrappedRoots: own.wrappedRoots.slice(1) }), 'ESCROW_PACKAGE_INVALID'],
    ['the checks of another split', (own, { shareChecks }) => ({ ...own, shareChecks }), 'ESCROW_SHARE_INVALID'],
    ['another class', (own) => ({ ...own, objectLabel: own.objectLabel.replace('dataRoot', 'purchaseRoot') }), 'ESCROW_SHARE_INVALID'],
    ['another algorithm', (own) => ({ ...own, algorithm: '3des2' }), 'ESCROW_SHARE_INVALID'],
    ['another fingerprint', (own) => ({ ...own, fingerprint: 'AB'.repeat(16) }), 'ESCROW_SHARE_INVALID'],
    ['a custodian exchanged', (own) => ({ ...own, custodians: own.custodians.map((each) => (each.index === 3 ? { ...each, keyDigest: 'CD'.repeat(32) } : each)) }), 'ESCROW_SHARE_INVALID'],
    ['one bit of a wrapped root', (own) => ({ ...own, wrappedRoots: own.wrappedRoots.map((each) => each.replace(/.$/, (last) => (last === '0' ? '1' : '0'))) }), 'ESCROW_PACKAGE_INVALID'],
  ])('%s', async (_what, exchange, expected) => {
    expect((await attempt(async (shares) => [exchange(escrow, other), shares]))[0]).toBe(expected);
  });

  it('under the id of another root', async () => {
    const offer = await open(target, escrow.splitId);
    const shares = await opened(three(), TWO, escrow, offer);
    expect(await refusal(recover(target, escrow, shares, newId()))).toEqual(['ESCROW_PACKAGE_INVALID', { reason: `it is of root ${keyId}` }]);
    // Nothing was used up: the right id still works.
    await recover(target, escrow, shares);
    await target.run('destroy', { keyId });
    expect(await inventory(target)).toEqual(before);
  });

  it('a share that was opened for another target, and a share that was never opened', async () => {
    const elsewhere = await open(source, escrow.splitId);
    await pick(custodians, 2).trust(elsewhere);
    const foreign = { index: 2, wrapped: await pick(custodians, 2).open(pick(escrow.wrappedShares, 2), elsewhere) };
    await source.run('escrowAbort', { splitId: escrow.splitId });
    for (const wrong of [foreign, { index: 2, wrapped: Uint8Array.from(Buffer.from(pick(escrow.wrappedShares, 2), 'hex')) }]) {
      const [code, details] = await attempt(async (shares) => [escrow, [pick(shares, 1), wrong]]);
      expect([code, details['index'], details['reasonEn']]).toEqual(['ESCROW_SHARE_INVALID', 2, 'it was not opened for the target of this recovery']);
    }
  });

  it('a recovery replayed: its target serves once, also when the attempt failed, and across a restart while unused', async () => {
    const offer = await open(target, escrow.splitId);
    const shares = await opened(three(), TWO, escrow, offer);
    target = await target.restart();
    await recover(target, escrow, shares);
    await target.run('destroy', { keyId });
    expect(await refusal(recover(target, escrow, shares))).toEqual(['ESCROW_TARGET_CLOSED', { device: 'test-hsm-sim', splitId: escrow.splitId }]);
    const next = await open(target, escrow.splitId);
    expect((await refusal(recover(target, escrow, shares)))[0]).toBe('ESCROW_SHARE_INVALID');
    expect((await refusal(recover(target, escrow, await opened(three(), TWO, escrow, next))))[0]).toBe('ESCROW_TARGET_CLOSED');
    expect(await inventory(target)).toEqual(before);
  });

  it('a device that lied about the fingerprint at the split: what comes back is destroyed', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'hufu-escrow-'));
    const control = new SimControl(join(dir, 'control'));
    const liar = await (await TestAgent.start('hsm-sim', { lines: { control: control.file } })).trust(three().map(({ named }) => named));
    try {
      const lied = await makeRoot(liar, 'aes128');
      control.set('C_DeriveKey flip first=1');
      const package_ = await split(liar, lied, 2, three());
      control.set();
      expect(package_.fingerprint).not.toBe(await fingerprint(liar, lied));
      const offer = await open(target, package_.splitId);
      expect(await refusal(recover(target, package_, await opened(three(), TWO, package_, offer)))).toEqual(['ESCROW_KEY_DIFFERS', { keyId: lied }]);
      expect(await inventory(target)).toEqual(before);
    } finally {
      await liar.stop();
      rmSync(dir, { recursive: true, force: true });
    }
  });
});

describe('an agent killed in the middle', () => {
  const dir = mkdtempSync(join(tmpdir(), 'hufu-escrow-'));
  const control = new SimControl(join(dir, 'control'));
  let device: TestAgent;
  let keyId: string;
  let escrow: EscrowPackage;
  const two = (): TestCustodian[] => custodians.slice(0, 2);

  beforeAll(async () => {
    device = await (await TestAgent.start('hsm-sim', { lines: { control: control.file } })).trust(two().map(({ named }) => named));
    keyId = await makeRoot(device, 'aes128');
    escrow = await split(device, keyId, 2, two());
  });
  afterAll(async () => {
    await device?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  /** Runs until the fault stops it, kills the process, and starts another on the same token. */
  async function killedAt(fault: string, act: () => Promise<unknown>): Promise<void> {
    control.set(fault);
    const running = refusal(act()).catch((error: unknown) => String(error));
    await new Promise((next) => setTimeout(next, 400));
    const exit = new Promise((settle) => device.child.once('exit', settle));
    device.child.kill('SIGKILL');
    await exit;
    expect(await running).toMatch(/the agent ended/);
    control.set();
    device = await device.restart();
  }

  it.each(['C_WrapKey hang nth=2', 'C_WrapKey hang nth=5', 'C_DeriveKey hang nth=4', 'C_DestroyObject hang nth=3'])('in a split, at %s: nothing stays, and it is done again', async (fault) => {
    const before = await inventory(device);
    await killedAt(fault, () => split(device, keyId, 2, two()));
    expect(await inventory(device)).toEqual(before);
    expect((await split(device, keyId, 2, two())).fingerprint).toBe(escrow.fingerprint);
  });

  it.each([['C_UnwrapKey hang nth=1', 0], ['C_DeriveKey hang nth=3', 0], ['C_UnwrapKey hang nth=3', 0], ['C_SignInit hang nth=3', 1]])('in a recovery, at %s: the target waits on, a root that nobody has confirmed is under its id and no other (%i)', async (fault, roots) => {
    await device.run('destroy', { keyId });
    const before = await inventory(device);
    const offer = await open(device, escrow.splitId);
    const shares = await opened(two(), [1, 2], escrow, offer);
    await killedAt(fault, () => recover(device, escrow, shares));
    const stayed = ((await device.run('inventory', {})) as KeyObject[]).filter((object) => !before.includes(JSON.stringify(object)));
    expect(stayed.map((object) => `${object.keyId} ${object.objectClass}`).sort()).toEqual([`${escrow.splitId} private`, `${escrow.splitId} public`, ...(roots === 1 ? [`${keyId} secret`] : [])].sort());
    // What the intent says of it: destroyed, and done again with the same shares.
    expect(await device.run('destroy', { keyId })).toBe(roots);
    await recover(device, escrow, shares);
    expect(await fingerprint(device, keyId)).toBe(escrow.fingerprint);
    expect((await inventory(device)).filter((object) => object.includes('escrowTarget/'))).toEqual([]);
  });
});

describe('who may be trusted', () => {
  let keyId: string;
  let escrow: EscrowPackage;
  beforeAll(async () => {
    keyId = await makeRoot(source, 'aes128');
    escrow = await split(source, keyId, 2, custodians.slice(0, 2));
  });

  it('a token that is not that custodian’s names itself', async () => {
    const offer = await open(target, escrow.splitId);
    await pick(custodians, 3).trust(offer);
    const [first, third] = [pick(custodians, 1).token.keyDigest, pick(custodians, 3).token.keyDigest];
    expect(await refusal(pick(custodians, 3).open(pick(escrow.wrappedShares, 1), offer, { index: 1, keyDigest: first }))).toEqual(['ESCROW_TOKEN_OTHER', { index: 1, expected: first, actual: third }]);
    // It lies about whose it is: its key does not open the share.
    expect((await refusal(pick(custodians, 3).open(pick(escrow.wrappedShares, 1), offer, { index: 1 })))[0]).toBe('ESCROW_SHARE_INVALID');
    await target.run('escrowAbort', { splitId: escrow.splitId });
  });

  it('a share goes to no key that the officer of the token has not entered, and to the last one alone', async () => {
    const [offer, later] = [await open(target, escrow.splitId), await open(source, newId())];
    const custodian = pick(custodians, 1);
    const share = pick(escrow.wrappedShares, 1);
    await custodian.trust(later);
    expect(await refusal(custodian.open(share, offer))).toEqual(['ESCROW_KEY_UNTRUSTED', { device: 'custodian-1', keyDigest: offer.keyDigest }]);
    await custodian.trust(offer);
    expect((await refusal(custodian.open(share, later)))[0]).toBe('ESCROW_KEY_UNTRUSTED');
    expect((await custodian.open(share, offer)).length).toBeGreaterThan(64);
    // With the share that it was entered for, its trust is over.
    expect((await refusal(custodian.open(share, offer)))[0]).toBe('ESCROW_KEY_UNTRUSTED');
    for (const [agent, splitId] of [[target, escrow.splitId]] as const) await agent.run('escrowAbort', { splitId });
    for (const object of (await source.run('inventory', {})) as KeyObject[]) if (object.label.startsWith('escrowTarget/')) await source.run('escrowAbort', { splitId: object.keyId });
  });

  it('the officer enters what was heard and nothing else', async () => {
    const offer = await open(target, escrow.splitId);
    const custodian = pick(custodians, 1);
    const heard = offer.spoken.replace(/\d$/, (last) => String((Number(last) + 1) % 10));
    expect((await refusal(custodian.trust(offer, heard)))[0]).toBe('ESCROW_FINGERPRINT_DIFFERS');
    expect((await refusal(custodian.trust(offer, '')))[0]).toBe('ESCROW_FINGERPRINT_DIFFERS');
    expect((await refusal(custodian.trust(offer, offer.spoken, 'not the PIN')))).toEqual(['HSM_ERROR', expect.objectContaining({ ckr: 'CKR_PIN_INCORRECT' })]);
    expect((await custodian.inventory()).filter(({ trusted }) => trusted)).toEqual([]);
    await custodian.trust(offer, `  ${offer.spoken.replaceAll(' ', '  ')} `);
    expect((await refusal(custodian.open(pick(escrow.wrappedShares, 1), offer, { pin: 'not the PIN' })))).toEqual(['HSM_ERROR', expect.objectContaining({ ckr: 'CKR_PIN_INCORRECT' })]);
    expect((await custodian.open(pick(escrow.wrappedShares, 1), offer)).length).toBeGreaterThan(64);
    await target.run('escrowAbort', { splitId: escrow.splitId });
  });

  it('the device splits among keys that its own officer has entered, not for one more; entering others ends it for the former', async () => {
    const stranger = await TestCustodian.enrol(6, 'sm2');
    try {
      const before = await inventory(source);
      const withStranger = [pick(custodians, 1), stranger].map((custodian, at) => ({ ...custodian.named, index: at + 1 }));
      const request = { keyId, splitId: newId(), m: 2, custodians: withStranger };
      expect(await refusal(source.run('escrowSplit', request))).toEqual(['ESCROW_KEY_UNTRUSTED', { device: 'test-hsm-sim', keyDigest: stranger.token.keyDigest }]);
      expect(await inventory(source)).toEqual(before);
      source = await source.trust(withStranger);
      expect((await source.run('escrowSplit', request) as EscrowPackage).n).toBe(2);
      expect((await refusal(split(source, keyId, 2, custodians.slice(0, 2))))[0]).toBe('ESCROW_KEY_UNTRUSTED');
      source = await source.trust(custodians.map(({ named }) => named));
      expect(await inventory(source)).toEqual(before);
    } finally {
      await stranger.stop();
    }
  });

  it('a wrong PIN of the device’s officer enters nothing, and is not tried twice by the process', async () => {
    const agent = await TestAgent.start('hsm-sim');
    await expect(agent.trust([pick(custodians, 1).named], 'not the PIN')).rejects.toThrow(/pinLatched/);
    const again = await agent.restart();
    expect(((await again.run('inventory', {})) as KeyObject[]).filter(({ label }) => label.startsWith('escrowWrapping/'))).toEqual([]);
    await again.stop();
  });

  it('a sealed root is split no more', async () => {
    const sealed = await makeRoot(source, 'aes128');
    await source.run('seal', { keyId: sealed });
    expect(await refusal(split(source, sealed, 2, custodians.slice(0, 2)))).toEqual(['HSM_ERROR', expect.objectContaining({ ckr: 'CKR_KEY_UNEXTRACTABLE' })]);
  });
});

describe('devices and tokens that cannot', () => {
  it.each(['softhsm', 'nss'])('%s is refused by name, for a split and as a target', async (name) => {
    const agent = await TestAgent.start(name);
    try {
      const keyId = await makeRoot(agent, 'aes128');
      const before = await inventory(agent);
      expect(await refusal(split(agent, keyId, 2, custodians.slice(0, 2)))).toEqual(['HSM_CAPABILITY_MISSING', { device: `test-${name}`, recipe: 'escrow' }]);
      expect(await refusal(open(agent, newId(), 'rsaOaep'))).toEqual(['HSM_CAPABILITY_MISSING', { device: `test-${name}`, recipe: 'escrow' }]);
      expect(await inventory(agent)).toEqual(before);
    } finally {
      await agent.stop();
    }
  });

  it('NSS is no custodian’s token', async () => {
    expect(await refusal(TestCustodian.enrol(1, 'rsaOaep', { profileName: 'nss' }))).toEqual(['ESCROW_TOKEN_UNFIT', { device: 'custodian-1', rule: 'UNWRAP_TEMPLATE' }]);
  });

  it('SoftHSM joins no keys, but keeps what a custodian’s token has to: tried, not believed', async () => {
    const soft = await TestCustodian.enrol(1, 'rsaOaep', { profileName: 'softhsm' });
    const device = await (await TestAgent.start('hsm-sim')).trust([soft, pick(custodians, 2)].map(({ named }) => named));
    try {
      const keyId = await makeRoot(device, 'aes128');
      const escrow = await split(device, keyId, 2, [soft, pick(custodians, 2)]);
      const offer = await open(target, escrow.splitId, 'rsaOaep');
      expect((await refusal(soft.open(pick(escrow.wrappedShares, 1), offer)))[0]).toBe('ESCROW_KEY_UNTRUSTED');
      await recover(target, escrow, await opened([soft, pick(custodians, 2)], [1, 2], escrow, offer));
      expect(await fingerprint(target, keyId)).toBe(escrow.fingerprint);
      await target.run('destroy', { keyId });
    } finally {
      await Promise.all([device.stop(), soft.stop()]);
    }
  });

  it('a vendor without SM2 encryption takes shares by RSA alone', async () => {
    const agent = await TestAgent.start('hsm-sim-tass');
    try {
      expect(await refusal(open(agent, newId(), 'sm2'))).toEqual(['HSM_CAPABILITY_MISSING', { device: 'test-hsm-sim-tass', recipe: 'escrow (sm2)' }]);
      expect((await refusal(TestCustodian.enrol(1, 'sm2', { profileName: 'hsm-sim-tass' })))[0]).toBe('HSM_CAPABILITY_MISSING');
    } finally {
      await agent.stop();
    }
  });
});

describe('every simulated vendor splits, and every other brings it back', () => {
  const NAMES = ['hsm-sim-sansec', 'hsm-sim-tass', 'hsm-sim-ep11', 'hsm-sim-common'];
  it.each<[string, string, SymmetricAlgorithm]>(NAMES.map((name, at) => [name, NAMES[(at + 1) % NAMES.length] as string, SYMMETRIC_ALGORITHMS[at % 2] as SymmetricAlgorithm]))('%s into %s', async (from, to, algorithm) => {
    const own = await Promise.all([TestCustodian.enrol(1, 'rsaOaep', { profileName: from }), TestCustodian.enrol(2, to === 'hsm-sim-ep11' ? 'sm2' : 'rsaOaep', { profileName: to })]);
    // Where one of both has no SM2 encryption, all go by RSA.
    const fits = own.every(({ token }) => token.algorithm === 'rsaOaep') || from === 'hsm-sim-ep11';
    const used = fits ? own : [own[0] as TestCustodian, pick(custodians, 4)].map((custodian, at) => Object.assign(Object.create(custodian), { index: at + 1 }) as TestCustodian);
    const [device, empty] = await Promise.all([TestAgent.start(from).then((agent) => agent.trust(used.map(({ named }) => named))), TestAgent.start(to)]);
    try {
      const keyId = await makeRoot(device, algorithm);
      const escrow = await split(device, keyId, 2, used);
      const offer = await open(empty, escrow.splitId, 'rsaOaep');
      await recover(empty, escrow, await opened(used, [1, 2], escrow, offer));
      expect(await fingerprint(empty, keyId)).toBe(escrow.fingerprint);
    } finally {
      await Promise.all([device.stop(), empty.stop(), ...own.map((custodian) => custodian.stop())]);
    }
  });
});
